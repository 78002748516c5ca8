"""The dense layer's product as a convolution over no spatial axes: method "product". Shapes as in
direct.py, with *S empty.

    y[n, k] = sum over c of x[n, c] * kernel[c, k]

As one of the bilinear operations its kernel gradient comes in the kernel's own layout, where that
of a `dot_general` comes transposed: for the per-example gradients of a large layer the copy back
takes longer than everything else.
"""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp

from ...geometry import Shape
from ..outlining import outlined
from ..shapes import Geometry
from ..widening import summed


def serves(k: Shape, geometry: Geometry) -> str:
    """Why it cannot, or ""."""
    return "" if geometry.window.rank == 0 else "no spatial axes"


def forward(x, k, *, geometry: Geometry, precision):
    if geometry.groups == 1:
        return summed(jnp.matmul, x, k, precision)
    return _join(_einsum("ngc,cgo->ngo", *_split(geometry, x, k), precision))


def input_gradient(y, k, *, geometry: Geometry, precision):
    """One group is kept as an axis: XLA's CPU compiler then takes half the time for few images and
    a large kernel.
    """
    return _join(_einsum("ngo,cgo->ngc", *_split(geometry, y, k), precision))


def kernel_gradient(x, y, *, geometry: Geometry, precision):
    if geometry.groups == 1:
        return summed(jnp.matmul, x.T, y, precision)
    return _join(jnp.moveaxis(_of_groups(*_split(geometry, x, y), precision=precision), 0, 1))


def _gradients_of_groups(x, y, *, precision):
    """(N, g, c), (N, g, o) -> (g, c, o)"""
    return _einsum("ngc,ngo->gco", x, y, precision)


# Per-example gradients are outer products, in which XLA would compute what gave x and y for every
# element anew: LeNet's, of 512 examples, take 860 ms so and 420 outlined (two cores of an
# AMD EPYC with AVX-512, jaxlib 0.10.2; `jconv bench --cases "LeNet b"`).
_of_groups = outlined(_gradients_of_groups, static=("precision",))


def _einsum(letters: str, a, b, precision):
    return summed(partial(jnp.einsum, letters), a, b, precision)


def _split(geometry: Geometry, a, b):
    """Both by groups. (*, g*c) -> (*, g, c)"""
    by_group = lambda a: a.reshape(a.shape[0], geometry.groups, a.shape[1] // geometry.groups)
    return by_group(a), by_group(b)


def _join(a):
    return a.reshape(a.shape[0], a.shape[1] * a.shape[2])
