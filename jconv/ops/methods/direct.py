"""Convolution's three bilinear operations as lax runs them: one `lax.conv_general_dilated` each,
canonical NHWC/HWIO in every position.

    forward(x, k) -> y        input_gradient(y, k) -> x        kernel_gradient(x, y) -> k

Arrays: x (N, *S, C), y (N, *S', K), k (*F, C/groups, K). They are the method "direct", the one that
serves every shape, and give the numbers that lax's own gradients give. Those carry permuted
dimension numbers, which XLA's CPU compiler handles badly inside loops, and pad by negative amounts
where a window lies in the padding alone, where XLA's CPU convolution of jaxlib 0.10 reads outside
its input (openxla/xla#48713).
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from ...geometry import Shape
from ..shapes import Geometry, x_shape


def dimensions(rank: int) -> tuple[str, str, str]:
    sizes = "DHW"[3 - rank :]
    return f"N{sizes}C", f"{sizes}IO", f"N{sizes}C"


def serves(k: Shape, geometry: Geometry) -> str:
    """Why it cannot, or ""."""
    return "" if geometry.window.rank else "one to three spatial axes"


def forward(x, k, *, geometry: Geometry, precision):
    w = geometry.window
    return lax.conv_general_dilated(
        x,
        k,
        w.stride,
        w.pads,
        rhs_dilation=w.dilation,
        dimension_numbers=dimensions(w.rank),
        feature_group_count=geometry.groups,
        precision=precision,
    )


def input_gradient(y, k, *, geometry: Geometry, precision):
    """Convolution of y, spread by the stride, with the flipped kernel."""
    w, g = geometry
    axes = zip(w.in_sizes, w.out_sizes, w.stride, w.extent, w.pads, strict=True)
    pads = [
        (extent - 1 - lo, size + lo - ((out - 1) * s + 1)) for size, out, s, extent, (lo, _) in axes
    ]
    y, pads = _without_negative(y, pads, w.stride)
    if 0 in y.shape[1:-1]:  # along some axis every window lies in the padding
        return jnp.zeros(x_shape(y.shape, k.shape, geometry), y.dtype)
    k = jnp.flip(k, range(w.rank))
    k = jnp.swapaxes(k.reshape(*k.shape[:-1], g, -1), -3, -1)  # (*F, K/g, g, C/g)
    return lax.conv_general_dilated(
        y,
        k.reshape(*k.shape[:-2], -1),
        (1,) * w.rank,
        pads,
        lhs_dilation=w.stride,
        rhs_dilation=w.dilation,
        dimension_numbers=dimensions(w.rank),
        feature_group_count=g,
        precision=precision,
    )


def _without_negative(y, pads, spread: Shape):
    """Crop y where spreading and padding it would crop it."""
    kept = []
    for axis, ((lo, hi), s) in enumerate(zip(pads, spread, strict=True), 1):
        before, after = (max(0, -(p // s)) for p in (lo, hi))
        if before or after:
            start = min(before, y.shape[axis])
            y = lax.slice_in_dim(y, start, max(start, y.shape[axis] - after), axis=axis)
        kept.append((lo + before * s, hi + after * s))
    return y, kept


def kernel_gradient(x, y, *, geometry: Geometry, precision):
    """Convolution of x with y, spread by the stride, where channels play the batch and the batch
    the channels.
    """
    w, g = geometry
    axes = zip(w.in_sizes, w.out_sizes, w.stride, w.extent, w.pads, strict=True)
    pads = [(lo, (out - 1) * s + extent - size - lo) for size, out, s, extent, (lo, _) in axes]
    n, c = x.shape[0], x.shape[-1]
    x = x.reshape(*x.shape[:-1], g, c // g)  # (N, *S, g, C/g)
    x = jnp.moveaxis(x, (-1, 0), (0, -1))  # (C/g, *S, g, N)
    return lax.conv_general_dilated(
        x.reshape(*x.shape[:-2], g * n),
        jnp.moveaxis(y, 0, -2),  # (*S', N, K)
        w.dilation,
        pads,
        rhs_dilation=w.stride,
        dimension_numbers=dimensions(w.rank),
        feature_group_count=g,
        precision=precision,
    ).transpose(*range(1, w.rank + 1), 0, w.rank + 1)  # (C/g, *F, K) -> (*F, C/g, K)
