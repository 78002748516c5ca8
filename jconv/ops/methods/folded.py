"""Three-dimensional convolution as a two-dimensional one: method "fold". Shapes as in direct.py.

XLA's CPU compiler has fast code for two spatial axes only, so the window's positions along the
first axis become channels: x (N, D, H, W, C) is laid out as N*D' images (H, W, F*C) for a kernel
(F, F, F*C, K). Where the stride along that axis is 1, forward and kernel gradient fold y the same
way instead, as N*D images (H, W, F*K), which is a little faster. Cost: x or y is stored F times.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...geometry import Shape, Window
from ..shapes import Geometry, first_and_rest, images, mirrored, x_shape, y_shape
from ..views import views
from . import direct


def serves(k: Shape, geometry: Geometry) -> str:
    """Why it cannot, or ""."""
    return (
        ""
        if geometry.window.rank == 3 and geometry.groups == 1
        else "three spatial axes and one group"
    )


def forward(x, k, *, geometry: Geometry, precision):
    first, rest = first_and_rest(geometry)
    if first.stride == (1,):
        # (N*D, H', W', F*K)
        seen = direct.forward(images(x), _fold_features(k), geometry=rest, precision=precision)
        return _unfold(seen, y_shape(x.shape, k.shape, geometry), mirrored(first))
    y = direct.forward(_fold(x, first), _fold_channels(k), geometry=rest, precision=precision)
    return y.reshape(x.shape[0], *geometry.window.out_sizes, k.shape[-1])


def input_gradient(y, k, *, geometry: Geometry, precision):
    first, rest = first_and_rest(geometry)
    # (N*D', H, W, F*C)
    seen = direct.input_gradient(images(y), _fold_channels(k), geometry=rest, precision=precision)
    return _unfold(seen, x_shape(y.shape, k.shape, geometry), first)


def kernel_gradient(x, y, *, geometry: Geometry, precision):
    first, rest = first_and_rest(geometry)
    f, c, features = first.size[0], x.shape[-1], y.shape[-1]
    if first.stride == (1,):
        # (F, F, C, F*K)
        k = direct.kernel_gradient(
            images(x), _fold(y, mirrored(first)), geometry=rest, precision=precision
        )
        return jnp.moveaxis(k.reshape(*k.shape[:2], c, f, features), 3, 0)[::-1]
    # (F, F, F*C, K)
    k = direct.kernel_gradient(_fold(x, first), images(y), geometry=rest, precision=precision)
    return jnp.moveaxis(k.reshape(*k.shape[:2], f, c, features), 2, 0)


def _fold(a, first: Window):
    """(N, D, H, W, C) -> (N*D', H, W, F*C)"""
    n, d, *sizes, c = a.shape
    seen = views(a.reshape(n, d, sizes[0] * sizes[1] * c), first)  # F arrays (N, D', H*W*C)
    return jnp.concatenate([images(v.reshape(n, v.shape[1], *sizes, c)) for v in seen], axis=-1)


def _unfold(folded, shape: Shape, first: Window):
    """The transpose of _fold."""
    return jax.linear_transpose(
        lambda a: _fold(a, first), jax.ShapeDtypeStruct(shape, folded.dtype)
    )(folded)[0]


def _fold_channels(k):
    """(F, F, F, C, K) -> (F, F, F*C, K), the first axis of the window before the channels."""
    k = jnp.moveaxis(k, 0, 2)
    return k.reshape(*k.shape[:2], k.shape[2] * k.shape[3], k.shape[4])


def _fold_features(k):
    """(F, F, F, C, K) -> (F, F, C, F*K), the first axis of the window reversed, before the
    features.
    """
    k = jnp.moveaxis(k[::-1], 0, 3)
    return k.reshape(*k.shape[:3], k.shape[3] * k.shape[4])
