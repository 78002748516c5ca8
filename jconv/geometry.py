"""Integer arithmetic of windows: padding, output size, receptive field. No arrays.

    out = (W + lo + hi - dilation*(F - 1) - 1) / S + 1

W input size, F window, S stride, lo and hi the padding on either side, all in pixels; dilation 1 is
dense (the CS231n notes count from 0).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeVar, cast

import numpy as np

from .errors import LayerError, ShapeError, unknown

Shape = tuple[int, ...]
Padding = int | str | tuple["int | tuple[int, int]", ...]
Rounding = Literal["floor", "ceil", "exact"]
ROUNDINGS = ("floor", "ceil", "exact")
WORDS = ("SAME", "VALID")  # for a padding
T = TypeVar("T")


def as_shape(given: Any, what: str = "in_shape") -> Shape:
    """A shape as a tuple of ints, from a tuple or list of whole numbers (Python's, NumPy's, jax's
    symbols). Raises ShapeError.
    """
    if type(given) is tuple and all(type(n) is int and n > 0 for n in given):
        return given
    example = (
        "one example's shape was expected, such as (28, 28, 1) for an image of 28x28 gray pixels"
    )
    if hasattr(given, "shape") and getattr(given, "ndim", 0) != 1:
        raise ShapeError(
            f"{what} is an array of shape {tuple(cast(Any, given).shape)}; {example}: give "
            "x.shape[1:] of a batch x"
        )
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        one = f": ({given},) if that is the number of features" if isinstance(given, int) else ""
        raise ShapeError(f"{what} is {given!r:.60}; {example}{one}")
    sizes = tuple(_size(n) for n in given)
    if None in sizes:
        raise ShapeError(
            f"{what} is {tuple(given)!r:.60}; {example}, every entry a whole number of at least 1, "
            "without the batch"
        )
    return cast(Shape, sizes)


def _size(n: Any) -> Any:
    """An entry of a shape as an int, or a symbol as it is; None for what is neither."""
    if isinstance(n, (bool, np.bool_)):
        return None
    if isinstance(n, (int, np.integer)):
        return int(n) if n > 0 else None
    from jax.export import is_symbolic_dim  # not needed otherwise, and slow to import

    return n if is_symbolic_dim(n) else None


MODES = ("zeros", "reflect", "replicate", "circular")  # what padding holds


class Window(NamedTuple):
    """A window sliding over every spatial axis, with its padding worked out: one entry per axis,
    hashable, for static arguments.

    `overhang` is what "ceil" rounding adds beyond the padding's far side for the last window to
    fit; `unused` is what "floor" leaves over there: padding first, then input pixels that no window
    sees.
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
        """What one window spans: dilation*(F - 1) + 1 pixels per axis."""
        return tuple(d * (f - 1) + 1 for f, d in zip(self.size, self.dilation, strict=True))

    @property
    def pads(self) -> tuple[tuple[int, int], ...]:
        """Padding with the overhang: what makes floor rounding give `out_sizes`."""
        return tuple(
            (lo, hi + more) for (lo, hi), more in zip(self.padding, self.overhang, strict=True)
        )

    @property
    def unused(self) -> Shape:
        """Padded positions at the far side that no window reaches, per axis; zero where the
        CS231n notes' rule holds exactly.
        """
        return tuple(
            (w + lo + hi - extent) % s
            for w, (lo, hi), extent, s in zip(
                self.in_sizes, self.pads, self.extent, self.stride, strict=True
            )
        )

    @property
    def dropped(self) -> Shape:
        """Input pixels at the far side that no window reaches, per axis."""
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

    An int serves every axis, a tuple gives one value per axis. `padding` is an int, "VALID", "SAME"
    (XLA's: ceil(W / S) outputs, the odd pixel at the far side), or one entry per axis, each an int
    or a pair (lo, hi). `rounding` of a size that is no integer: "floor" drops the rest, "ceil" pads
    for one window more (Caffe's and Torch's rule: unless that one would begin beyond the image and
    its near padding), "exact" raises. Raises ShapeError when a window does not fit its padded
    input, ValueError for a setting no input could make right.
    """
    rank = len(in_sizes)
    if not 1 <= rank <= 3:
        raise ShapeError(
            f"the sizes {in_sizes} have {rank} spatial axes, 1 to 3 were expected: (batch, *sizes, "
            "channels) is the layout"
        )
    if rounding not in ROUNDINGS:
        raise ValueError(unknown("rounding", rounding, ROUNDINGS))
    sizes, strides, dilations = _settings(rank, size, stride, dilation, padding)
    pads = _pads(padding, in_sizes, sizes, strides, dilations)
    each = [
        _axis(*a, rounding) for a in zip(in_sizes, sizes, strides, pads, dilations, strict=True)
    ]
    return Window(
        tuple(in_sizes),
        sizes,
        strides,
        dilations,
        pads,
        tuple(over for _, over in each),
        tuple(out for out, _ in each),
    )


def pool_window(
    in_sizes: Shape,
    size: int | Shape,
    stride: int | Shape | None,
    padding: Padding,
    rounding: str,
    dilation: int | Shape = 1,
) -> Window:
    """The window of a pool: its stride is its size by default. Raises ShapeError also for a window
    that could lie in the padding alone.
    """
    w = window(
        in_sizes,
        size,
        stride=size if stride is None else stride,
        padding=padding,
        dilation=dilation,
        rounding=rounding,
    )
    if any(max(pad) >= f for pad, f in zip(w.padding, w.size, strict=True)):
        raise ShapeError(
            f"padding {w.padding} is as wide as the window {w.size}, so a window could see no "
            "input; use less padding"
        )
    if any(d > 1 for d in w.dilation) and any(not seen.any(axis=1).all() for seen in inside(w)):
        raise ShapeError(
            f"a window of {w.size} dilated by {w.dilation} steps over an input of {in_sizes}; use "
            "less dilation or padding"
        )
    return w


def inside(w: Window, *, padding: bool = False) -> list[np.ndarray]:
    """For each axis, which taps of each window lie in the input, or with `padding` in the input and
    its padding. (out, F) bool per axis
    """
    found = []
    if not all(isinstance(n, int) for n in w.in_sizes):
        raise ShapeError(
            f"which windows reach over the border is not known of {w.in_sizes}, sizes that are "
            "symbols; pad nothing"
        )
    for n, (lo, hi), f, s, d, out in zip(
        w.in_sizes, w.padding, w.size, w.stride, w.dilation, w.out_sizes, strict=True
    ):
        position = np.arange(out)[:, None] * s - lo + np.arange(f) * d
        begin, end = (-lo, n + hi) if padding else (0, n)
        found.append((begin <= position) & (position < end))
    return found


def pointwise(sizes: Shape) -> Window:
    """The window that sees one position: of a layer whose every output is made of the input there.
    Any number of axes.
    """
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
            f"(W - F + pad)/S + 1 = ({w} - {d * (f - 1) + 1} + {lo + hi})/{s} + 1 = "
            f"{span / s + 1:g} is not an integer; "
            f"sizes that fit are {w - span + fits} and {w - span + fits + s}, or use "
            'rounding="floor" or "ceil"'
        )
    out = span // s + 1
    if rounding == "ceil" and span % s and out * s < w + lo:
        out += 1
    return out, max(0, (out - 1) * s - span)


def _pads(
    padding: Padding, in_sizes: Shape, sizes: Shape, strides: Shape, dilations: Shape
) -> tuple[tuple[int, int], ...]:
    rank = len(in_sizes)
    if padding == "VALID":
        return ((0, 0),) * rank
    if isinstance(padding, str):  # "SAME": check_settings lets no other word by
        axes = zip(in_sizes, sizes, strides, dilations, strict=True)
        totals = [max((-(-w // s) - 1) * s + d * (f - 1) + 1 - w, 0) for w, f, s, d in axes]
        return tuple((t // 2, t - t // 2) for t in totals)
    entries = (
        (padding,) * rank if isinstance(padding, int) else _checked_length(padding, rank, "padding")
    )
    return tuple((p, p) if isinstance(p, int) else _pair(p) for p in entries)


def _pair(p: Sequence[int]) -> tuple[int, int]:
    if len(p) != 2:
        raise ShapeError(f"padding {p} on one axis, an int or a pair (lo, hi) was expected")
    return p[0], p[1]


def _settings(
    rank: int, size: int | Shape, stride: int | Shape, dilation: int | Shape, padding: Padding
) -> tuple[Shape, Shape, Shape]:
    """Window, stride and dilation, one value per axis. Raises ShapeError for their number,
    ValueError for what no input could make right.
    """
    check_settings("window", size=size, stride=stride, dilation=dilation, padding=padding)
    return (
        per_axis(size, rank, "window"),
        per_axis(stride, rank, "stride"),
        per_axis(dilation, rank, "dilation"),
    )


def per_axis(value: int | Sequence[int], rank: int, what: str) -> Shape:
    """An int for every axis, or the tuple given, checked to have one entry per axis. Raises
    ShapeError.
    """
    return (value,) * rank if isinstance(value, int) else _checked_length(value, rank, what)


def _checked_length(value: Sequence[T], rank: int, what: str) -> tuple[T, ...]:
    if len(value) != rank:
        raise ShapeError(
            f"{what}={tuple(value)} has {len(value)} entries but the input has {rank} spatial "
            f"axes; give {rank}, or one int for all"
        )
    return tuple(value)


def check_settings(kind: str, **settings) -> None:
    """Refuse window settings that no input could make right: counts below 1, negative padding,
    unknown words. Raises ValueError.
    """
    for what, value in settings.items():
        if what == "padding_mode":
            if value not in MODES:
                raise ValueError(f"{kind}: {unknown('padding_mode', value, MODES)}")
        elif what == "rounding":
            if value not in ROUNDINGS:
                raise ValueError(f"{kind}: {unknown('rounding', value, ROUNDINGS)}")
        elif what == "padding":
            _check_padding(kind, value)
        elif not all(_is_whole(v) and v > 0 for v in _flat(value)):
            raise ValueError(
                f"{kind}: {what}={value!r}, whole numbers of at least 1 were "
                f"expected{_whole_hint(value)}"
            )


def _check_padding(kind: str, value: Any) -> None:
    expected = "a whole number, or per axis a whole number or a pair (lo, hi)"
    if isinstance(value, str) and value not in WORDS:
        meant = f"; did you mean {value.upper()!r}?" if value.upper() in WORDS else ""
        raise ValueError(f"{kind}: {unknown('padding', value, WORDS, expected)}{meant}")
    if isinstance(value, str):
        return
    if not all(map(_is_whole, _flat(value))):
        raise ValueError(
            f"{kind}: padding={value!r}, 'SAME', 'VALID', {expected} was "
            f"expected{_whole_hint(value)}"
        )
    if any(p < 0 for p in _flat(value)):
        raise ValueError(f"{kind}: padding={value} is negative; crop the input instead")


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _whole_hint(value: Any) -> str:
    if any(isinstance(v, float) and v.is_integer() for v in _flat(value)):
        return "; Python's / makes a fraction of whole numbers too: write // instead"
    return ""


def _flat(value) -> list[Any]:
    return (
        [leaf for v in value for leaf in _flat(v)] if isinstance(value, tuple | list) else [value]
    )


def transposed_sizes(
    in_sizes: Shape,
    size: int | Shape,
    *,
    stride: int | Shape,
    padding: Padding,
    dilation: int | Shape,
) -> Shape:
    """The sizes a transposed convolution gives: the smallest whose convolution by the same settings
    gives `in_sizes` back.

    out = (W - 1)*S + dilation*(F - 1) + 1 - lo - hi, and W*S for "SAME".
    """
    rank = len(in_sizes)
    sizes, strides, dilations = _settings(rank, size, stride, dilation, padding)
    if padding == "SAME":
        return tuple(w * s for w, s in zip(in_sizes, strides, strict=True))
    pads = _pads(padding, in_sizes, sizes, strides, dilations)
    out = tuple(
        (w - 1) * s + d * (f - 1) + 1 - sum(p)
        for w, s, d, f, p in zip(in_sizes, strides, dilations, sizes, pads, strict=True)
    )
    if any(isinstance(n, int) and n < 1 for n in out):
        raise ShapeError(
            f"a transposed {sizes} window, stride {strides}, padding {pads} gives {out}; use less "
            "padding"
        )
    return out


class ReceptiveField(NamedTuple):
    """What one output position sees of the input along one axis, in input pixels.

    `size` is the width of the field, `jump` the distance between the fields of neighbouring
    outputs, `start` where the first field begins (negative inside the padding).
    """

    size: int = 1
    jump: int = 1
    start: int = 0

    def through(self, size: int, stride: int = 1, dilation: int = 1, lo: int = 0) -> ReceptiveField:
        """The field after one more window: size + dilation*(F - 1)*jump, jump*S, start -
        lo*jump.
        """
        return ReceptiveField(
            self.size + dilation * (size - 1) * self.jump,
            self.jump * stride,
            self.start - lo * self.jump,
        )


def union(*fields: ReceptiveField) -> ReceptiveField:
    """What several fields see together, as where branches meet. Raises LayerError when their jumps
    differ.
    """
    jumps = {field.jump for field in fields}
    if len(jumps) > 1:
        raise LayerError(
            f"branches of jumps {sorted(jumps)} meet, so no one field is right; give them the same "
            "total stride"
        )
    start = min(field.start for field in fields)
    return ReceptiveField(
        max(field.start + field.size for field in fields) - start, jumps.pop(), start
    )


def same_padding(size: int, dilation: int = 1) -> int:
    """The padding a side that keeps the size at stride 1: dilation*(F - 1)/2. Raises ShapeError for
    an even extent.

    Source: CS231n notes, Use of zero-padding.
    """
    total = dilation * (size - 1)
    if total % 2:
        raise ShapeError(
            f"a {size}-wide window has no whole-numbered symmetric padding (F - 1)/2 = "
            f'{total / 2:g}; use an odd window or padding="SAME"'
        )
    return total // 2


def volume(shape: Shape) -> int:
    """How many values a shape holds."""
    return math.prod(shape)
