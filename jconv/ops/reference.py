"""im2col and col2im, and the reference twins of the convolutions made of them: matrix products that
read like the CS231n notes.

For one image of AlexNet's conv1, 227x227x3 under an 11x11 window of stride 4: X_col is 363 x 3025,
one column per receptive field, W_row is 96 x 363, and their product 96 x 3025 is the output,
55x55x96 (CS231n notes, Implementation as Matrix Multiplication). Plain functions that autodiff sees
through.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from ..geometry import Padding, Shape, Window, volume, window
from .shapes import Geometry, k_shape
from .sharding import reshaped
from .views import views
from .widening import summed, wide_if_real


def im2col(
    x: jax.Array,
    size: int | Shape,
    *,
    stride: int | Shape = 1,
    padding: Padding = 0,
    dilation: int | Shape = 1,
    rounding: str = "floor",
) -> jax.Array:
    """X_col of each image: one column per window position, one row per input of the window.

    Shapes: (N, *S, C) -> (N, F*F*C, positions). Rows run as a kernel in HWIO does, the channel
    fastest; positions row-major. Cost: each input value is stored up to (F/S)^2 times. Raises
    ShapeError.

    AlexNet's conv1 takes 7.1 times the memory of its image that way:

    >>> image = jax.ShapeDtypeStruct((1, 227, 227, 3), jnp.float32)
    >>> cols = jax.eval_shape(lambda x: im2col(x, 11, stride=4), image)
    >>> cols.shape, round(cols.size / image.size, 3)
    ((1, 363, 3025), 7.103)
    """
    return columns(
        x,
        window(
            x.shape[1:-1],
            size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            rounding=rounding,
        ),
    )


def col2im(
    cols: jax.Array,
    in_shape: Shape,
    size: int | Shape,
    *,
    stride: int | Shape = 1,
    padding: Padding = 0,
    dilation: int | Shape = 1,
    rounding: str = "floor",
) -> jax.Array:
    """The transpose of im2col: every column's values added back where they came from, overlaps
    summed.

    Shapes: (N, F*F*C, positions) -> (N, *in_shape), with in_shape (*S, C) of one image. Raises
    ShapeError.
    """
    w = window(
        in_shape[:-1], size, stride=stride, padding=padding, dilation=dilation, rounding=rounding
    )
    image = jax.ShapeDtypeStruct((cols.shape[0], *in_shape), cols.dtype)
    return jax.linear_transpose(lambda x: columns(x, w), image)(cols)[0]


def columns(x: jax.Array, w: Window) -> jax.Array:
    """im2col for a window already worked out. (N, *S, C) -> (N, F*F*C, positions)"""
    taps = jnp.stack(views(x, w), axis=1)  # (N, F*F, *out, C)
    n, f, c = x.shape[0], volume(w.size), x.shape[-1]
    return reshaped(jnp.moveaxis(taps, -1, 2), (n, f * c, volume(w.out_sizes)))


def conv(
    x: jax.Array, kernel: jax.Array, w: Window, groups: int = 1, precision: lax.PrecisionLike = None
) -> jax.Array:
    """Convolution as the CS231n notes' matrix product: W_row X_col, a group at a time. Same shapes
    as `ops.conv`; sums are float32 at least.
    """
    dtype, x, kernel = x.dtype, wide_if_real(x), wide_if_real(kernel)
    n, c, k = x.shape[0], x.shape[-1] // groups, kernel.shape[-1] // groups
    out = []
    for g in range(groups):
        x_col = columns(x[..., g * c : (g + 1) * c], w)  # (N, F*F*c, positions)
        w_row = kernel[..., g * k : (g + 1) * k].reshape(-1, k).T  # (k, F*F*c)
        out.append(jnp.matmul(w_row[None], x_col, precision=precision))  # (N, k, positions)
    y = jnp.concatenate(out, axis=1).astype(dtype)
    return jnp.moveaxis(reshaped(y, (n, kernel.shape[-1], *w.out_sizes)), 1, -1)


def conv_transpose(
    y: jax.Array, kernel: jax.Array, w: Window, groups: int = 1, precision: lax.PrecisionLike = None
) -> jax.Array:
    """Transposed convolution: W_row^T y gives columns, col2im adds them up. Same shapes as
    `ops.conv_transpose`.
    """
    dtype, y, kernel = y.dtype, wide_if_real(y), wide_if_real(kernel)
    n, k, c = y.shape[0], y.shape[-1] // groups, kernel.shape[-2]
    out = []
    for g in range(groups):
        # (N, k, positions)
        y_row = jnp.moveaxis(y[..., g * k : (g + 1) * k].reshape(n, volume(w.out_sizes), k), -1, 1)
        w_row = kernel[..., g * k : (g + 1) * k].reshape(-1, k)  # (F*F*c, k)
        x_col = jnp.matmul(w_row[None], y_row, precision=precision)  # (N, F*F*c, positions)
        image = jax.ShapeDtypeStruct((n, *w.in_sizes, c), x_col.dtype)
        out.append(jax.linear_transpose(lambda x: columns(x, w), image)(x_col)[0])
    return jnp.concatenate(out, axis=-1).astype(dtype)


def forward(x, k, *, geometry: Geometry, precision):
    return conv(x, k, geometry.window, geometry.groups, precision)


def input_gradient(y, k, *, geometry: Geometry, precision):
    return conv_transpose(y, k, geometry.window, geometry.groups, precision)


def kernel_gradient(x, y, *, geometry: Geometry, precision):
    """The transpose of `conv` in its kernel, by autodiff."""
    k = jax.ShapeDtypeStruct(k_shape(x.shape, y.shape, geometry), y.dtype)
    return jax.linear_transpose(lambda k: forward(x, k, geometry=geometry, precision=precision), k)(
        y
    )[0]


def local_conv(
    x: jax.Array, kernel: jax.Array, w: Window, precision: lax.PrecisionLike = None
) -> jax.Array:
    """Locally connected: every column has a matrix of its own. Same shapes as `ops.local_conv`."""
    x_col = columns(x, w)  # (N, F*F*C, positions)
    k = kernel.shape[-1]
    w_row = kernel.reshape(volume(w.out_sizes), -1, k)  # (positions, F*F*C, k)
    y = summed(partial(jnp.einsum, "nfp,pfk->npk"), x_col, w_row, precision)
    return reshaped(y, (x.shape[0], *w.out_sizes, k))
