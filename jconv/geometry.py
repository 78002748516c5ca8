"""Integer arithmetic of windows: padding, output size, receptive field. No arrays.

    out = (W + lo + hi - dilation*(F - 1) - 1) / S + 1

W input size, F window, S stride, lo and hi the padding on either side, all in pixels; dilation 1 is dense (the notes' 0, fact F10).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeVar, cast

from .errors import LayerError, ShapeError, unknown

Shape = tuple[int, ...]
Padding = int | str | tuple["int | tuple[int, int]", ...]
Rounding = Literal["floor", "ceil", "exact"]
ROUNDINGS = ("floor", "ceil", "exact")
T = TypeVar("T")


class Window(NamedTuple):
    """A window sliding over every spatial axis, with its padding worked out: one entry an axis, hashable, for static arguments.

    `overhang` is what "ceil" rounding adds beyond the padding's far side for the last window to fit; `unused` is what "floor"
    leaves over there: padding first, then input pixels that no window sees.
    """

    in_sizes: Shape
    size: Shape
    stride: Shape
    dilation: Shape
    padding: tuple[tuple[int, int], ...]
    overhang: Shape
    out_sizes: Shape

    @property
    def rank(self) -> int:
        return len(self.size)

    def along(self, axes: slice) -> Window:
        """The window along some of its axes alone."""
        return Window(*cast("tuple[Any, ...]", tuple(field[axes] for field in self)))

    @property
    def extent(self) -> Shape:
        """What one window spans: dilation*(F - 1) + 1 pixels an axis."""
        return tuple(d * (f - 1) + 1 for f, d in zip(self.size, self.dilation, strict=True))

    @property
    def pads(self) -> tuple[tuple[int, int], ...]:
        """Padding with the overhang: what makes floor rounding give `out_sizes`."""
        return tuple((lo, hi + more) for (lo, hi), more in zip(self.padding, self.overhang, strict=True))

    @property
    def unused(self) -> Shape:
        """Padded positions at the far side that no window reaches, an axis; zero where the notes' rule holds exactly."""
        return tuple(
            (w + lo + hi - extent) % s for w, (lo, hi), extent, s in zip(self.in_sizes, self.pads, self.extent, self.stride, strict=True)
        )

    @property
    def dropped(self) -> Shape:
        """Input pixels at the far side that no window reaches, an axis."""
        return tuple(max(0, u - hi) for u, (_, hi) in zip(self.unused, self.padding, strict=True))


def window(
    in_sizes: Shape,
    size: int | Shape,
    *,
    stride: int | Shape = 1,
    padding: Padding = 0,
    dilation: int | Shape = 1,
    rounding: str = "floor",
) -> Window:
    """Work a window's settings out over the sizes it slides over.

    An int serves every axis, a tuple gives one value an axis. `padding` is an int, "VALID", "SAME" (XLA's: ceil(W / S) outputs, the
    odd pixel at the far side), or one entry an axis, each an int or a pair (lo, hi). `rounding` of a size that is no integer:
    "floor" drops the rest, "ceil" pads for one window more (Caffe's and Torch's rule: unless that one would begin beyond the image
    and its near padding, fact C2a), "exact" raises. Raises ShapeError when a window does not fit its padded input, ValueError for
    a setting no input could make right.
    """
    rank = len(in_sizes)
    if not 1 <= rank <= 3:
        raise ShapeError(f"the sizes {in_sizes} have {rank} spatial axes, 1 to 3 were expected: (batch, *sizes, channels) is the layout")
    if rounding not in ROUNDINGS:
        raise ValueError(unknown("rounding", rounding, ROUNDINGS))
    sizes, strides, dilations = _settings(rank, size, stride, dilation, padding)
    pads = _pads(padding, in_sizes, sizes, strides, dilations)
    each = [_axis(*a, rounding) for a in zip(in_sizes, sizes, strides, pads, dilations, strict=True)]
    return Window(tuple(in_sizes), sizes, strides, dilations, pads, tuple(over for _, over in each), tuple(out for out, _ in each))


