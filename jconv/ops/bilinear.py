"""Convolution as three bilinear operations, closed under transposition.

    forward(x, k) -> y        input_gradient(y, k) -> x        kernel_gradient(x, y) -> k

Each is linear in each argument, and the transpose of any one of them is one of the other two, so backprop, forward mode, second
order, per-example gradients, scan and checkpoint all follow from `ad.defbilinear` and one rule for batching. They exist because
lax's own transposed convolutions carry permuted dimension numbers, which XLA's CPU compiler handles badly inside loops; the
forms here are canonical NHWC/HWIO in every position and give the same numbers. They also pad by negative amounts where a window
lies in the padding alone, and there XLA's CPU convolution of jaxlib 0.10 reads outside its input (openxla/xla#48713).

Arrays: x (N, *S, C), y (N, *S', K), k (*F, C/groups, K). They go through jit (sharded too), vmap, scan, checkpoint, export and
donation; `shard_map(check_vma=True)` and explicit-axis meshes are not supported: use `method="lax"` there.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from ..geometry import Shape, Window


class Geometry(NamedTuple):
    """What the three operations share: the window over x's spatial axes, and the groups."""

    window: Window
    groups: int


def dimensions(rank: int) -> tuple[str, str, str]:
    sizes = "DHW"[3 - rank :]
    return f"N{sizes}C", f"{sizes}IO", f"N{sizes}C"


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
    pads = [(extent - 1 - lo, size + lo - ((out - 1) * s + 1)) for size, out, s, extent, (lo, _) in axes]
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
    """Convolution of x with y, spread by the stride, where channels play the batch and the batch the channels."""
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


def y_shape(x: Shape, k: Shape, geometry: Geometry) -> Shape:
    return (x[0], *geometry.window.out_sizes, k[-1])


def x_shape(y: Shape, k: Shape, geometry: Geometry) -> Shape:
    return (y[0], *geometry.window.in_sizes, k[-2] * geometry.groups)


def k_shape(x: Shape, y: Shape, geometry: Geometry) -> Shape:
    return (*geometry.window.size, x[-1] // geometry.groups, y[-1])


# Batching: a batch of any operand folds into an axis the operation already has. ----------------------------------------------------
#
# With their channels split, the arrays are x (N, *S, g, c), y (N, *S', g, o) and k (*F, c, g, o), and each of the axes N, c, o and g
# is missing from exactly one of them or from none. So an extra batch axis B, when one array does not have it, joins the axis
# that this array does not have either, and when all three have it, joins g: a convolution of B times as many groups.

_AXES = {"x": "N*gc", "y": "N*go", "k": "*cgo"}
_MISSING_FROM = {"k": "N", "y": "c", "x": "o", None: "g"}


def _position(kind: str, axis: str, rank: int) -> int:
    """Where an axis stands in the split array."""
    before, _, after = _AXES[kind].partition("*")
    return before.index(axis) if axis in before else len(before) + rank + after.index(axis)


def _fold(kind: str, a: jax.Array, axis: str, geometry: Geometry) -> jax.Array:
    """(B, *shape) -> the array with B merged into `axis`, as its slower part."""
    a = _split(a, geometry.groups)
    at = _position(kind, axis, geometry.window.rank)
    a = jnp.moveaxis(a, 0, at)
    return _join(a.reshape(*a.shape[:at], a.shape[at] * a.shape[at + 1], *a.shape[at + 2 :]))


def _unfold(kind: str, a: jax.Array, axis: str, geometry: Geometry, size: int) -> jax.Array:
    """The reverse, for a result: geometry is that before folding."""
    groups = geometry.groups * size if axis == "g" else geometry.groups
    a = _split(a, groups)
    at = _position(kind, axis, geometry.window.rank)
    a = a.reshape(*a.shape[:at], size, a.shape[at] // size, *a.shape[at + 1 :])
    return _join(jnp.moveaxis(a, at, 0))


def _split(a: jax.Array, groups: int) -> jax.Array:
    """The last axis by groups. No -1 here or there: it would divide by the zero of an empty batch."""
    return a.reshape(*a.shape[:-1], groups, a.shape[-1] // groups)


def _join(a: jax.Array) -> jax.Array:
    return a.reshape(*a.shape[:-2], a.shape[-2] * a.shape[-1])


def _batching_rule(primitive: Primitive, kinds: str, result: str):
    def rule(operands, axes, *, geometry: Geometry, precision):
        size = next(a.shape[axis] for a, axis in zip(operands, axes, strict=True) if axis is not None)
        without = next((kind for kind, axis in zip(kinds, axes, strict=True) if axis is None), None)
        into = _MISSING_FROM[without]
        folded = [
            a if axis is None else _fold(kind, jnp.moveaxis(a, axis, 0), into, geometry)
            for kind, a, axis in zip(kinds, operands, axes, strict=True)
        ]
        grouped = geometry._replace(groups=geometry.groups * size) if into == "g" else geometry
        return _unfold(result, primitive.bind(*folded, geometry=grouped, precision=precision), into, geometry, size), 0

    return rule


def _primitive(name: str, run, shape, kinds: str, result: str) -> Primitive:
    primitive = Primitive(f"jconv_{name}")
    eager = jax.jit(run, static_argnames=("geometry", "precision"))  # one cache for eager calls, or each would trace anew
    primitive.def_impl(lambda *operands, **params: eager(*operands, **params))

    def abstract(a, b, *, geometry, precision):
        if a.dtype != b.dtype:
            raise TypeError(f"convolution of {a.dtype} with {b.dtype}: cast one to the other's dtype")
        return ShapedArray(shape(a.shape, b.shape, geometry), a.dtype)

    primitive.def_abstract_eval(abstract)
    mlir.register_lowering(primitive, mlir.lower_fun(run, multiple_results=False))
    batching.primitive_batchers[primitive] = _batching_rule(primitive, kinds, result)
    return primitive


forward_p = _primitive("conv", forward, y_shape, "xk", "y")
input_gradient_p = _primitive("conv_input_gradient", input_gradient, x_shape, "yk", "x")
kernel_gradient_p = _primitive("conv_kernel_gradient", kernel_gradient, k_shape, "xy", "k")

ad.defbilinear(forward_p, lambda ct, x, k, **p: input_gradient_p.bind(ct, k, **p), lambda ct, x, k, **p: kernel_gradient_p.bind(x, ct, **p))
ad.defbilinear(input_gradient_p, lambda ct, y, k, **p: forward_p.bind(ct, k, **p), lambda ct, y, k, **p: kernel_gradient_p.bind(ct, y, **p))
ad.defbilinear(kernel_gradient_p, lambda ct, x, y, **p: input_gradient_p.bind(y, ct, **p), lambda ct, x, y, **p: forward_p.bind(x, ct, **p))
