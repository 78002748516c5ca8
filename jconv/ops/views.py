"""The views of an array that a sliding window takes: what im2col, pooling and the reference twins
are made of.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..errors import ShapeError
from ..geometry import Shape, Window, check_settings, volume

# words for what padding holds
NUMPYS: dict[str, Any] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
LARGE = (
    2.0  # times the steps that a window takes in one go, against axis by axis, from which that pays
)


def lowest(dtype) -> float:
    """What is below every value of a dtype, or as low."""
    return -np.inf if jnp.issubdtype(dtype, jnp.inexact) else jnp.iinfo(dtype).min


def padded(x: jax.Array, window: Window, fill: float = 0.0) -> jax.Array:
    """x with the window's padding and overhang filled in, cut to what the windows reach. (N,
    *in_sizes, C) -> (N, *reach, C)
    """
    needed = [
        (o - 1) * s + e
        for o, s, e in zip(window.out_sizes, window.stride, window.extent, strict=True)
    ]
    config = [
        (lo, n - w - lo, 0)
        for n, w, (lo, _) in zip(needed, window.in_sizes, window.pads, strict=True)
    ]
    return lax.pad(x, jnp.asarray(fill, x.dtype), [(0, 0, 0), *config, (0, 0, 0)])


def filled(
    x: jax.Array, window: Window, mode: str, *, reference: bool = False
) -> tuple[jax.Array, Window]:
    """x with its padding as numbers, as `mode` has it, and the window over that, without padding;
    for "zeros" both as they are.

    "reflect" mirrors the image about its border pixels, "replicate" repeats these, "circular" goes
    on with the other side: as PyTorch. With `reference` every pixel is looked up by its index.
    Raises ShapeError for padding that the image is too small for.
    """
    check_settings("padding", padding_mode=mode)
    if mode == "zeros" or not any(map(any, window.padding)):
        return x, window
    most = {"reflect": 1, "circular": 0}
    for n, pads in zip(window.in_sizes, window.padding, strict=True):
        if mode in most and max(pads) > n - most[mode]:
            raise ShapeError(
                f'padding {pads} of {n} pixels by "{mode}", at most {n - most[mode]} was expected; '
                'use less, or "replicate"'
            )
    if reference:
        for axis, (n, pads) in enumerate(zip(window.in_sizes, window.padding, strict=True), 1):
            x = jnp.take(x, padded_index(n, pads, mode), axis=axis)
    else:
        x = jnp.pad(x, [(0, 0), *window.padding, (0, 0)], mode=NUMPYS[mode])
    return x, without_padding(window)


def padded_index(size: int, pads: tuple[int, int], mode: str) -> np.ndarray:
    """Which pixel each position of a padded axis holds; -1 for zeros."""
    if mode == "zeros":
        return np.pad(np.arange(size), pads, constant_values=-1)
    return np.pad(np.arange(size), pads, mode=NUMPYS[mode])


def without_padding(window: Window) -> Window:
    """The window over an image that holds its padding already."""
    sizes = tuple(n + sum(pads) for n, pads in zip(window.in_sizes, window.padding, strict=True))
    return window._replace(in_sizes=sizes, padding=((0, 0),) * window.rank)


def offsets(window: Window) -> Iterator[Shape]:
    """The offsets inside a window, row-major: the last axis runs fastest."""
    return itertools.product(*map(range, window.size))


def views(x: jax.Array, window: Window, fill: float = 0.0) -> list[jax.Array]:
    """One strided slice for each tap, in the order of `offsets`: entry t holds what every window
    sees at its t-th position.

    x (N, *in_sizes, C) -> prod(size) arrays (N, *out_sizes, C). Padding holds `fill`.
    """
    xp = padded(x, window, fill)
    stride = (1, *window.stride, 1)

    def view(offset: Shape) -> jax.Array:
        start = [o * d for o, d in zip(offset, window.dilation, strict=True)]
        stop = [
            b + (n - 1) * s + 1
            for b, n, s in zip(start, window.out_sizes, window.stride, strict=True)
        ]
        return lax.slice(xp, (0, *start, 0), (xp.shape[0], *stop, xp.shape[-1]), stride)

    seen = [view(offset) for offset in offsets(window)]
    # XLA's GPU compiler aborts on a product with a strided slice (GemmFusion, jaxlib 0.11.2), if it
    # may fuse the two.
    return (
        [lax.optimization_barrier(v) for v in seen]
        if len(seen) == 1 and volume(window.stride) > 1
        else seen
    )


def stages(w: Window, large: float = LARGE) -> list[Window]:
    """The window, or if it is large one per axis, the last first: each over what the one before it
    gave.

    Large is what takes so many times fewer steps an output like that: along each axis the window's,
    as often as earlier ones will stride.
    """
    steps = sum(f * volume(w.stride[:axis]) for axis, f in enumerate(w.size))
    return (
        [_along(w, axis) for axis in reversed(range(w.rank))]
        if large * steps <= volume(w.size)
        else [w]
    )


def _along(w: Window, axis: int) -> Window:
    """The window along one axis, where those after it are pooled already."""
    only = lambda own, else_: tuple(own[i] if i == axis else else_ for i in range(w.rank))
    done = lambda first: tuple(
        w.out_sizes[i] if i >= first else w.in_sizes[i] for i in range(w.rank)
    )
    return Window(
        done(axis + 1),
        only(w.size, 1),
        only(w.stride, 1),
        only(w.dilation, 1),
        only(w.padding, (0, 0)),
        only(w.overhang, 0),
        done(axis),
    )