def pool_window(in_sizes: Shape, size: int | Shape, stride: int | Shape | None, padding: Padding, rounding: str) -> Window:
    """The window of a pool: its stride is its size by default. Raises ShapeError also for a window that could lie in the padding alone."""
    w = window(in_sizes, size, stride=size if stride is None else stride, padding=padding, rounding=rounding)
    if any(max(pad) >= f for pad, f in zip(w.padding, w.size, strict=True)):
        raise ShapeError(f"padding {w.padding} is as wide as the window {w.size}, so a window could see no input; use less padding")
    return w


def pointwise(sizes: Shape) -> Window:
    """The window that sees one position: of a layer whose every output is made of the input there. Any number of axes."""
    ones, none = (1,) * len(sizes), (0,) * len(sizes)
    return Window(tuple(sizes), ones, ones, ones, ((0, 0),) * len(sizes), none, tuple(sizes))


def _axis(w: int, f: int, s: int, pad: tuple[int, int], d: int, rounding: str) -> tuple[int, int]:
    """One axis: (out, overhang)."""
    lo, hi = pad
    span = w + lo + hi - d * (f - 1) - 1
    if span < 0:
        short = -span
        dilated = f" dilated by {d} to {d * (f - 1) + 1}" if d > 1 else ""
        raise ShapeError(
            f"a {f}-wide window{dilated} does not fit {w} pixels padded by ({lo}, {hi}); "
            f"use padding=({lo + (short + 1) // 2}, {hi + short // 2}) or more, or a smaller window"
        )
    if rounding == "exact" and span % s:
        fits = span - span % s
        raise ShapeError(
            f"(W - F + pad)/S + 1 = ({w} - {d * (f - 1) + 1} + {lo + hi})/{s} + 1 = {span / s + 1:g} is not an integer; "
            f'sizes that fit are {w - span + fits} and {w - span + fits + s}, or use rounding="floor" or "ceil"'
        )
    out = span // s + 1
    if rounding == "ceil" and span % s and out * s < w + lo:
        out += 1
    return out, max(0, (out - 1) * s - span)


