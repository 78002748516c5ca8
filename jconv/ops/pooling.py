"""Average and Lp pooling, to a window, a given size or the whole image."""

from __future__ import annotations

import itertools
import math
from functools import partial, reduce
from operator import add

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..errors import ShapeError
from ..geometry import Padding, Shape, Window, check_settings, inside, pool_window, volume
from ..settings import check_range
from .methods import check_whole
from .views import filled, lowest, stages, views
from .widening import check_numbers, narrowed, wide, wide_if_real

# positions of a window up to which its sum is that of shifted copies: lax.reduce_window's gradient
# is ten times slower.
SHIFTED = 32
# A larger window's is too, axis by axis, where it moves by little: 4x13x13x256 by 13x13 takes 0.5
# ms so, 2.7 in one go and 6.1 by lax.


def avg_pool(
    x: jax.Array,
    size: int | Shape,
    *,
    stride: int | Shape | None = None,
    padding: Padding = 0,
    rounding: str = "floor",
    count_padding: bool = True,
    dilation: int | Shape = 1,
    padding_mode: str = "zeros",
    method: str = "auto",
) -> jax.Array:
    """The mean of every window.

    Shapes: (N, *S, C) -> (N, *out, C); stride is the window by default. `count_padding` counts
    padded zeros in the mean (Caffe, Torch); without it a window divides by its own pixels
    (TensorFlow, Inception-v4). What "ceil" overhangs is never counted. Padding that is no zeros, as
    `padding_mode` may say (see `views.filled`), is pixels like others.
    Methods: "auto" adds the window's views where that pays, "lax" is lax.reduce_window, "im2col"
    the reference. Raises ShapeError. Source: CS231n notes, Pooling Layer; Caffe's and PyTorch's
    average pools.
    """
    w = pool_window(x.shape[1:-1], size, stride, padding, rounding, dilation)
    x, w = filled(x, w, padding_mode, reference=method == "im2col")
    total = window_sum(x, w, method)
    return narrowed(x, total / jnp.asarray(counts(w, count_padding), total.dtype))


def lp_pool(
    x: jax.Array,
    size: int | Shape,
    *,
    p: float = 2.0,
    stride: int | Shape | None = None,
    padding: Padding = 0,
    rounding: str = "floor",
    dilation: int | Shape = 1,
    padding_mode: str = "zeros",
    method: str = "auto",
) -> jax.Array:
    """(sum over the window of |x|^p)^(1/p); p = 2 is the CS231n notes' L2-norm pooling. The
    gradient at an all-zero window is zero.

    Shapes, methods and errors as `avg_pool`; ValueError for p below 1. Source: CS231n notes,
    Pooling Layer.
    """
    check_numbers(x, "lp_pool")
    check_range("lp_pool", p=p, least=1, below=math.inf)
    w = pool_window(x.shape[1:-1], size, stride, padding, rounding, dilation)
    x, w = filled(x, w, padding_mode, reference=method == "im2col")
    wx = wide_if_real(x)
    total = window_sum(jnp.square(wx) if p == 2 else jnp.abs(wx) ** p, w, method)
    zero = total == 0
    safe = jnp.where(zero, jnp.ones_like(total), total)  # the root's derivative is infinite at zero
    root = jnp.sqrt(safe) if p == 2 else safe ** (1 / p)
    return narrowed(x, jnp.where(zero, jnp.zeros_like(root), root))


def window_sum(x: jax.Array, w: Window, method: str = "auto") -> jax.Array:
    """The sum over every window, padding counted as zero, in float32 at least. (N, *S, C) -> (N,
    *out, C)
    """
    check_whole(method)
    check_numbers(x, "a pool")
    x = wide_if_real(x)
    if method == "im2col":
        return jnp.stack(views(x, w), axis=1).sum(axis=1)
    if method == "auto" and (volume(w.size) <= SHIFTED or len(stages(w)) > 1):
        padded_for_few = (
            len(stages(w)) == 1 and volume(w.stride) > 1 and any(max(pads) > 0 for pads in w.pads)
        )
        run = _reduced_but_shifted_back if padded_for_few else _shifted
        return run(x, w)
    return _reduced(x, w)


def _reduced(x, w: Window):
    zero, pads, dilation = np.zeros((), x.dtype), [(0, 0), *w.pads, (0, 0)], (1, *w.dilation, 1)
    return lax.reduce_window(
        x, zero, lax.add, (1, *w.size, 1), (1, *w.stride, 1), pads, window_dilation=dilation
    )


def _shifted(x, w: Window):
    for one in stages(w):
        x = reduce(add, views(x, one))
    return x


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _reduced_but_shifted_back(x, w: Window):
    """Where an image would be copied to pad it, for few sums: 16x56x56x64 by 3x3, stride 2, takes
    1.4 ms so, and 1.7 shifted.
    """
    return _reduced(x, w)


@_reduced_but_shifted_back.defjvp
def _(w: Window, primals, tangents):
    (x,), (t,) = primals, tangents
    return _reduced_but_shifted_back(x, w), _shifted(t, w)


def counts(w: Window, count_padding: bool) -> np.ndarray:
    """How many positions each window's mean divides by. (1, *out, 1)"""
    # sizes that are symbols
    if not any(map(any, w.pads)) and not all(isinstance(n, int) for n in w.in_sizes):
        return np.full((1,) * (w.rank + 2), volume(w.size))
    total = np.ones((1,) * (w.rank + 2))
    for axis, seen in enumerate(inside(w, padding=count_padding)):
        total = total * seen.sum(axis=1).reshape(-1, *(1,) * (w.rank - axis))
    return total


