"""The CS231n notes' rules for sizes (Layer Sizing Patterns), and that windows fit exactly (Spatial
arrangement), as advice for any net.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..compose import Visit, walk
from ..geometry import Shape, Window, volume
from ..layer import Layer
from ..layers import AvgPool, Conv, Local, LpPool, MaxPool, Subsampling
from .example import example_shape
from .field import fields
from .fitting import arithmetic, changes, inexact, nearest, sizes_that_fit

WIDEST = 5  # a convolution's window beyond the first layer
POOLS = ((2, 2), (3, 2))  # window and stride of the two poolings in use
# bytes an image before the first shrinking; the CS231n notes' example takes 73.5 MiB
FIRST_MEMORY = 64 * 2**20


class Finding(NamedTuple):
    """One piece of advice: where, by which rule of the CS231n notes, why with
    the arithmetic, and what to do.
    """

    path: str
    rule: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}; {self.fix} (CS231n notes: {self.rule})"


def lint(net: Layer, in_shape: Shape) -> tuple[Finding, ...]:
    """What the CS231n notes would change about a net for one example of `in_shape`; none of it
    keeps the net from working.

    "input size": the input's sizes are divisible by 2 as often as the net halves them. "window":
    convolutions are 3 wide, 5 at most, but for the first; "padding": theirs is (F - 1)/2. "pool":
    pools are 2x2 or 3x3 with stride 2. "stride": only pools shrink. "memory": a first convolution
    with a stride is a compromise for memory. "exact fit": windows fit exactly, so that no border is
    dropped. A window over the whole input is a dense layer or a global pool, and passes. Raises
    ShapeError for a net that does not fit.
    """
    in_shape = example_shape(net, in_shape)
    visits = list(walk(net, in_shape))
    first = next((v.path for v in visits if isinstance(v.layer, Conv | Local)), None)
    found = [*_input(_strides(net, visits, in_shape), in_shape), *_memory(visits, in_shape)]
    for v in visits:
        w = v.layer.over(v.in_shape)
        if w is None or w.out_sizes == (1,) * w.rank:
            continue
        if isinstance(v.layer, Conv | Local):
            found += [
                *_kernel(v, w, v.path == first),
                *_stride(v, w, v.path == first),
                *_padding(v, w),
                *_exact(v, w),
            ]
        elif isinstance(v.layer, MaxPool | AvgPool | LpPool | Subsampling):
            found += [*_pool(v, w), *_exact(v, w)]
    return tuple(found)


def _input(strides: Shape, in_shape: Shape) -> Iterator[Finding]:
    for size, stride in zip(in_shape[:-1], strides, strict=True):
        halvings, has = _twos(stride), _twos(size)
        if has < halvings:
            near = max(1, round(size / 2**halvings)) * 2**halvings
            message = (
                f"{_factored(size)} can be halved {has} times, and the net, of stride {stride}, "
                f"halves {halvings} times"
            )
            yield Finding("input", "input size", message, f"use {_factored(near)}")
            return


def _strides(net: Layer, visits: Sequence[Visit], in_shape: Shape) -> Shape:
    """How many input pixels lie between neighbours of the net's last map, per axis; 1 where that is
    not known.
    """
    strides = (1,) * (len(in_shape) - 1)
    for visit, seen in zip(visits, fields(net, in_shape), strict=True):
        jumps = tuple(axis.jump for axis in seen.axes)
        if (
            len(visit.out_shape) == len(in_shape)
            and max(visit.out_shape[:-1], default=1) > 1
            and jumps
            and all(jumps)
        ):
            strides = jumps
    return strides


def _memory(visits: Sequence[Visit], in_shape: Shape) -> Iterator[Finding]:
    large = []
    for v in visits:
        if v.out_shape[:-1] != in_shape[:-1]:
            break
        large += [] if v.layer.in_place else [volume(v.out_shape)]
    size = 2 * 4 * sum(large)  # activations and their gradients
    if size > FIRST_MEMORY:
        message = f"{len(large)} layers before anything shrinks hold {sum(large):,} values"
        message += f", with gradients {size:,} B = {size / 2**20:.1f} MiB an image"
        yield Finding(
            visits[0].path,
            "memory",
            message,
            "use a first convolution of 7x7 with stride 2 or 11x11 with stride 4",
        )


def _kernel(v: Visit, w: Window, first: bool) -> Iterator[Finding]:
    if not first and volume(w.size) > WIDEST**w.rank:
        count = math.ceil((max(w.extent) - 1) / 2)
        features, groups = v.out_shape[-1], getattr(v.layer, "groups", 1)
        here = volume(w.size) * v.in_shape[-1] * features // groups
        stacked = 3**w.rank * (v.in_shape[-1] + (count - 1) * features) * features // groups
        message = (
            f"a {_times(w.size)} window beyond the first layer has {here:,} weights; {count} of "
            f"{_times((3,) * w.rank)}"
        )
        message += f" see {2 * count + 1} pixels with {stacked:,}"
        yield Finding(
            v.path, "window", message, f"use {count} convolutions of 3, each with its activation"
        )


def _stride(v: Visit, w: Window, first: bool) -> Iterator[Finding]:
    if max(w.stride) == 1:
        return
    shapes = f"stride {_one(w.stride)} takes {_times(w.in_sizes)} to {_times(w.out_sizes)}"
    if first:
        whole, here = volume(w.in_sizes) * v.out_shape[-1], volume(v.out_shape)
        message = (
            f"{shapes} at once, {here:,} values where stride 1 has {whole:,}: a compromise for "
            "memory"
        )
        yield Finding(v.path, "memory", message, "keep it where memory is short, else use stride=1")
    else:
        yield Finding(
            v.path,
            "stride",
            f"{shapes}, which the CS231n notes leave to pools",
            "use stride=1, and MaxPool(2) after it",
        )


def _padding(v: Visit, w: Window) -> Iterator[Finding]:
    if max(w.stride) == 1 and w.out_sizes != w.in_sizes:
        odd = all(e % 2 for e in w.extent)
        padding = _one([(e - 1) // 2 if odd else (e - 1) / 2 for e in w.extent])
        message = (
            f"{_times(w.in_sizes)} becomes {_times(w.out_sizes)}; P = (F - 1)/2 = {padding} keeps "
            "the size and the border"
        )
        yield Finding(
            v.path, "padding", message, f"use padding={padding}" if odd else "use an odd window"
        )


def _pool(v: Visit, w: Window) -> Iterator[Finding]:
    if all(pair in POOLS for pair in zip(w.size, w.stride, strict=True)):
        return
    if max(w.size) > 3:
        why = f"keeps one value of {volume(w.size)} and is too lossy"
    elif max(w.stride) == 1:
        why = "shrinks nothing"
    else:
        gaps = volume(w.size) < volume(w.stride)
        why = (
            f"sees {volume(w.size)} of every {volume(w.stride)} values"
            if gaps
            else "is neither of the two in use"
        )
    message = f"a {_times(w.size)} pool of stride {_one(w.stride)} {why}"
    yield Finding(v.path, "pool", message, "use a window of 2 with stride 2, or of 3 with stride 2")


def _exact(v: Visit, w: Window) -> Iterator[Finding]:
    down = inexact(v.layer, v.in_shape)
    if down is None:
        return
    if any(w.overhang):
        what = f"rounded up, the last window reaches {max(w.overhang)} px beyond the border"
    elif any(down.dropped):
        what = f"rounded down, no window sees {max(down.dropped)} px at the far border"
    else:
        what = f"rounded down, no window sees {max(down.unused)} px of the padding"
    fits = [changes(v.layer, near) for near in nearest(v.layer, v.in_shape)]
    inputs = "inputs of {} or {}".format(*sizes_that_fit(down))
    yield Finding(
        v.path,
        "exact fit",
        f"{arithmetic(down)} is not an integer: {what}",
        f"what fits: {'; '.join([*fits, inputs])}",
    )


def _twos(n: int) -> int:
    """How often n can be halved."""
    return (n & -n).bit_length() - 1


def _factored(n: int) -> str:
    return f"{n} = {n >> _twos(n)}*2^{_twos(n)}"


def _times(sizes: Sequence) -> str:
    return "x".join(map(str, sizes))


def _one(sizes: Sequence) -> str:
    """One number for all axes if it is the same, else (1, 2)."""
    return str(sizes[0]) if len(set(sizes)) == 1 else f"({', '.join(map(str, sizes))})"
