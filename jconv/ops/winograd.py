"""Convolution by windows of three rows with two thirds of the products: method "winograd", F(2, 3). Shapes as in direct.py.

Two neighbouring rows of y come of four rows of x and the three of k. Let * be the convolution along the other axes; then

    y0 = m0 + m1 + m2        m0 = (x0 - x2) * k0             m2 = (x2 - x1) * (k0 - k1 + k2) / 2
    y1 = m1 - m2 - m3        m1 = (x1 + x2) * (k0 + k1 + k2) / 2             m3 = (x1 - x3) * k2

are four convolutions in place of six. Only the first axis is done so: along two, the arrays in between are four times the image's
size instead of two, and moving them costs what the products save. Sums are float32 at least. The rounding error is little
more than that of "direct" (4x16x16x256 by 3x3 to 256, normal numbers: 5 to 6e-7 of the largest value against 4e-7).

Source: S. Winograd, Arithmetic Complexity of Computations, 1980; A. Lavin and S. Gray, 2016 (arXiv:1509.09308).
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from ..geometry import Shape, Window
from . import direct
from .direct import Geometry
from .first_axis import first_and_rest, images, mirrored
from .widening import wide


def serves(k: Shape, geometry: Geometry) -> str:
    """Why it cannot, or ""."""
    w = geometry.window
    fits = w.rank >= 2 and (w.size[0], w.stride[0], w.dilation[0], geometry.groups) == (3, 1, 1, 1)
    return "" if fits else "two or three spatial axes, a window of three rows with stride and dilation 1, and one group"


def forward(x, k, *, geometry: Geometry, precision):
    first, rest = first_and_rest(geometry)
    products = [direct.forward(a, b, geometry=rest, precision=precision) for a, b in zip(_fours(x, first), _taps(k), strict=True)]
    return _pairs(products, x.shape[0], first).astype(x.dtype)


def input_gradient(y, k, *, geometry: Geometry, precision):
    first, rest = first_and_rest(geometry)
    back, taps = mirrored(first), _taps(k[::-1])
    products = [direct.input_gradient(a, b, geometry=rest, precision=precision) for a, b in zip(_fours(y, back), taps, strict=True)]
    return _pairs(products, y.shape[0], back).astype(y.dtype)


def kernel_gradient(x, y, *, geometry: Geometry, precision):
    first, rest = first_and_rest(geometry)
    pairs = zip(_fours(x, first), _pairs_transposed(y, first), strict=True)
    k0, plus, minus, k2 = (direct.kernel_gradient(a, b, geometry=rest, precision=precision) for a, b in pairs)
    return jnp.stack([k0 + (plus + minus) / 2, (plus - minus) / 2, (plus + minus) / 2 + k2]).astype(y.dtype)


def _fours(x, w: Window):
    """Every second row and the three after it, as the four sums that are convolved. (N, H, *S, C) -> four arrays (N*T, *S, C)"""
    ((lo, _),) = w.pads
    length = 2 * _count(w) + 2
    x = wide(x)
    x = lax.pad(x, jnp.zeros((), x.dtype), [(lo, length - x.shape[1] - lo, 0) if axis == 1 else (0, 0, 0) for axis in range(x.ndim)])
    x0, x1, x2, x3 = (lax.slice_in_dim(x, i, length - 3 + i, 2, axis=1) for i in range(4))
    return [images(sums) for sums in (x0 - x2, x1 + x2, x2 - x1, x1 - x3)]


def _taps(k):
    """(3, *F, C, K) -> four arrays (*F, C, K)"""
    k0, k1, k2 = wide(k)
    return k0, (k0 + k1 + k2) / 2, (k0 - k1 + k2) / 2, k2


def _pairs(products, n: int, w: Window):
    """The rows of y from the four convolutions. four arrays (N*T, *S', K) -> (N, H', *S', K)"""
    m0, m1, m2, m3 = products
    y = jnp.stack([m0 + m1 + m2, m1 - m2 - m3], axis=1)  # (N*T, 2, *S', K)
    return y.reshape(n, 2 * _count(w), *y.shape[2:])[:, : w.out_sizes[0]]


def _pairs_transposed(y, w: Window):
    """(N, H', *S', K) -> four arrays (N*T, *S', K)"""
    y = wide(y)
    y = lax.pad(y, jnp.zeros((), y.dtype), [(0, 2 * _count(w) - y.shape[1] if axis == 1 else 0, 0) for axis in range(y.ndim)])
    y0, y1 = (images(lax.slice_in_dim(y, i, None, 2, axis=1)) for i in range(2))
    return y0, y0 + y1, y0 - y1, -y1


def _count(w: Window) -> int:
    """How many pairs of rows y has, the last maybe half."""
    return -(-w.out_sizes[0] // 2)
