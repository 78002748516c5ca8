"""Convolution's gradients as lax derives them of its forward: method "derived". Shapes as in
direct.py.

They are convolutions with permuted dimension numbers, and with `batch_group_count` for grouped
kernels: the forms that XLA's compilers for GPU and TPU know. Of the canonical ones in direct.py
cuDNN gets a strided input gradient as a convolution of an image that is mostly zeros, and a grouped
kernel gradient as one whose window is the image.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from ...geometry import Shape
from ..shapes import Geometry, k_shape, x_shape
from . import direct

forward, serves = direct.forward, direct.serves


def input_gradient(y, k, *, geometry: Geometry, precision):
    if not jnp.issubdtype(y.dtype, jnp.inexact):  # jax gives integers no cotangent
        return direct.input_gradient(y, k, geometry=geometry, precision=precision)
    run = partial(forward, k=k, geometry=geometry, precision=precision)
    return _transposed(run, x_shape(y.shape, k.shape, geometry), y)


def kernel_gradient(x, y, *, geometry: Geometry, precision):
    if not jnp.issubdtype(y.dtype, jnp.inexact):
        return direct.kernel_gradient(x, y, geometry=geometry, precision=precision)
    run = lambda k: forward(x, k, geometry=geometry, precision=precision)
    return _transposed(run, k_shape(x.shape, y.shape, geometry), y)


def _transposed(run, shape: Shape, y):
    return jax.linear_transpose(run, jax.ShapeDtypeStruct(shape, y.dtype))(y)[0]
