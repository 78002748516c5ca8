"""Convolution of one input channel a group, as shifted copies times a number a channel: methods
"shift" and "chunked".

Shapes as in direct.py.

    y[n, p, c] = sum over f of x[n, p*S + f*dilation - lo, c] * k[f, 0, c]

"shift" is this sum over whole arrays. "chunked" differs in the gradients. That of the kernel goes
through blocks of rows of a few images, which stay in cache: each tap sums its products over the
outputs whose input lies in the image, read where they lie, so that x is neither padded nor copied.
It reads the copy of y that is padded for the input gradient too: XLA makes one for both, and inside
a scan nothing reads y itself any more when the next y is ready, which then takes its place without
a copy. Sums are float32 at least.
"""

from __future__ import annotations

import itertools

import jax.numpy as jnp
from jax import lax

from ...geometry import Shape, Window, volume
from ..outlining import outlined
from ..shapes import Geometry
from ..views import offsets, views
from ..widening import wide, wide_dtype

IMAGES = 4  # of the kernel gradient at a time, at most
ROWS = (7, 8, 10, 6, 5)  # of them at a time, the best first
# of a sum of shifted copies: one would wait for its own last addition. 64x28x28x1 by 5x5 to 32:
# 1.37 ms with one, 0.87
TOTALS = 4


def serves(k: Shape, geometry: Geometry) -> str:
    """Why it cannot, or ""."""
    return "" if k[-2] == 1 and geometry.window.rank else "one input channel a group"


def shift_forward(x, k, *, geometry: Geometry, precision):
    return _forward(x, k, geometry.window)


def shift_input_gradient(y, k, *, geometry: Geometry, precision):
    return _from_spread(_spread(y, geometry.window), k, geometry=geometry)


def shift_kernel_gradient(x, y, *, geometry: Geometry, precision):
    x = _repeat(x, y.shape[-1])
    k = jnp.stack([(v * y).sum(axis=tuple(range(y.ndim - 1))) for v in views(x, geometry.window)])
    return k.reshape(*geometry.window.size, 1, y.shape[-1])


chunked_forward = shift_forward


def chunked_input_gradient(y, k, *, geometry: Geometry, precision):
    return _from_spread_outlined(_spread(y, geometry.window), k, geometry=geometry)


def chunked_kernel_gradient(x, y, *, geometry: Geometry, precision):
    if not y.shape[0]:  # no image to read
        return shift_kernel_gradient(x, y, geometry=geometry, precision=precision)
    w = geometry.window
    before, after, between = zip(*_spreading(w), strict=True)
    if any(between) or min(before + after) < 0:  # y cut, or with zeros inside, is no use here
        return _in_blocks_outlined(x, y, window=w, at=(0,) * w.rank)
    return _in_blocks_outlined(x, _spread(y, w), window=w, at=before)