def adaptive_avg_pool(x: jax.Array, out_sizes: Shape) -> jax.Array:
    """The mean of out_sizes bins that cover the image, bin i of n reaching from floor(i*W/n) to
    ceil((i+1)*W/n).

    Shapes: (N, *S, C) -> (N, *out_sizes, C). Raises ShapeError for another number of axes. Source:
    Torch's AdaptiveAvgPool.
    """
    _check_out_sizes("adaptive_avg_pool", x, out_sizes)
    y = wide(x)
    for axis, out in enumerate(out_sizes, 1):
        if out == 1:
            y = jnp.mean(y, axis=axis, keepdims=True)
            continue
        means = jnp.asarray(_means(x.shape[axis], out), y.dtype)
        y = jnp.moveaxis(
            jnp.tensordot(y, means, (axis, 1), precision=lax.Precision.HIGHEST), -1, axis
        )
    return narrowed(x, y)


def _means(size: int, out: int) -> np.ndarray:
    """(out, size): row i averages bin i."""
    each = bins(size, out)
    rows = np.zeros((out, size))
    for i, (begin, end) in enumerate(each):
        rows[i, begin:end] = 1 / (end - begin)
    return rows


def bins(size: int, out: int) -> list[tuple[int, int]]:
    """Where each bin of an adaptive pool begins and ends along an axis: bin i of n from
    floor(i*W/n) to ceil((i+1)*W/n).

    Raises ShapeError for a size that is a symbol, unless one bin takes it all.
    """
    if out == 1:
        return [(0, size)]
    if not isinstance(size, int):
        raise ShapeError(
            f"{out} bins of an axis of size {size}: a size that is a number was expected, or one "
            "bin"
        )
    return [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def adaptive_max_pool(x: jax.Array, out_sizes: Shape, *, method: str = "auto") -> jax.Array:
    """The largest of each of out_sizes bins that cover the image, as those of `adaptive_avg_pool`;
    the first of equals has the gradient.

    Shapes: (N, *S, C) -> (N, *out_sizes, C). Methods: "auto" and "lax" look all bins up at once,
    "im2col" takes them one by one. Raises ShapeError for another number of axes. Source: Torch's
    AdaptiveMaxPool.
    """
    check_whole(method)
    _check_out_sizes("adaptive_max_pool", x, out_sizes)
    if volume(tuple(out_sizes)) == 1:
        return global_max_pool(x)[(slice(None), *(None,) * len(out_sizes))]
    each = [bins(n, out) for n, out in zip(x.shape[1:-1], out_sizes, strict=True)]
    if method == "im2col":
        parts = [
            x[(slice(None), *(slice(*one) for one in bin))] for bin in itertools.product(*each)
        ]
        return jnp.stack([global_max_pool(part) for part in parts], axis=1).reshape(
            x.shape[0], *out_sizes, x.shape[-1]
        )
    outside = np.zeros((1,) * (2 * len(out_sizes)), bool)
    for axis, axis_bins in enumerate(each):
        longest = max(end - begin for begin, end in axis_bins)
        index = np.array([begin for begin, _ in axis_bins])[:, None] + np.arange(longest)
        beyond = index >= np.array([end for _, end in axis_bins])[:, None]
        # (N, out, bin, ..., C)
        x = jnp.take(x, np.minimum(index, x.shape[1 + 2 * axis] - 1), axis=1 + 2 * axis)
        outside = outside | beyond.reshape(*beyond.shape, *(1,) * (2 * (len(out_sizes) - 1 - axis)))
    x = jnp.where(outside[None, ..., None], jnp.asarray(lowest(x.dtype), x.dtype), x)
    x = jnp.moveaxis(
        x,
        tuple(range(2, 2 * len(out_sizes) + 1, 2)),
        tuple(range(1 + len(out_sizes), 1 + 2 * len(out_sizes))),
    )
    flat = x.reshape(
        x.shape[0] * volume(out_sizes), volume(x.shape[1 + len(out_sizes) : -1]), x.shape[-1]
    )
    return global_max_pool(flat).reshape(x.shape[0], *out_sizes, x.shape[-1])


def _check_out_sizes(name: str, x: jax.Array, out_sizes: Shape) -> None:
    check_numbers(x, name)
    check_settings(name, out_sizes=tuple(out_sizes))
    if len(out_sizes) != x.ndim - 2:
        raise ShapeError(
            f"out_sizes={out_sizes} for x of shape {x.shape}: one entry per axis was expected, "
            f"{x.ndim - 2} in all"
        )


def global_avg_pool(x: jax.Array) -> jax.Array:
    """The mean over all positions. (N, *S, C) -> (N, C)"""
    check_numbers(x, "global_avg_pool")
    return jnp.mean(x, axis=tuple(range(1, x.ndim - 1)))


def global_max_pool(x: jax.Array) -> jax.Array:
    """The largest over all positions; the first of equals has the gradient, as in `max_pool`. (N,
    *S, C) -> (N, C)
    """
    check_numbers(x, "global_max_pool")
    flat = x.reshape(x.shape[0], volume(x.shape[1:-1]), x.shape[-1])
    # max() would share a tie
    return jnp.take_along_axis(flat, flat.argmax(axis=1, keepdims=True), axis=1)[:, 0]
