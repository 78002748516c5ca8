"""Files of the IDX format, which MNIST is published in."""

from __future__ import annotations

import math
from pathlib import Path
from typing import IO

import numpy as np

from ..errors import InputError
from .compressed import uncompressed

BYTES = 8  # the code of unsigned bytes
MOST = 2**30  # bytes of one array: EMNIST, the largest, has 0.6 GB


def read_idx(path: Path, rank: int) -> np.ndarray:
    """An array of unsigned bytes with so many dimensions, compressed by gzip or not.

    The file: two zero bytes, the code of the type (8), the rank, each dimension as a big-endian
    32-bit integer, and the values, the last index fastest. Raises InputError naming the file where
    it differs, is cut or damaged.
    Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits".
    """
    with uncompressed(path, "its compression is damaged") as file:
        return _array(file, path, rank)


def _array(file: IO[bytes], path: Path, rank: int) -> np.ndarray:
    magic, expected = file.read(4), bytes((0, 0, BYTES, rank))
    if magic != expected:
        raise InputError(
            f"{path}: begins with {magic.hex(' ') or 'nothing'}, an IDX file of unsigned bytes "
            f"with {rank} dimensions begins with {expected.hex(' ')}"
        )
    header = file.read(4 * rank)
    if len(header) < 4 * rank:
        raise InputError(f"{path}: ends within its header; fetch the file again")
    shape = tuple(int.from_bytes(header[i : i + 4], "big") for i in range(0, 4 * rank, 4))
    count = math.prod(shape)
    words = "x".join(map(str, shape))
    if count > MOST:
        raise InputError(
            f"{path}: its header says {words}, {count:,} bytes; at most {MOST:,} were expected"
        )
    values = file.read(count + 1)  # one more than there are, so that a checksum at the end is read
    if len(values) != count:
        have = "more" if len(values) > count else f"{len(values):,}"
        raise InputError(
            f"{path}: its header says {words}, {count:,} bytes, but it holds {have}; fetch the "
            "file again"
        )
    return np.frombuffer(values, np.uint8).reshape(shape)
