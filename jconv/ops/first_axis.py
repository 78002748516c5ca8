"""A convolution taken apart into its first axis and the others, which are then another convolution
over more images.
"""

from __future__ import annotations

from typing import Any, cast

from ..geometry import Window
from .direct import Geometry


def first_and_rest(geometry: Geometry) -> tuple[Window, Geometry]:
    """The window along the first axis, and the convolution of one group over the others."""
    w = geometry.window
    return w.along(slice(1)), Geometry(w.along(slice(1, None)), 1)


def one_by_one(rows: int, w: Window) -> Window:
    """The window w in each of so many rows."""
    row = Window((rows,), (1,), (1,), (1,), ((0, 0),), (0,), (rows,))
    return Window(*(cast("tuple[Any, ...]", a) + b for a, b in zip(row, w, strict=True)))


def mirrored(w: Window) -> Window:
    """The window along one axis, of stride 1, under which y sees x as x sees y, its positions in
    reverse order.
    """
    lo = w.extent[0] - 1 - w.pads[0][0]
    hi = w.in_sizes[0] + w.extent[0] - 1 - w.out_sizes[0] - lo
    return w._replace(
        in_sizes=w.out_sizes, out_sizes=w.in_sizes, padding=((lo, hi),), overhang=(0,)
    )


def images(a):
    """(N, D, *rest) -> (N*D, *rest)"""
    return a.reshape(a.shape[0] * a.shape[1], *a.shape[2:])
