"""Labelled images: those that lie in memory, and those that are read when they are needed.

Images are (N, H, W, C) uint8, a quarter of the memory of float32; what trains and tests a net
scales them on the device (pixels.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

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