def _in_blocks(x, y, *, window: Window, at: Shape):
    """The kernel gradient; y may have zeros around it, `at` of them before it, per axis."""
    w, at_once, x = window, _at_once(y.shape[0]), _repeat(x, y.shape[-1])
    (out, *_), (s, *_), (d, *_), (h, *_), ((lo, _), *_) = (
        w.out_sizes,
        w.stride,
        w.dilation,
        w.in_sizes,
        w.pads,
    )
    rows, across, all_across = _rows(out), w.along(slice(1, None)), (0,) * (w.rank - 1)
    blocks, widths, seen = -(-out // rows), w.out_sizes[1:], _seen(across)

    def add(t, totals):
        image, first = t // blocks * at_once, t % blocks * rows
        # the last block overlaps the one before it where rows do not divide
        start = jnp.minimum(first, out - rows)

        def row_of_x(f):
            """A row, `f` below the block's first; zeros above and below the image."""
            row = start * s + f - lo
            a = lax.dynamic_slice(
                x, (image, jnp.clip(row, 0, h - 1), *all_across, 0), (at_once, 1, *x.shape[2:])
            )
            a = wide(a[:, 0])
            return (
                a
                if 0 <= f - lo and (out - rows) * s + f - lo < h
                else jnp.where((row >= 0) & (row < h), a, 0)
            )

        def row_of_y(r):
            a = lax.dynamic_slice(
                y, (image, start + r + at[0], *at[1:], 0), (at_once, 1, *widths, y.shape[-1])
            )
            a = wide(a[:, 0])
            return a if out % rows == 0 else jnp.where(start + r >= first, a, 0)

        xs = {
            f: row_of_x(f) for f in {r * s + f * d for r in range(rows) for f in range(w.size[0])}
        }
        ys = [row_of_y(r) for r in range(rows)]
        products = [
            sum(xs[r * s + f * d][:, *inputs] * ys[r][:, *outputs] for r in range(rows))
            for f, (inputs, outputs) in itertools.product(range(w.size[0]), seen)
        ]
        return [total + more for total, more in zip(totals, products, strict=True)]

    shapes = [
        tuple(o.stop - o.start for o in outputs) for _ in range(w.size[0]) for _, outputs in seen
    ]
    zeros = [jnp.zeros((at_once, *shape, y.shape[-1]), wide_dtype(y.dtype)) for shape in shapes]
    totals = lax.fori_loop(0, y.shape[0] // at_once * blocks, add, zeros)
    k = jnp.stack([total.sum(axis=tuple(range(total.ndim - 1))) for total in totals])
    return k.astype(y.dtype).reshape(*w.size, 1, y.shape[-1])


_in_blocks_outlined = outlined(_in_blocks, static=("window", "at"))


def _seen(w: Window) -> list[tuple[list[slice], list[slice]]]:
    """For each tap the inputs that it sees, and the outputs that see them: a slice of each an
    axis.
    """
    each = ([_seen_along(w, axis, f) for axis, f in enumerate(tap)] for tap in offsets(w))
    return [([inputs for inputs, _ in tap], [outputs for _, outputs in tap]) for tap in each]


def _seen_along(w: Window, axis: int, f: int) -> tuple[slice, slice]:
    """Tap f of an axis: output p sees input p*S + f*dilation - lo, if the image has it."""
    offset, s = f * w.dilation[axis] - w.pads[axis][0], w.stride[axis]
    first = max(0, -(offset // s))
    number = max(0, min(w.out_sizes[axis], -((offset - w.in_sizes[axis]) // s)) - first)
    begin = first * s + offset if number else 0
    return slice(begin, begin + max(0, (number - 1) * s + 1), s), slice(first, first + number)


def _at_once(images: int) -> int:
    return max(i for i in range(1, IMAGES + 1) if images % i == 0)


def _rows(out: int) -> int:
    """How many rows at a time: of ROWS what divides them, or else the best, some of them twice;
    four take up to a third longer.
    """
    return next((rows for rows in ROWS if out % rows == 0), min(out, ROWS[0]))


def _forward(x, k, w: Window):
    weights = wide(k).reshape(volume(w.size), *(1,) * w.rank, 1, k.shape[-1])
    products = [wide(v) * weights[t] for t, v in enumerate(views(_repeat(x, k.shape[-1]), w))]
    first, *others = (
        sum(products[i + TOTALS :: TOTALS], start=product)
        for i, product in enumerate(products[:TOTALS])
    )
    return sum(others, start=first).astype(x.dtype)


def _spreading(w: Window) -> list[tuple[int, int, int]]:
    """What y needs for the input gradient, per axis: zeros before (or fewer rows), after and
    between.
    """
    axes = zip(w.in_sizes, w.out_sizes, w.stride, w.extent, w.pads, strict=True)
    return [
        (extent - 1 - lo, n + lo - ((out - 1) * s + 1), s - 1)
        for n, out, s, extent, (lo, _) in axes
    ]


def _spread(y, w: Window):
    """(N, *out_sizes, K) -> (N, *(in_sizes + extent - 1), K)"""
    return lax.pad(y, jnp.zeros((), y.dtype), [(0, 0, 0), *_spreading(w), (0, 0, 0)])


def _from_spread(y, k, *, geometry: Geometry):
    """The input gradient: the sum over shifted copies of y, spread, with the flipped kernel."""
    w = geometry.window
    ones, none = (1,) * w.rank, ((0, 0),) * w.rank
    over = w._replace(
        in_sizes=y.shape[1:-1],
        stride=ones,
        padding=none,
        overhang=(0,) * w.rank,
        out_sizes=w.in_sizes,
    )
    x = _forward(y, jnp.flip(k, range(w.rank)), over)
    return x.reshape(*x.shape[:-1], geometry.groups, x.shape[-1] // geometry.groups).sum(axis=-1)


_from_spread_outlined = outlined(_from_spread, static=("geometry",))


def _repeat(x, features: int):
    """Every channel once for each of its outputs; a single one is for all. (N, *S, C) -> (N, *S,
    features), or (N, *S, 1)
    """
    return x if x.shape[-1] in (1, features) else jnp.repeat(x, features // x.shape[-1], axis=-1)
