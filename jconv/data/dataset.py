"""Labelled images in memory.

Images are (N, H, W, C) uint8, a quarter of the memory of float32; the training step divides them by
255 on the device.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Split(NamedTuple):
    """Labelled images, in order."""

    images: np.ndarray  # (N, H, W, C) uint8
    labels: np.ndarray  # (N,) int32


class Dataset(NamedTuple):
    train: Split
    test: Split
    class_names: tuple[str, ...]
