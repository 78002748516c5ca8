"""Windows that do not fit their input exactly: the arithmetic, and the nearest settings that do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import product
from typing import Any

from ..errors import ShapeError
from ..geometry import Shape, Window
from ..layer import Layer


def window_setting(kind: type[Layer]) -> str:
    """What a kind of layer calls its window: "kernel", "window", or "" if it has none."""
    return next((f.name for f in dataclasses.fields(kind) if f.name in ("kernel", "window")), "")


def inexact(layer: Layer, in_shape: Shape) -> Window | None:
    """The layer's window, rounded down, if (W - F + 2P)/S + 1 is no whole number on some axis.
    Raises ShapeError.
    """
    rounded = dataclasses.replace(layer, rounding="floor") if hasattr(layer, "rounding") else layer
    w = rounded.over(in_shape)
    return w if w and any(w.unused) else None


def arithmetic(w: Window) -> str:
    """The sum for the first axis with a rest, as in (W - F + 2P)/S + 1 = (10 - 3 + 0)/2 + 1 = 4.5.

    F is the window as dilated, 2P the padding of both sides.
    """
    axis = _axis(w)
    pad = sum(w.padding[axis])
    steps = f"({w.in_sizes[axis]} - {w.extent[axis]} + {pad})/{w.stride[axis]} + 1"
    return f"(W - F + 2P)/S + 1 = {steps} = {_outputs(w):.6g}"


def sizes_that_fit(w: Window) -> tuple[int, int]:
    """The nearest input sizes below and above along that axis."""
    axis = _axis(w)
    below = w.in_sizes[axis] - w.unused[axis]
    return below, below + w.stride[axis]


def nearest(layer: Layer, in_shape: Shape, count: int = 3) -> list[Layer]:
    """The layer with one of its whole-numbered settings changed so that it fits exactly, or with
    two where one is not enough.

    Those come first whose windows leave no gaps, whose kernels have a middle, and whose output is
    nearest.
    """
    start = _explicit(layer)
    target = _target(start, in_shape)
    varied = ("padding", "stride", window_setting(type(layer)), "groups", "pieces", "channels")
    for together in (1, 2):
        ranges = {
            name: values
            for name in varied
            if (values := _values(start, name, 1000 if together == 1 else 8))
        }
        found = sorted(
            (_rank(near, in_shape, target, changes), i, near)
            for i, (near, changes) in enumerate(_changed(start, ranges, together))
            if _fits(near, in_shape)
        )
        if found:
            return [_implicit(near) for _, _, near in found[:count]]
    return []


def changes(layer: Layer, near: Layer) -> str:
    """What makes one layer the other, in Python: "stride=2, padding=0"."""
    pairs = [
        (f.name, getattr(_explicit(layer), f.name), getattr(_explicit(near), f.name))
        for f in dataclasses.fields(layer)
    ]
    return ", ".join(f"{name}={new}" for name, old, new in pairs if new != old)


def _axis(w: Window) -> int:
    return next(i for i, rest in enumerate(w.unused) if rest)


def _outputs(w: Window) -> float:
    """The outputs along that axis, were they not rounded."""
    axis = _axis(w)
    return w.out_sizes[axis] + w.unused[axis] / w.stride[axis]


def _explicit(layer: Layer) -> Layer:
    """A pool with its stride written out, so that its window can change alone."""
    if getattr(layer, "stride", 0) is None:
        return dataclasses.replace(layer, stride=getattr(layer, window_setting(type(layer))))
    return layer


def _implicit(layer: Layer) -> Layer:
    if hasattr(layer, "window") and layer.stride == layer.window:  # type: ignore
        return dataclasses.replace(layer, stride=None)
    return layer


def _values(layer: Layer, name: str, down: int) -> list[int]:
    """Other values of a whole-numbered setting: as far down as `down` says, and a little up."""
    value = getattr(layer, name, None) if name else None
    if isinstance(value, bool) or not isinstance(value, int):
        return []
    low = 0 if name == "padding" else 1
    return [v for v in range(max(low, value - down), value + 17) if v != value]


def _changed(
    layer: Layer, ranges: dict[str, list[int]], together: int
) -> Iterator[tuple[Layer, int]]:
    names = list(ranges)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    for chosen in [(n,) for n in names] if together == 1 else pairs:
        for values in product(*(ranges[n] for n in chosen)):
            change: dict[str, Any] = dict(zip(chosen, values, strict=True))
            try:
                near = dataclasses.replace(layer, **change)
            except ValueError:
                continue
            yield near, sum(abs(v - getattr(layer, n)) for n, v in change.items())


def _fits(layer: Layer, in_shape: Shape) -> bool:
    try:
        layer.out_shape(in_shape)
        return inexact(layer, in_shape) is None
    except ShapeError:
        return False


def _target(layer: Layer, in_shape: Shape) -> float:
    try:
        w = inexact(layer, in_shape)
        return _outputs(w) if w else 1
    except ShapeError:
        return 1


def _rank(
    layer: Layer, in_shape: Shape, target: float, changes: int
) -> tuple[bool, bool, float, int, int]:
    w = layer.over(in_shape)
    if w is None:
        return False, False, 0, changes, 0
    gaps = any(s > f for s, f in zip(w.stride, w.extent, strict=True))
    even = hasattr(layer, "kernel") and any(f % 2 == 0 for f in w.size)
    return gaps, even, abs(w.out_sizes[0] - target), changes, w.size[0]
