"""Augmentation on the host: pure functions of a batch and a random generator."""

from __future__ import annotations

import numpy as np


def shift(images: np.ndarray, pixels: int, rng: np.random.Generator) -> np.ndarray:
    """Every image moved by its own whole number of pixels, up to `pixels` each way along both axes;
    zeros move in.

    Shapes: (N, H, W, C) -> the same, the dtype too.
    """
    n, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    rows, columns = rng.integers(0, 2 * pixels + 1, (2, n))
    crops = [
        image[r : r + height, c : c + width]
        for image, r, c in zip(padded, rows, columns, strict=True)
    ]
    return np.stack(crops)
