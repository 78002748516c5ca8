"""Where windows lie, as tables: for each output along an axis, the input positions that it reads,
-1 for none.

So padding of every mode, dilation, rounding, unequal bins and transposed strides are one thing to
what runs a page's program.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import LayerError
from ...geometry import Shape, Window
from ...ops.pooling import bins as bins_along
from ...ops.views import padded_index

Table = dict[str, Any]  # {"taps": F, "at": out * F positions of the input, -1 for none}


def table(rows: np.ndarray) -> Table:
    return {"taps": rows.shape[1], "at": rows.ravel().tolist()}


def windows(w: Window, mode: str = "zeros") -> dict[str, Table]:
    """The tables of the two axes that a window slides over."""
    if w.rank != 2:
        raise LayerError(f"slides over {w.rank} axes; images have 2 here")
    found = []
    for n, pads, more, f, s, d, out in zip(
        w.in_sizes, w.padding, w.overhang, w.size, w.stride, w.dilation, w.out_sizes, strict=True
    ):
        index = np.pad(padded_index(n, pads, mode), (0, more), constant_values=-1)
        found.append(table(index[np.arange(out)[:, None] * s + np.arange(f) * d]))
    return {"rows": found[0], "columns": found[1]}


def transposed(w: Window) -> dict[str, Table]:
    """For each pixel of the input of a convolution, the outputs that read it, tap by tap."""
    found = []
    for n, (lo, _), f, s, d, out in zip(
        w.in_sizes, w.padding, w.size, w.stride, w.dilation, w.out_sizes, strict=True
    ):
        steps = np.arange(n)[:, None] + lo - np.arange(f) * d
        reads = (steps % s == 0) & (steps >= 0) & (steps // s < out)
        found.append(table(np.where(reads, steps // s, -1)))
    return {"rows": found[0], "columns": found[1]}


def bins(in_shape: Shape, sizes: Shape) -> dict[str, Table]:
    """The tables of bins that may differ in size."""
    found = []
    for n, out in zip(in_shape[:-1], sizes, strict=True):
        each = bins_along(n, out)
        index = np.array([begin for begin, _ in each])[:, None]
        index = index + np.arange(max(end - begin for begin, end in each))
        found.append(table(np.where(index < np.array([[end] for _, end in each]), index, -1)))
    return {"rows": found[0], "columns": found[1]}


def read(tables: dict[str, Table]) -> np.ndarray:
    """How many pixels each window reads. (out, out) float32"""
    rows, columns = (
        (np.reshape(table["at"], (-1, table["taps"])) >= 0).sum(axis=1)
        for table in (tables["rows"], tables["columns"])
    )
    return np.outer(rows, columns).astype(np.float32)


ONE = {"rows": {"taps": 1, "at": [0]}, "columns": {"taps": 1, "at": [0]}}  # a row of features
