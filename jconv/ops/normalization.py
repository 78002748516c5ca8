"""Normalisation: batch, group and layer norm, and the response norms of AlexNet's time with the
conventions that differ.

All compute in float32 at least and return x's dtype.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..errors import ShapeError, unknown
from ..geometry import Shape, Window, check_settings, volume, window
from .methods import check_whole
from .pooling import counts, window_sum
from .sharding import reshaped, spread
from .widening import check_numbers, narrowed, wide

LRN_CONVENTIONS = ("paper", "caffe", "torch")


def standardize(x: jax.Array, mean: jax.Array, var: jax.Array, eps: float) -> jax.Array:
    """(x - mean) / sqrt(var + eps), in float32 at least."""
    return (wide(x) - mean) * lax.rsqrt(var + jnp.asarray(eps, var.dtype))


def moments(
    x: jax.Array, axes: Sequence[int], keepdims: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Mean and biased variance over the axes, the variance in a second pass: E[x^2] - E[x]^2
    cancels.
    """
    check_numbers(x, "moments")
    x = wide(x)
    mean = jnp.mean(x, axis=axes, keepdims=True)
    var = jnp.mean(jnp.square(x - mean), axis=axes, keepdims=True)
    return (mean, var) if keepdims else (jnp.squeeze(mean, axes), jnp.squeeze(var, axes))


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def batch_norm(
    x: jax.Array, scale: jax.Array, bias: jax.Array, eps: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """y = scale * (x - mean) / sqrt(var + eps) + bias over the batch and all positions, each
    channel apart; y, mean and var.

    var is biased, computed on a CPU in a second pass and elsewhere in one about a value near the
    mean: E[x^2] - E[x]^2 cancels. The derivative keeps x - mean alone and sums twice over it,

        dy = gain * (dx - mean(dx)) + dbias
             + (x - mean) * (dscale - gain * mean((x - mean) * dx) / s) / s,   s = sqrt(var + eps),

    with gain = scale / s, where plain autodiff keeps three arrays of x's size and sums four times.
    Shapes: x (N, *S, C) in float32 at least, scale and bias (C,) of its dtype -> (N, *S, C), (C,),
    (C,).
    Source: Ioffe and Szegedy 2015.
    """
    return _batch_norm(x, scale, bias, eps)[0]


@batch_norm.defjvp
def _(eps, primals, tangents):
    (x, scale, bias), (dx, dscale, dbias) = primals, tangents
    outputs, centred, inverse = _batch_norm(x, scale, bias, eps)
    axes, gain = tuple(range(x.ndim - 1)), scale * inverse
    shift, stretch = jnp.mean(dx, axes), jnp.mean(centred * dx, axes)
    slope = (dscale - gain * inverse * stretch) * inverse
    dy = _along(gain, x) * dx + _along(dbias - gain * shift, x) + centred * _along(slope, x)
    return outputs, (dy, shift, 2 * stretch)


def _batch_norm(x, scale, bias, eps: float):
    """((y, mean, var), x - mean, 1 / sqrt(var + eps))"""
    mean, var = lax.platform_dependent(x, cpu=_in_two_passes, default=_in_one_pass)
    centred = x - _along(mean, x)
    inverse = lax.rsqrt(var + jnp.asarray(eps, var.dtype))
    return (centred * _along(scale * inverse, x) + _along(bias, x), mean, var), centred, inverse


def _in_two_passes(x):
    axes = tuple(range(x.ndim - 1))
    mean = jnp.mean(x, axes)
    return mean, jnp.mean(jnp.square(x - _along(mean, x)), axes)


def _in_one_pass(x):
    """By E[(x - near)^2] - E[x - near]^2, which cancels little: `near` is the mean over every
    example's first position.

    What bounds a GPU is how often x is read. On two cores the gradient takes 1.0 to 1.2 times as
    long this way.
    """
    axes = tuple(range(x.ndim - 1))
    near = jnp.mean(x[(slice(None), *(0,) * (x.ndim - 2))], 0)
    off = x - _along(near, x)
    shift = jnp.mean(off, axes)
    var = jnp.mean(jnp.square(off), axes) - jnp.square(shift)
    return near + shift, jnp.maximum(var, jnp.zeros_like(var))  # rounding can leave it below


def _along(a, x):
    """(C,) as an array that multiplies (N, *S, C)."""
    return a.reshape((1,) * (x.ndim - 1) + a.shape)


def group_norm(x: jax.Array, groups: int, eps: float) -> jax.Array:
    """Standardise each example's groups of consecutive channels over space and the group. (N, *S,
    C) -> the same
    """
    n, c = x.shape[0], x.shape[-1]
    if groups < 1 or c % groups:
        raise ShapeError(f"{groups} groups do not divide {c} channels; use a divisor of {c}")
    over = spread(x)
    parts = reshaped(
        x, (n, volume(x.shape[1:-1]), groups, c // groups), (over[0], (), over[-1], ())
    )
    mean, var = moments(parts, (1, 3), keepdims=True)
    return reshaped(standardize(parts, mean, var, eps), x.shape, over)


def local_response_norm(
    x: jax.Array,
    *,
    size: int = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float | None = None,
    convention: str = "caffe",
    method: str = "auto",
) -> jax.Array:
    """Across channels: y_i = x_i * s_i^-beta, where s_i = k + a * sum of x_j^2 over `size` channels
    around i, cut at the ends.

    "paper": a = alpha, k = 2 (Krizhevsky et al. 2012). "caffe", "torch": a = alpha/size, k = 1. So
    the paper's alpha is `size` times Caffe's. An even window takes one channel more below in
    "torch", `size` + 1 in "paper"; Caffe refuses it.
    Shapes: (N, *S, C) -> the same. Methods: "auto" and "lax" are lax.reduce_window; "im2col" the
    reference. Raises ValueError.
    """
    check_whole(method)
    check_numbers(x, "local_response_norm")
    if convention not in LRN_CONVENTIONS:
        raise ValueError(unknown("convention", convention, LRN_CONVENTIONS))
    check_settings("local_response_norm", size=size)
    if convention == "caffe" and size % 2 == 0:
        raise ValueError(
            f"size={size} is even, and Caffe's window has a middle; use an odd size or "
            'convention="torch"'
        )
    scale, offset = (alpha, 2.0) if convention == "paper" else (alpha / size, 1.0)
    before, after = (
        (size // 2, (size - 1) // 2) if convention == "torch" else (size // 2, size // 2)
    )
    squares = jnp.square(wide(x))
    if method == "im2col":
        ends = jnp.pad(squares, [(0, 0)] * (x.ndim - 1) + [(before, after)])
        total = jnp.stack(
            [lax.slice_in_dim(ends, j, j + x.shape[-1], axis=-1) for j in range(before + after + 1)]
        ).sum(axis=0)
    else:
        ones = (1,) * (x.ndim - 1)
        total = lax.reduce_window(
            squares,
            np.zeros((), squares.dtype),
            lax.add,
            (*ones, before + after + 1),
            (*ones, 1),
            [(0, 0)] * (x.ndim - 1) + [(before, after)],
        )
    return _respond(x, total, scale, beta, offset if k is None else k)


def local_response_norm_within(
    x: jax.Array, *, size: int, alpha: float, beta: float, k: float = 1.0, method: str = "auto"
) -> jax.Array:
    """Within a channel: y = x * (k + alpha/size^rank * sum of x^2 over the window around each
    position)^-beta, zeros outside.

    Caffe's WITHIN_CHANNEL, which ignores its own k, always 1, and cuda-convnet's rnorm, where k is
    minDiv.
    Shapes: (N, *S, C) -> the same. Raises ShapeError. Source: Caffe's lrn_layer.cpp, cuda-convnet.
    """
    w = around(x.shape[1:-1], size)
    return _respond(x, window_sum(jnp.square(wide(x)), w, method), alpha / size**w.rank, beta, k)


def contrast_norm(
    x: jax.Array, *, size: int, alpha: float, beta: float, k: float = 1.0, method: str = "auto"
) -> jax.Array:
    """cuda-convnet's cnorm: y = x * (k + alpha/size^rank * sum of d^2)^-beta, d = x - the mean of
    its in-bounds window.

    Only the denominator subtracts the mean, as cuda-convnet's code does. Shapes: (N, *S, C) -> the
    same. Source: cuda-convnet.
    """
    w = around(x.shape[1:-1], size)
    wx = wide(x)
    mean = window_sum(wx, w, method) / jnp.asarray(counts(w, count_padding=False), wx.dtype)
    return _respond(x, window_sum(jnp.square(wx - mean), w, method), alpha / size**w.rank, beta, k)


def around(sizes: Shape, size: int) -> Window:
    """A window of `size` around every position; an even one reaches one further back."""
    return window(sizes, size, padding=((size // 2, (size - 1) // 2),) * len(sizes))


def _respond(x: jax.Array, total: jax.Array, scale: float, beta: float, k: float) -> jax.Array:
    s = jnp.asarray(k, total.dtype) + jnp.asarray(scale, total.dtype) * total
    return narrowed(x, wide(x) * _inverse_power(s, beta))


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _inverse_power(s: jax.Array, beta: float) -> jax.Array:
    """s^-beta; for the usual beta = 3/4 by two roots, where a power takes ten times as long."""
    if beta != 0.75:
        return s ** jnp.asarray(-beta, s.dtype)
    root = lax.rsqrt(s)
    return root * jnp.sqrt(root)


@_inverse_power.defjvp
def _(beta, primals, tangents):
    y = _inverse_power(*primals, beta)
    return y, jnp.asarray(-beta, y.dtype) * y / primals[0] * tangents[0]
