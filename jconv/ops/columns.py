"""Convolution of few input channels as one matrix product over im2col's columns, channels last: method "columns". Shapes as in direct.py.

    forward:        [every window of x, F*F*C values in a row] k
    input gradient: y k^T, each row's values added back to where they came from

XLA's CPU convolution goes through the input channels one vector at a time, and one to four channels fill none; a product over the
window's F*F*C values does. The kernel gradient is the convolution's own, where the images play the channels. Sums are float32 at least.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..geometry import Shape, Window, volume
from .direct import Geometry, kernel_gradient, x_shape
from .widening import wide_dtype
from .window import views

__all__ = ["forward", "input_gradient", "kernel_gradient", "serves"]


def serves(k: Shape, geometry: Geometry) -> str:
    """Why it cannot, or ""."""
    return "" if geometry.groups == 1 and volume(geometry.window.size) > 1 else "a window of several positions and one group"


def forward(x, k, *, geometry: Geometry, precision):
    return _product(_columns(x, geometry.window), k.reshape(-1, k.shape[-1]), precision).astype(x.dtype)


def input_gradient(y, k, *, geometry: Geometry, precision):
    columns = _product(y, k.reshape(-1, k.shape[-1]).T, precision)  # (N, *S', F*F*C)
    image = jax.ShapeDtypeStruct(x_shape(y.shape, k.shape, geometry), columns.dtype)
    return jax.linear_transpose(lambda x: _columns(x, geometry.window), image)(columns)[0].astype(y.dtype)


def _columns(x, w: Window):
    """(N, *S, C) -> (N, *S', F*F*C), in the order of a kernel in HWIO."""
    return jnp.concatenate(views(x, w), axis=-1)


def _product(a, b, precision):
    return jnp.tensordot(a, b, 1, precision=precision, preferred_element_type=wide_dtype(a.dtype))
