"""Average and Lp pooling, to a window, a given size or the whole image."""

from __future__ import annotations

from functools import partial, reduce
from operator import add

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..errors import ShapeError
from ..geometry import Padding, Shape, Window, check_settings, pool_window, volume
from .methods import check_whole
from .widening import wide_if_real
from .window import passes, views

SHIFTED = 32  # positions of a window up to which its sum is that of shifted copies: lax.reduce_window's gradient is ten times slower.
# A larger window's is too, axis by axis, where it moves by little: 4x13x13x256 by 13x13 takes 0.5 ms so, 2.7 in one go and 6.1 by lax.


def avg_pool(
    x: jax.Array,
    size: int | Shape,
    *,
    stride: int | Shape | None = None,
    padding: Padding = 0,
    rounding: str = "floor",
    count_padding: bool = True,
    method: str = "auto",
) -> jax.Array:
    """The mean of every window.

    Shapes: (N, *S, C) -> (N, *out, C); stride is the window by default. `count_padding` counts padded zeros in the mean (Caffe,
    Torch); without it a window divides by its own pixels (TensorFlow, Inception-v4). What "ceil" overhangs is never counted.
    Methods: "auto" adds the window's views where that pays, "lax" is lax.reduce_window, "im2col" the reference. Raises ShapeError.
    Source: facts S55, C2c, C2d.
    """
    w = pool_window(x.shape[1:-1], size, stride, padding, rounding)
    total = window_sum(x, w, method)
    return _like(x, total / jnp.asarray(counts(w, count_padding), total.dtype))


def lp_pool(
    x: jax.Array,
    size: int | Shape,
    *,
    p: float = 2.0,
    stride: int | Shape | None = None,
    padding: Padding = 0,
    rounding: str = "floor",
    method: str = "auto",
) -> jax.Array:
    """(sum over the window of |x|^p)^(1/p); p = 2 is the notes' L2-norm pooling. The gradient at an all-zero window is zero.

    Shapes, methods and errors as `avg_pool`; ValueError for p below 1. Source: facts S55, S56.
    """
    if p < 1:
        raise ValueError(f"lp_pool: p={p}, at least 1 was expected")
    w = pool_window(x.shape[1:-1], size, stride, padding, rounding)
    wx = wide_if_real(x)
    total = window_sum(jnp.square(wx) if p == 2 else jnp.abs(wx) ** p, w, method)
    zero = total == 0
    safe = jnp.where(zero, jnp.ones_like(total), total)  # the root's derivative is infinite at zero
    root = jnp.sqrt(safe) if p == 2 else safe ** (1 / p)
    return _like(x, jnp.where(zero, jnp.zeros_like(root), root))


def _like(x: jax.Array, y: jax.Array) -> jax.Array:
    """y in x's dtype, unless that is an integer's, which would truncate it."""
    return y.astype(x.dtype) if jnp.issubdtype(x.dtype, jnp.inexact) else y


def window_sum(x: jax.Array, w: Window, method: str = "auto") -> jax.Array:
    """The sum over every window, padding counted as zero, in float32 at least. (N, *S, C) -> (N, *out, C)"""
    check_whole(method)
    x = wide_if_real(x)
    if method == "im2col":
        return jnp.stack(views(x, w), axis=1).sum(axis=1)
    if method == "auto" and (volume(w.size) <= SHIFTED or len(passes(w)) > 1):
        padded_for_few = len(passes(w)) == 1 and volume(w.stride) > 1 and any(max(pads) > 0 for pads in w.pads)
        run = _reduced_but_shifted_back if padded_for_few else _shifted
        return run(x, w)
    return _reduced(x, w)


def _reduced(x, w: Window):
    return lax.reduce_window(x, np.zeros((), x.dtype), lax.add, (1, *w.size, 1), (1, *w.stride, 1), [(0, 0), *w.pads, (0, 0)])


def _shifted(x, w: Window):
    for one in passes(w):
        x = reduce(add, views(x, one))
    return x


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _reduced_but_shifted_back(x, w: Window):
    """Where an image would be copied to pad it, for few sums: 16x56x56x64 by 3x3, stride 2, takes 1.4 ms so, and 1.7 shifted."""
    return _reduced(x, w)


@_reduced_but_shifted_back.defjvp
def _(w: Window, primals, tangents):
    (x,), (t,) = primals, tangents
    return _reduced_but_shifted_back(x, w), _shifted(t, w)


def counts(w: Window, count_padding: bool) -> np.ndarray:
    """How many positions each window's mean divides by. (1, *out, 1)"""
    total = np.ones((1,) * (w.rank + 2))
    for axis, (n, (lo, hi), f, s, out) in enumerate(zip(w.in_sizes, w.padding, w.size, w.stride, w.out_sizes, strict=True)):
        begin, end = (-lo, n + hi) if count_padding else (0, n)
        start = np.arange(out) * s - lo
        inside = np.minimum(start + f, end) - np.maximum(start, begin)
        total = total * inside.reshape(-1, *(1,) * (w.rank - axis))
    return total


def adaptive_avg_pool(x: jax.Array, out_sizes: Shape) -> jax.Array:
    """The mean of out_sizes bins that cover the image, bin i of n reaching from floor(i*W/n) to ceil((i+1)*W/n).

    Shapes: (N, *S, C) -> (N, *out_sizes, C). Raises ShapeError for another number of axes. Source: Torch's AdaptiveAvgPool.
    """
    check_settings("adaptive_avg_pool", out_sizes=tuple(out_sizes))
    if len(out_sizes) != x.ndim - 2:
        raise ShapeError(f"out_sizes={out_sizes} for x of shape {x.shape}: one entry an axis was expected, {x.ndim - 2} in all")
    y = wide_if_real(x)
    for axis, out in enumerate(out_sizes, 1):
        bins = jnp.asarray(_bins(x.shape[axis], out), y.dtype)
        y = jnp.moveaxis(jnp.tensordot(y, bins, (axis, 1), precision=lax.Precision.HIGHEST), -1, axis)
    return y.astype(x.dtype)


def _bins(size: int, out: int) -> np.ndarray:
    """(out, size): row i averages bin i."""
    rows = np.zeros((out, size))
    for i in range(out):
        begin, end = i * size // out, -(-(i + 1) * size // out)
        rows[i, begin:end] = 1 / (end - begin)
    return rows


def global_avg_pool(x: jax.Array) -> jax.Array:
    """The mean over all positions. (N, *S, C) -> (N, C)"""
    return jnp.mean(x, axis=tuple(range(1, x.ndim - 1)))


def global_max_pool(x: jax.Array) -> jax.Array:
    """The largest over all positions; the first of equals has the gradient, as in `max_pool`. (N, *S, C) -> (N, C)"""
    flat = x.reshape(x.shape[0], volume(x.shape[1:-1]), x.shape[-1])
    return jnp.take_along_axis(flat, flat.argmax(axis=1, keepdims=True), axis=1)[:, 0]  # max() would share a tie
