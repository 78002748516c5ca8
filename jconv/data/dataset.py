"""Labelled images: those that lie in memory, and those that are read when they are needed.

Images are (N, H, W, C) uint8, a quarter of the memory of float32; what trains and tests a net
scales them on the device (pixels.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from .pixels import UNIT, PixelScale
from .stored import StoredImages


class Split(NamedTuple):
    """Labelled images, in order."""

    images: np.ndarray | StoredImages  # (N, H, W, C) uint8
    labels: np.ndarray  # (N,) int32


class Dataset(NamedTuple):
    train: Split
    test: Split
    class_names: tuple[str, ...]
    validation: Split | None = None  # held out of `train`, for choosing; `test` is for the end
    pixels: PixelScale = UNIT  # what these images are usually scaled by


def check_labels(labels: np.ndarray, classes: int, where: Path | str, first: int = 0) -> None:
    """Raises InputError naming a label that is none of `first` to `first + classes - 1`."""
    wrong = np.flatnonzero((labels < first) | (labels > first + classes - 1))
    if len(wrong):
        raise InputError(
            f"{where}: label {wrong[0]:,} is {labels[wrong[0]]}, {first} to {first + classes - 1} "
            "were expected"
        )
