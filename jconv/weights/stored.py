"""Arrays where they lie in a file, read one by one: a reader that knows all shapes before it reads
a number takes no more memory than what it makes of them.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np

from ..errors import InputError
from ..geometry import Shape

BFLOAT16 = "bfloat16"  # which NumPy has not: the upper half of a float32's bits


class Storage(NamedTuple):
    """A run of numbers in a file; `length` bytes from `begin`."""

    path: Path
    name: str  # for errors
    begin: int
    length: int
    crc: int | None = None  # of its bytes, where the file has one


class StoredArray(NamedTuple):
    """An array in a storage; offset and strides count elements."""

    storage: Storage
    dtype: str
    shape: Shape
    offset: int
    strides: Shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def check(self) -> None:
        """Raises InputError where it reaches beyond its storage, or repeats what lies there."""
        count, volume = self.storage.length // width(self.dtype), math.prod(self.shape)
        if volume and self.offset + self._span() > count:
            raise InputError(
                f"{self.storage.path}: a tensor of shape {self.shape} reaches element "
                f"{self.offset + self._span():,} of {self.storage.name}, which has {count:,}"
            )
        if volume > count:
            raise InputError(
                f"{self.storage.path}: a tensor of shape {self.shape} repeats the {count:,} "
                f"elements of {self.storage.name}"
            )

    def _span(self) -> int:
        """From its first element to its last."""
        return 1 + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))

    def read(self) -> np.ndarray:
        """Raises InputError where the file has changed or is damaged."""
        if not math.prod(self.shape):
            return np.zeros(self.shape, np.float32)
        size, store = width(self.dtype), self.storage
        whole = self.offset == 0 and self._span() * size == store.length
        begin = store.begin + self.offset * size
        data = np.fromfile(store.path, np.uint8, self._span() * size, offset=begin)
        if len(data) < self._span() * size or (
            whole and store.crc is not None and crc32(data.data) != store.crc
        ):
            raise InputError(
                f"{store.path}: {store.name} is damaged, its checksum is another; copy the file "
                "again (or save it with checksums: torch.serialization.set_crc32_options(True))"
            )
        steps = tuple(s * size for s in self.strides)
        elements = data.view("<u2" if self.dtype == BFLOAT16 else self.dtype)
        array = np.lib.stride_tricks.as_strided(elements, self.shape, steps, writeable=False)
        return _widened(array) if self.dtype == BFLOAT16 else array


def _widened(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def width(dtype: str) -> int:
    """Bytes of one element."""
    return 2 if dtype == BFLOAT16 else np.dtype(dtype).itemsize


def row_major(shape: Shape) -> Shape:
    """The strides of an array that lies row after row."""
    strides = [1]
    for size in shape[:0:-1]:
        strides.append(strides[-1] * size)
    return tuple(reversed(strides)) if shape else ()
