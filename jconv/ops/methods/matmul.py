"""Convolution by a window of one position, as the matrix product it is: method "matmul". Shapes as
in direct.py.

The kernel gradient is x^T y over all positions of the batch. XLA's CPU compiler runs a product
whose left side is transposed at half the speed of a convolution whose image is that transposed
matrix, so it is written as the latter.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from ...geometry import Shape, volume
from ..shapes import Geometry, x_shape
from ..views import views
from ..widening import summed


def serves(k: Shape, geometry: Geometry) -> str:
    """Why it cannot, or ""."""
    w = geometry.window
    return (
        ""
        if w.rank and volume(w.size) == 1 and geometry.groups == 1
        else "a window of one position and one group"
    )


def forward(x, k, *, geometry: Geometry, precision):
    return _product(views(x, geometry.window)[0], k.reshape(k.shape[-2:]), precision)


def input_gradient(y, k, *, geometry: Geometry, precision):
    seen = _product(y, k.reshape(k.shape[-2:]).T, precision)  # (N, *S', C)
    image = jax.ShapeDtypeStruct(x_shape(y.shape, k.shape, geometry), y.dtype)
    return jax.linear_transpose(lambda x: views(x, geometry.window)[0], image)(seen)[0]


def kernel_gradient(x, y, *, geometry: Geometry, precision):
    positions = x.shape[0] * volume(geometry.window.out_sizes)
    seen = views(x, geometry.window)[0].reshape(positions, x.shape[-1])
    product = lax.conv_general_dilated(
        seen.T[None],  # (1, C, positions)
        y.reshape(1, positions, y.shape[-1]),
        (1,),
        [(0, 0)],
        dimension_numbers=("NWC", "WIO", "NWC"),
        precision=precision,
    )
    return product.reshape(*geometry.window.size, x.shape[-1], y.shape[-1])


def _product(a, b, precision):
    return summed(partial(jnp.tensordot, axes=1), a, b, precision)
