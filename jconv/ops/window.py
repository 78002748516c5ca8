"""The views of an array that a sliding window takes: what im2col, pooling and the reference twins are made of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jax import lax

from ..geometry import Shape, Window, volume

LARGE = 2.0  # times the steps that a window takes in one go, against axis by axis, from which that pays


def padded(x: jax.Array, window: Window, fill: float = 0.0) -> jax.Array:
    """x with the window's padding and overhang filled in, cut to what the windows reach. (N, *in_sizes, C) -> (N, *reach, C)"""
    needed = [(o - 1) * s + e for o, s, e in zip(window.out_sizes, window.stride, window.extent, strict=True)]
    config = [(lo, n - w - lo, 0) for n, w, (lo, _) in zip(needed, window.in_sizes, window.pads, strict=True)]
    return lax.pad(x, jnp.asarray(fill, x.dtype), [(0, 0, 0), *config, (0, 0, 0)])


def taps(window: Window) -> Iterator[Shape]:
    """The offsets inside a window, row-major: the last axis runs fastest."""
    return itertools.product(*map(range, window.size))


def views(x: jax.Array, window: Window, fill: float = 0.0) -> list[jax.Array]:
    """One strided slice for each tap, in the order of `taps`: entry t holds what every window sees at its t-th position.

    x (N, *in_sizes, C) -> prod(size) arrays (N, *out_sizes, C). Padding holds `fill`.
    """
    xp = padded(x, window, fill)
    stride = (1, *window.stride, 1)

    def view(offset: Shape) -> jax.Array:
        start = [o * d for o, d in zip(offset, window.dilation, strict=True)]
        stop = [b + (n - 1) * s + 1 for b, n, s in zip(start, window.out_sizes, window.stride, strict=True)]
        return lax.slice(xp, (0, *start, 0), (xp.shape[0], *stop, xp.shape[-1]), stride)

    seen = [view(offset) for offset in taps(window)]
    # XLA's GPU compiler aborts on a product with a strided slice (GemmFusion, jaxlib 0.11.2), if it may fuse the two.
    return [lax.optimization_barrier(v) for v in seen] if len(seen) == 1 and volume(window.stride) > 1 else seen


def passes(w: Window, large: float = LARGE) -> list[Window]:
    """The window, or if it is large one an axis, the last first: each over what the one before it gave.

    Large is what takes so many times fewer steps an output like that: along each axis the window's, as often as earlier ones will stride.
    """
    steps = sum(f * volume(w.stride[:axis]) for axis, f in enumerate(w.size))
    return [_along(w, axis) for axis in reversed(range(w.rank))] if large * steps <= volume(w.size) else [w]


def _along(w: Window, axis: int) -> Window:
    """The window along one axis, where those after it are pooled already."""
    only = lambda own, else_: tuple(own[i] if i == axis else else_ for i in range(w.rank))
    done = lambda first: tuple(w.out_sizes[i] if i >= first else w.in_sizes[i] for i in range(w.rank))
    return Window(
        done(axis + 1),
        only(w.size, 1),
        only(w.stride, 1),
        only(w.dilation, 1),
        only(w.padding, (0, 0)),
        only(w.overhang, 0),
        done(axis),
    )
