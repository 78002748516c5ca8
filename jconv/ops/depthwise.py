"""Convolution of one input channel a group, as shifted copies times a number a channel: methods "shift" and "chunked".

Shapes as in direct.py.

    y[n, p, c] = sum over f of x[n, p*S + f*dilation - lo, c] * k[f, 0, c]

"shift" is this sum over whole arrays. "chunked" differs in the kernel gradient: it goes through blocks of rows of a few images, which
stay in cache, with the next block loaded before the last is used: XLA's CPU compiler would otherwise fuse the loading into every
one of the window's products. Blocks of y have a column more than it has: rows a multiple of 4096 bytes apart put each other out of
the cache. Sums are float32 at least.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from ..geometry import Shape, Window, volume
from .direct import Geometry
from .widening import wide, wide_dtype
from .window import padded, taps, views

IMAGES = 4  # of the kernel gradient at a time, at most
ROWS = (7, 8, 10, 6, 5)  # of them at a time, the best first
TOTALS = 4  # of a sum of shifted copies: one would wait for its own last addition. 64x28x28x1 by 5x5 to 32: 1.37 ms with one, 0.87


def serves(k: Shape, geometry: Geometry) -> str:
    """Why it cannot, or ""."""
    return "" if k[-2] == 1 and geometry.window.rank else "one input channel a group"


def shift_forward(x, k, *, geometry: Geometry, precision):
    return _forward(x, k, geometry.window)


def shift_input_gradient(y, k, *, geometry: Geometry, precision):
    return _input_gradient(y, k, geometry)


def shift_kernel_gradient(x, y, *, geometry: Geometry, precision):
    x = _repeat(x, y.shape[-1])
    k = jnp.stack([(v * y).sum(axis=tuple(range(y.ndim - 1))) for v in views(x, geometry.window)])
    return k.reshape(*geometry.window.size, 1, y.shape[-1])


def chunked_kernel_gradient(x, y, *, geometry: Geometry, precision):
    if not y.shape[0]:  # no image to load
        return shift_kernel_gradient(x, y, geometry=geometry, precision=precision)
    w, at_once = geometry.window, _at_once(y.shape[0])
    (out, *_), (s, *_), (d, *_), (extent, *_), ((lo, _), *_) = w.out_sizes, w.stride, w.dilation, w.extent, w.pads
    rows, across = _rows(out), w.along(slice(1, None))
    blocks, x = -(-out // rows), _repeat(x, y.shape[-1])

    def load(t):
        image, row = t // blocks * at_once, t % blocks * rows
        a = _block(x, image, at_once, row * s - lo, (rows - 1) * s + extent)
        lines = padded(a.reshape(-1, *a.shape[2:]), across)
        return lines.reshape(*a.shape[:2], *lines.shape[1:]), _wider(_block(y, image, at_once, row, rows))

    def add(t, carry):
        sums, a, b = carry
        whole = across._replace(in_sizes=a.shape[2:-1], padding=((0, 0),) * across.rank, overhang=(0,) * across.rank)
        seen = {row: views(wide(a[:, row]), whole) for row in {r * s + f * d for r in range(rows) for f in range(w.size[0])}}
        met = [wide(b[:, r, : y.shape[2]]) for r in range(rows)]
        products = [
            sum(seen[r * s + f * d][t] * met[r] for r in range(rows)) for f in range(w.size[0]) for t in range(len(list(taps(across))))
        ]
        return [total + more for total, more in zip(sums, products, strict=True)], *load(t + 1)

    start = [jnp.zeros((at_once, *y.shape[2:]), wide_dtype(y.dtype))] * volume(w.size)
    sums, *_ = lax.fori_loop(0, y.shape[0] // at_once * blocks, add, (start, *load(0)))
    k = jnp.stack([total.sum(axis=tuple(range(total.ndim - 1))) for total in sums])
    return k.astype(y.dtype).reshape(*w.size, 1, y.shape[-1])


def _at_once(images: int) -> int:
    return max(i for i in range(1, IMAGES + 1) if images % i == 0)


def _rows(out: int) -> int:
    """How many rows at a time: of ROWS what divides them, or else the best with zeros below; few take a third longer."""
    return next((rows for rows in ROWS if out % rows == 0), min(out, ROWS[0]))


def _wider(a):
    """With zeros at the end of its third axis, unless that is the channels."""
    return lax.pad(a, jnp.zeros((), a.dtype), [(0, int(axis == 2 < a.ndim - 1), 0) for axis in range(a.ndim)])


def _block(a, image, images: int, row, rows: int):
    """`rows` rows of some images, from a row on that may lie outside: zeros there. (N, H, *rest) -> (images, rows, *rest)"""
    there = min(rows, a.shape[1])
    start = jnp.clip(row, 0, a.shape[1] - there)
    some = lax.dynamic_slice(a, (image, start, *(0,) * (a.ndim - 2)), (images, there, *a.shape[2:]))
    some = lax.pad(some, jnp.zeros((), a.dtype), [(rows, rows, 0) if axis == 1 else (0, 0, 0) for axis in range(a.ndim)])
    return lax.dynamic_slice_in_dim(some, jnp.clip(row - start + rows, 0, there + rows), rows, axis=1)


def _forward(x, k, w: Window):
    weights = wide(k).reshape(volume(w.size), *(1,) * w.rank, 1, k.shape[-1])
    products = [wide(v) * weights[t] for t, v in enumerate(views(_repeat(x, k.shape[-1]), w))]
    first, *others = (sum(products[i + TOTALS :: TOTALS], start=product) for i, product in enumerate(products[:TOTALS]))
    return sum(others, start=first).astype(x.dtype)


def _input_gradient(y, k, geometry: Geometry):
    """The sum over shifted copies of y, spread by the stride, with the flipped kernel."""
    w = geometry.window
    axes = zip(w.in_sizes, w.out_sizes, w.stride, w.extent, w.pads, strict=True)
    config = [(extent - 1 - lo, n + lo - ((out - 1) * s + 1), s - 1) for n, out, s, extent, (lo, _) in axes]
    y = lax.pad(y, jnp.zeros((), y.dtype), [(0, 0, 0), *config, (0, 0, 0)])
    ones, none = (1,) * w.rank, ((0, 0),) * w.rank
    over = w._replace(in_sizes=y.shape[1:-1], stride=ones, padding=none, overhang=(0,) * w.rank, out_sizes=w.in_sizes)
    x = _forward(y, jnp.flip(k, range(w.rank)), over)
    return x.reshape(*x.shape[:-1], geometry.groups, x.shape[-1] // geometry.groups).sum(axis=-1)


def _repeat(x, features: int):
    """Every channel once for each of its outputs; a single one is for all. (N, *S, C) -> (N, *S, features), or (N, *S, 1)"""
    return x if x.shape[-1] in (1, features) else jnp.repeat(x, features // x.shape[-1], axis=-1)