def _pads(padding: Padding, in_sizes: Shape, sizes: Shape, strides: Shape, dilations: Shape) -> tuple[tuple[int, int], ...]:
    rank = len(in_sizes)
    if padding == "VALID":
        return ((0, 0),) * rank
    if isinstance(padding, str):  # "SAME": check_settings lets no other word by
        axes = zip(in_sizes, sizes, strides, dilations, strict=True)
        totals = [max((-(-w // s) - 1) * s + d * (f - 1) + 1 - w, 0) for w, f, s, d in axes]
        return tuple((t // 2, t - t // 2) for t in totals)
    entries = (padding,) * rank if isinstance(padding, int) else _checked_length(padding, rank, "padding")
    return tuple((p, p) if isinstance(p, int) else _pair(p) for p in entries)


def _pair(p: Sequence[int]) -> tuple[int, int]:
    if len(p) != 2:
        raise ShapeError(f"padding {p} on one axis, an int or a pair (lo, hi) was expected")
    return p[0], p[1]


def _settings(rank: int, size: int | Shape, stride: int | Shape, dilation: int | Shape, padding: Padding) -> tuple[Shape, Shape, Shape]:
    """Window, stride and dilation, one value an axis. Raises ShapeError for their number, ValueError for what no input could make right."""
    check_settings("window", size=size, stride=stride, dilation=dilation, padding=padding)
    return per_axis(size, rank, "window"), per_axis(stride, rank, "stride"), per_axis(dilation, rank, "dilation")


def per_axis(value: int | Sequence[int], rank: int, what: str) -> Shape:
    """An int for every axis, or the tuple given, checked to have one entry an axis. Raises ShapeError."""
    return (value,) * rank if isinstance(value, int) else _checked_length(value, rank, what)


def _checked_length(value: Sequence[T], rank: int, what: str) -> tuple[T, ...]:
    if len(value) != rank:
        raise ShapeError(
            f"{what}={tuple(value)} has {len(value)} entries but the input has {rank} spatial axes; give {rank}, or one int for all"
        )
    return tuple(value)


def check_settings(kind: str, **settings) -> None:
    """Refuse window settings that no input could make right: counts below 1, negative padding, unknown words. Raises ValueError."""
    for what, value in settings.items():
        if what == "rounding":
            if value not in ROUNDINGS:
                raise ValueError(f"{kind}: {unknown('rounding', value, ROUNDINGS)}")
        elif what == "padding":
            if isinstance(value, str) and value not in ("SAME", "VALID"):
                raise ValueError(f"{kind}: {unknown('padding', value, ('SAME', 'VALID'), 'an int, or one int or (lo, hi) pair an axis')}")
            if not isinstance(value, str) and any(p < 0 for p in _flat(value)):
                raise ValueError(f"{kind}: padding={value} is negative; crop the input instead")
        elif value is not None and any(not isinstance(v, int) or v < 1 for v in _flat(value)):
            raise ValueError(f"{kind}: {what}={value!r}, whole numbers of at least 1 were expected")


def _flat(value) -> list[int]:
    return [leaf for v in value for leaf in _flat(v)] if isinstance(value, tuple | list) else [value]


def transposed_sizes(in_sizes: Shape, size: int | Shape, *, stride: int | Shape, padding: Padding, dilation: int | Shape) -> Shape:
    """The sizes a transposed convolution gives: the smallest whose convolution by the same settings gives `in_sizes` back.

    out = (W - 1)*S + dilation*(F - 1) + 1 - lo - hi, and W*S for "SAME".
    """
    rank = len(in_sizes)
    sizes, strides, dilations = _settings(rank, size, stride, dilation, padding)
    if padding == "SAME":
        return tuple(w * s for w, s in zip(in_sizes, strides, strict=True))
    pads = _pads(padding, in_sizes, sizes, strides, dilations)
    out = tuple((w - 1) * s + d * (f - 1) + 1 - sum(p) for w, s, d, f, p in zip(in_sizes, strides, dilations, sizes, pads, strict=True))
    if min(out) < 1:
        raise ShapeError(f"a transposed {sizes} window, stride {strides}, padding {pads} gives {out}; use less padding")
    return out


class ReceptiveField(NamedTuple):
    """What one output position sees of the input along one axis, in input pixels.

    `size` is the width of the field, `jump` the distance between the fields of neighbouring outputs, `start` where the first
    field begins (negative inside the padding).
    """

    size: int = 1
    jump: int = 1
    start: int = 0

    def through(self, size: int, stride: int = 1, dilation: int = 1, lo: int = 0) -> ReceptiveField:
        """The field after one more window: size + dilation*(F - 1)*jump, jump*S, start - lo*jump."""
        return ReceptiveField(self.size + dilation * (size - 1) * self.jump, self.jump * stride, self.start - lo * self.jump)


def union(*fields: ReceptiveField) -> ReceptiveField:
    """What several fields see together, as where branches meet. Raises LayerError when their jumps differ."""
    jumps = {field.jump for field in fields}
    if len(jumps) > 1:
        raise LayerError(f"branches of jumps {sorted(jumps)} meet, so no one field is right; give them the same total stride")
    start = min(field.start for field in fields)
    return ReceptiveField(max(field.start + field.size for field in fields) - start, jumps.pop(), start)


def same_padding(size: int, dilation: int = 1) -> int:
    """The padding a side that keeps the size at stride 1: dilation*(F - 1)/2 (fact S20). Raises ShapeError for an even extent."""
    total = dilation * (size - 1)
    if total % 2:
        raise ShapeError(
            f'a {size}-wide window has no whole-numbered symmetric padding (F - 1)/2 = {total / 2:g}; use an odd window or padding="SAME"'
        )
    return total // 2


def volume(shape: Shape) -> int:
    """How many values a shape holds."""
    return math.prod(shape)
