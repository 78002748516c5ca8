"""Convolution, transposed convolution and locally connected windows, each by several methods that
give the same numbers.

"auto" runs the bilinear primitives of bilinear.py, "lax" plain lax and lax's own gradients (the
escape for tools that read jaxprs), "im2col" the reference of reference.py.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from ..errors import ShapeError
from ..geometry import Padding, Shape, Window, transposed_sizes, window
from . import reference
from .bilinear import forward_p, input_gradient_p
from .methods import Choice, check_method, check_serves, check_whole, derived, per_operation
from .methods.direct import dimensions, forward
from .precision import resolved
from .primitive import bind
from .shapes import Geometry
from .views import filled
from .widening import summed

NO_AXES = Window((), (), (), (), (), (), ())


def conv(
    x: jax.Array,
    kernel: jax.Array,
    *,
    stride: int | Shape = 1,
    padding: Padding = 0,
    dilation: int | Shape = 1,
    groups: int = 1,
    rounding: str = "floor",
    padding_mode: str = "zeros",
    method: Choice = "auto",
    precision: lax.PrecisionLike = None,
) -> jax.Array:
    """Cross-correlation, the convolution of the CS231n notes: y[n, p, k] = sum over f, c of x[n,
    p*S + f*dilation - lo, c] * kernel[f, c, k].

    Shapes: x (N, *in, C), kernel (*F, C/groups, K) -> (N, *out, K) for 1 to 3 spatial axes; sizes
    as `geometry.window` says. Of `groups` blocks of output channels each reads its own block of
    input channels. `padding_mode` says what padding holds: "zeros", "reflect", "replicate" or
    "circular" (see `views.filled`).
    Methods: "auto"; "lax" is plain lax.conv_general_dilated and its own gradients; "im2col" is the
    reference.
    Precision: None is jax's own setting. Below the highest, "auto" may run a method that computes
    neighbouring outputs together ("winograd", "fft"). Their errors are float32's rounding of the
    largest numbers about, so what a pixel is reaches a few positions whose window does not hold it:
    a NaN as NaN, a very large pixel as noise; and of whole numbers the sums need not be whole. At
    the highest precision no such method runs, and one named runs as "auto" does.
    `precision="highest"` asks for it here, or `jax.config.update("jax_default_matmul_precision",
    "highest")` everywhere. Raises ShapeError for ranks, channels or windows that do not fit;
    ValueError for an unknown method or precision; TypeError for two dtypes, and for booleans.
    Integers are multiplied and added as such, and wrap round as NumPy's where they overflow.
    Source: CS231n notes, Convolutional Layer; groups as Caffe's and PyTorch's.
    """
    check_method(method)
    _check_operands("x", x, kernel, groups)
    w = window(
        x.shape[1:-1],
        kernel.shape[:-2],
        stride=stride,
        padding=padding,
        dilation=dilation,
        rounding=rounding,
    )
    x, w = filled(x, w, padding_mode, reference=method == "im2col")
    if method == "im2col":
        return reference.conv(x, kernel, w, groups, resolved(precision))
    geometry, exact = Geometry(w, groups), resolved(precision)
    if method == "lax":
        return forward(x, kernel, geometry=geometry, precision=exact)
    check_serves(method, kernel.shape, geometry)
    return bind(
        forward_p, x, kernel, geometry=geometry, precision=exact, method=per_operation(method)
    )


def conv_transpose(
    y: jax.Array,
    kernel: jax.Array,
    *,
    stride: int | Shape = 1,
    padding: Padding = 0,
    dilation: int | Shape = 1,
    groups: int = 1,
    out_sizes: Shape | None = None,
    method: Choice = "auto",
    precision: lax.PrecisionLike = None,
) -> jax.Array:
    """Transposed convolution: the input gradient of `conv` by the same kernel and settings, under
    another name.

    Shapes: y (N, *in, K), kernel (*F, C/groups, K) as of the convolution it transposes -> (N,
    *out_sizes, C); `out_sizes` may be any that convolve back to y's sizes and is by default the
    smallest, (W - 1)*S + dilation*(F - 1) + 1 - lo - hi. Raises ShapeError, ValueError, TypeError
    as `conv` does.
    """
    check_method(method)
    _check_operands("y", y, kernel, groups)
    sizes = out_sizes or transposed_sizes(
        y.shape[1:-1], kernel.shape[:-2], stride=stride, padding=padding, dilation=dilation
    )
    w = window(sizes, kernel.shape[:-2], stride=stride, padding=padding, dilation=dilation)
    if w.out_sizes != y.shape[1:-1]:
        raise ShapeError(
            f"out_sizes {sizes} convolve to {w.out_sizes}, not to the input's {y.shape[1:-1]}; "
            "leave them out for the smallest that do, or add fewer than the stride to those"
        )
    geometry, exact = Geometry(w, groups), resolved(precision)
    if method == "im2col":
        return reference.conv_transpose(y, kernel, w, groups, exact)
    if method == "lax":
        return derived.input_gradient(y, kernel, geometry=geometry, precision=exact)
    check_serves(method, kernel.shape, geometry)
    return bind(
        input_gradient_p,
        y,
        kernel,
        geometry=geometry,
        precision=exact,
        method=per_operation(method),
    )


def local_conv(
    x: jax.Array,
    kernel: jax.Array,
    *,
    size: int | Shape,
    stride: int | Shape = 1,
    padding: Padding = 0,
    dilation: int | Shape = 1,
    method: str = "auto",
    precision: lax.PrecisionLike = None,
) -> jax.Array:
    """Locally connected: a convolution whose every output position has a kernel of its own.

    Shapes: x (N, *in, C), kernel (*out, *F, C, K) -> (N, *out, K), with F = size.
    Methods as in `conv`; "auto" is the batched matrix product over im2col's columns, "lax" is
    lax.conv_general_dilated_local. Raises ShapeError when the kernel does not belong to x's sizes,
    TypeError for two dtypes.
    Source: CS231n notes, Convolutional Layer (locally-connected).
    """
    check_whole(method)
    if kernel.ndim != 2 * x.ndim - 2:
        raise ShapeError(
            f"x of shape {x.shape} for a kernel of shape {kernel.shape}: x (N, *sizes, C) and a "
            "kernel (*out, *window, C, features) were "
            "expected; either x lacks the batch axis, or the kernel is not one of local_conv's"
        )
    _check_dtypes("x", x, kernel)
    w = window(x.shape[1:-1], size, stride=stride, padding=padding, dilation=dilation)
    expected = (*w.out_sizes, *w.size, x.shape[-1])
    if kernel.shape[:-1] != expected:
        raise ShapeError(
            f"kernel of shape {kernel.shape} for one example of shape {x.shape[1:]}: {expected} "
            "and the features were expected; "
            "initialise for this input shape"
        )
    if method != "lax":
        return reference.local_conv(x, kernel, w, precision)
    # (*out, F*F*C, K), but lax runs the channel slowest
    flat = kernel.reshape(*w.out_sizes, -1, kernel.shape[-1])
    order = jnp.moveaxis(jnp.arange(flat.shape[-2]).reshape(*w.size, -1), -1, 0).reshape(-1)
    return lax.conv_general_dilated_local(
        x,
        flat[..., order, :],
        w.stride,
        w.pads,
        w.size,
        rhs_dilation=w.dilation,
        dimension_numbers=dimensions(w.rank),
        precision=precision,
    )


def dense(
    x: jax.Array, kernel: jax.Array, *, method: str = "auto", precision: lax.PrecisionLike = None
) -> jax.Array:
    """y = x @ kernel, as a convolution over no spatial axes: one of the bilinear operations. "lax"
    and "im2col" are the plain product.

    Shapes: x (N, C), kernel (C, K) -> (N, K).
    Raises ShapeError for ranks or sizes that do not fit, TypeError for two dtypes, ValueError for
    an unknown method.
    """
    check_whole(method)
    if x.ndim != 2 or kernel.ndim != 2 or x.shape[1] != kernel.shape[0]:
        raise ShapeError(
            f"x of shape {x.shape} for a kernel of shape {kernel.shape}: (batch, features) and "
            "(features, outputs) were expected"
        )
    _check_dtypes("x", x, kernel)
    if method != "auto":
        return summed(jnp.matmul, x, kernel, precision)
    return bind(
        forward_p,
        x,
        kernel,
        geometry=Geometry(NO_AXES, 1),
        precision=resolved(precision),
        method=per_operation("auto"),
    )


def _check_operands(name: str, a: jax.Array, kernel: jax.Array, groups: int) -> None:
    """x or y of a convolution against its kernel: ranks, groups, channels, dtypes."""
    if a.ndim != kernel.ndim:
        raise ShapeError(
            f"{name} of shape {a.shape} for a kernel of shape {kernel.shape}: {kernel.ndim} axes "
            "were expected; "
            f"either {name} lacks the batch axis, or the kernel was initialised for a shape with "
            "the batch axis"
        )
    if not 3 <= a.ndim <= 5:
        raise ShapeError(
            f"{name} of shape {a.shape} has {a.ndim} axes; the layout is (batch, *sizes, channels) "
            "with 1 to 3 sizes"
        )
    features = kernel.shape[-1]
    if groups < 1 or features % groups:
        raise ShapeError(
            f"{groups} groups do not divide {features} output channels; use a divisor of {features}"
        )
    expected = kernel.shape[-2] * groups if name == "x" else features
    if a.shape[-1] != expected:
        swapped = (
            f"; axis 1 has {expected}: if {name} is channels-first, move them last"
            if a.shape[1] == expected
            else ""
        )
        raise ShapeError(
            f"{name} of shape {a.shape} has {a.shape[-1]} channels, but the kernel of shape "
            f"{kernel.shape} reads {expected}; "
            f"initialise for this input, or give it {expected}{swapped}"
        )
    _check_dtypes(name, a, kernel)


def _check_dtypes(name: str, a: jax.Array, kernel: jax.Array) -> None:
    if a.dtype == bool:
        raise TypeError(
            f"{name} is {a.dtype}, numbers were expected; {name}.astype(jnp.float32) has ones and "
            "zeros"
        )
    if a.dtype != kernel.dtype:
        raise TypeError(
            f"{name} is {a.dtype} but its kernel {kernel.dtype}; cast one to the other's dtype"
        )
