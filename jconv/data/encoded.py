"""Images that are decoded, or resized, each time they are asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import IO, Self

import numpy as np
from PIL import Image

from ..errors import InputError
from ..geometry import Shape
from .image import cut, decoded, naming, shape_of, to_array
from .stored import Box, StoredImages


class EncodedImages(StoredImages):
    """Files of images, or records. Each is fitted to `in_shape`, or with None must have the size
    of the first that can be opened.
    """

    checked = False  # whether they were all decoded once, when they were written

    def __init__(
        self, names: Sequence[str], in_shape: Shape | None = None, own_shape: Shape | None = None
    ):
        self.names, self.fitted = names, in_shape is not None
        given = in_shape or own_shape
        # `like`: what has the size of all
        self.in_shape, self.like = (given, "") if given else self._first_shape()

    @abstractmethod
    def encoded(self, index: int) -> str | IO[bytes]:
        """One file, as a path or open."""

    @abstractmethod
    def place(self, index: int) -> str:
        """What errors call it: its path."""

    def taken(self, rows: np.ndarray) -> Self:
        some = copy(self)
        some.names = [self.names[int(row)] for row in rows]
        return some

    def own_shape(self, index: int) -> Shape:
        """(H, W, C) of one as it lies there, from its header. Raises InputError naming it."""
        with naming(self.place(index)):
            return shape_of(self.encoded(index))

    def check_header(self, index: int) -> None:
        """Raises InputError naming the image unless it can be opened and has its size."""
        self._check_shape(index, self.own_shape(index))

    def read(self, index: int, box: Callable[[int, int], Box] | None = None) -> np.ndarray:
        with naming(self.place(index)):
            fit = self.in_shape if self.fitted or box else None
            image = decoded(self.encoded(index), fit, box)
        if fit is None:
            self._check_shape(index, image.shape)
        return image

    def _first_shape(self) -> tuple[Shape, str]:
        """That of the first that can be opened, and its place; zeros where none can."""
        for index in range(len(self.names)):
            with suppress(InputError):
                return self.own_shape(index), self.place(index)
        return (0, 0, 0), ""

    def _check_shape(self, index: int, shape: Shape) -> None:
        if not self.fitted and shape != self.in_shape:
            other = f"{self.like or 'the first'} is {size(self.in_shape)}"
            raise InputError(
                f"{self.place(index)}: is {size(shape)} but {other}; resize them to one size "
                "(resize=True)"
            )


class FileImages(EncodedImages):
    """The image files `root`/NAME."""

    def __init__(self, root: Path | str, names: Sequence[str], in_shape: Shape | None = None):
        self.root = str(root)
        super().__init__(names, in_shape)

    def encoded(self, index: int) -> str:
        return f"{self.root}/{self.names[index]}"

    def place(self, index: int) -> str:
        return f"{self.root}/{self.names[index]}"


class ArrayImages(StoredImages):
    """Images of an array (N, H, W, C), each fitted to another shape when it is read."""

    def __init__(self, images: np.ndarray, names: Sequence[str], in_shape: Shape):
        self.images, self.names, self.in_shape = images, names, in_shape

    def taken(self, rows: np.ndarray) -> ArrayImages:
        return ArrayImages(self.images[rows], [self.names[int(row)] for row in rows], self.in_shape)

    def read(self, index: int, box: Callable[[int, int], Box] | None = None) -> np.ndarray:
        pixels = self.images[index]
        image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        if box is None:
            return to_array(image, self.in_shape)
        return cut(image, self.in_shape, box(*image.size))


def size(shape: Shape) -> str:
    return "x".join(map(str, shape))
