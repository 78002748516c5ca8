"""The images of a demo: those that are trained on lie on the device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..data import Dataset
from ..data.pixels import PixelScale
from ..data.stored import StoredImages
from ..errors import InputError
from ..geometry import Shape

HELD = 10  # every tenth training image is never trained on, as in ConvNetJS's demo


class Images(NamedTuple):
    images: np.ndarray  # (N, H, W, C) uint8, for training and validation
    labels: np.ndarray  # (N,) int32
    on_device: tuple[jax.Array, jax.Array]  # the same
    rows: np.ndarray  # of those that are trained on
    held: np.ndarray  # of those that are not
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]
    pixels: PixelScale

    @property
    def in_shape(self) -> Shape:
        return self.images.shape[1:]


def on_device(data: Dataset) -> Images:
    """Every tenth training image is held out, where there are enough. Raises InputError for images
    that are not in memory, or of floating-point values.
    """
    for split in (data.train, data.test):
        if isinstance(split.images, StoredImages) or split.images.dtype != np.uint8:
            raise InputError(
                f"data: {len(split.labels):,} images of {split.images.dtype} came, pixels that fit "
                "into memory were expected; choose fewer, or `jconv train` on them"
            )
    images, labels = np.asarray(data.train.images), np.asarray(data.train.labels, np.int32)
    every = np.arange(len(labels), dtype=np.int32)
    held = every[::HELD] if len(labels) >= 2 * HELD else every
    rows = np.setdiff1d(every, held) if len(labels) >= 2 * HELD else every
    return Images(
        images,
        labels,
        (jnp.asarray(images), jnp.asarray(labels)),
        rows,
        held,
        np.asarray(data.test.images),
        np.asarray(data.test.labels, np.int32),
        data.class_names,
        data.pixels,
    )


def batches(
    rows: np.ndarray, batch: int, seed: int, begun: int = 0
) -> Iterator[tuple[np.ndarray, int]]:
    """Batches of rows and their epoch, without end: every epoch in an order that follows from the
    seed, its number, and how many examples were seen before.
    """
    epoch, left = 0, np.array([], np.int32)
    while True:
        while len(left) < batch:
            order = np.random.default_rng((seed, begun, epoch)).permutation(rows)
            left, epoch = np.concatenate([left, order]), epoch + 1
        yield left[:batch], epoch
        left = left[batch:]


def taken(order: Iterator[tuple[np.ndarray, int]], n: int, shape: Shape) -> tuple[Any, int]:
    """The next n batches as the first rows of an array of `shape`, and the last one's epoch."""
    rows, epoch = np.zeros(shape, np.int32), 0
    for i in range(n):
        rows[i], epoch = next(order)
    return rows, epoch
