"""What a convolution is, apart from its numbers: its window and groups, the shapes of its three
arrays, and the same convolution taken apart into its first axis and the others.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from ..geometry import Shape, Window


class Geometry(NamedTuple):
    """What the three operations share: the window over x's spatial axes, and the groups."""

    window: Window
    groups: int


def x_shape(y: Shape, k: Shape, geometry: Geometry) -> Shape:
    return (y[0], *geometry.window.in_sizes, k[-2] * geometry.groups)


def y_shape(x: Shape, k: Shape, geometry: Geometry) -> Shape:
    return (x[0], *geometry.window.out_sizes, k[-1])


def k_shape(x: Shape, y: Shape, geometry: Geometry) -> Shape:
    return (*geometry.window.size, x[-1] // geometry.groups, y[-1])


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
