"""Images made larger or smaller: pixels repeated or interpolated, channels dealt out as pixels."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..errors import ShapeError, unknown
from ..geometry import Shape, check_settings
from .methods import check_whole
from .widening import check_numbers, narrowed, wide

MODES = ("nearest", "bilinear")


def resize(
    x: jax.Array,
    sizes: Shape,
    *,
    mode: str = "nearest",
    align_corners: bool = False,
    method: str = "auto",
) -> jax.Array:
    """x at other sizes: output p along an axis is x at position p * in/out.

    "nearest" takes pixel floor(p * in/out). "bilinear" interpolates linearly along every axis at (p
    + 1/2) * in/out - 1/2, held at the border pixels, or with `align_corners` at p * (in - 1)/(out -
    1); it weighs two pixels, and does not smooth what it shrinks. Shapes: (N, *S, C) -> (N, *sizes,
    C). Methods: "auto" and "lax" look pixels up, "im2col" is the product with a matrix per axis.
    Raises ShapeError for another number of axes, ValueError for unknown words. Source: PyTorch's
    interpolate.
    """
    check_whole(method)
    if all(isinstance(n, int) for n in sizes):  # or they are symbols
        check_settings("resize", sizes=tuple(sizes))
    if mode not in MODES:
        raise ValueError(unknown("mode", mode, MODES))
    if len(sizes) != x.ndim - 2:
        raise ShapeError(
            f"sizes={tuple(sizes)} for x of shape {x.shape}: one entry per axis was expected, "
            f"{x.ndim - 2} in all"
        )
    check_numbers(x, "resize")
    y = wide(x) if mode == "bilinear" else x
    for axis, (n, out) in enumerate(zip(x.shape[1:-1], sizes, strict=True), 1):
        if n == out:
            continue
        if not isinstance(n, int) and not (mode == "nearest" and isinstance(out // n, int)):
            raise ShapeError(
                f'an axis of size {n} to {out}: a number was expected; of symbols "nearest" knows '
                "whole numbers of times"
            )
        if mode == "nearest" and not isinstance(n, int):
            y = jnp.repeat(y, out // n, axis=axis)
            continue
        before, share = (
            _between(n, out, align_corners)
            if mode == "bilinear"
            else (np.arange(out) * n // out, np.zeros(out))
        )
        if method == "im2col":
            y = _by_matrix(y, before, share, axis)
        elif mode == "nearest":
            y = (
                jnp.repeat(y, out // n, axis=axis)
                if out % n == 0
                else jnp.take(y, before, axis=axis)
            )
        else:
            weight = jnp.asarray(share, y.dtype).reshape(-1, *(1,) * (y.ndim - 1 - axis))[
                (None,) * axis
            ]
            first, second = (
                jnp.take(y, before, axis=axis),
                jnp.take(y, np.minimum(before + 1, n - 1), axis=axis),
            )
            y = first + weight * (second - first)
    return narrowed(x, y) if mode == "bilinear" else y


def _between(n: int, out: int, align_corners: bool) -> tuple[np.ndarray, np.ndarray]:
    """For each output the pixel before it, and the share of the next."""
    if align_corners:
        at = np.arange(out) * ((n - 1) / max(out - 1, 1))
    else:
        at = np.clip((np.arange(out) + 0.5) * (n / out) - 0.5, 0, n - 1)
    before = np.minimum(np.floor(at).astype(int), n - 1)
    return before, at - before


def _by_matrix(y: jax.Array, before: np.ndarray, share: np.ndarray, axis: int) -> jax.Array:
    n, rows = y.shape[axis], np.arange(len(before))
    matrix = np.zeros((len(before), n))
    np.add.at(matrix, (rows, before), 1 - share)
    np.add.at(matrix, (rows, np.minimum(before + 1, n - 1)), share)
    moved = jnp.tensordot(
        y, jnp.asarray(matrix, y.dtype), (axis, 1), precision=lax.Precision.HIGHEST
    )
    return jnp.moveaxis(moved, -1, axis)


def pixel_shuffle(x: jax.Array, factor: int) -> jax.Array:
    """y[n, p*r + i, c] = x[n, p, c*r^axes + i], i counted row-major over the axes: PyTorch's order
    of channels.

    Shapes: (N, *S, C) -> (N, *S*factor, C/factor^axes). Raises ShapeError unless factor^axes
    divides C.
    """
    check_settings("pixel_shuffle", factor=factor)
    rank, sizes = x.ndim - 2, x.shape[1:-1]
    if x.shape[-1] % factor**rank:
        raise ShapeError(
            f"{factor}^{rank} does not divide the {x.shape[-1]} channels of x of shape {x.shape}"
        )
    parts = x.reshape(x.shape[0], *sizes, x.shape[-1] // factor**rank, *(factor,) * rank)
    order = itertools.chain.from_iterable((1 + axis, 2 + rank + axis) for axis in range(rank))
    return parts.transpose(0, *order, 1 + rank).reshape(
        x.shape[0], *(n * factor for n in sizes), x.shape[-1] // factor**rank
    )
