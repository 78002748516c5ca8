"""Images that are read when they are asked for: a data set larger than memory."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import NamedTuple, Self

import numpy as np

from ..geometry import Shape


class Box(NamedTuple):
    """A part of an image, as shares of its width and height from the top left corner, 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float


class StoredImages(ABC):
    """N images of one shape, read and decoded one by one. It can be pickled: processes read too.

    `names` are what errors call the images and what a validation share is drawn by: a file's name
    within its split.
    """

    names: Sequence[str]
    in_shape: Shape  # (H, W, C) of every image, once read
    dtype = np.dtype(np.uint8)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.names), *self.in_shape)

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def read(self, index: int, box: Callable[[int, int], Box] | None = None) -> np.ndarray:
        """One image, (H, W, C) uint8; with `box(width, height)` that part of it, resized. Raises
        InputError naming the image.
        """

    @abstractmethod
    def taken(self, rows: np.ndarray) -> StoredImages:
        """Those of these rows, in their order."""

    def sized(self, in_shape: Shape) -> Self:
        """The same, read as images of another shape: of a box."""
        other = copy(self)
        other.in_shape = in_shape
        return other

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Several images, (n, H, W, C), decoded by a thread a core."""
        indices = range(len(self))[rows] if isinstance(rows, slice) else rows.tolist()
        images = np.empty((len(indices), *self.in_shape), np.uint8)

        def fill(place: int) -> None:
            images[place] = self.read(indices[place])

        with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoders release the interpreter lock
            for _ in pool.map(fill, range(len(indices))):
                pass
        return images
