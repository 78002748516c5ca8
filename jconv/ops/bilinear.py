"""Convolution as three bilinear operations, closed under transposition.

    forward(x, k) -> y        input_gradient(y, k) -> x        kernel_gradient(x, y) -> k

Each is linear in each argument, and the transpose of any one of them is one of the other two, so backprop, forward mode, second
order, per-example gradients, scan and checkpoint all follow from `ad.defbilinear` and one rule for batching, and each is free to
run by a method of its own: `method` holds a word for each, chosen when the program is lowered where it is "auto" (plan.py) or names a
method that the precision excludes. `precision` is resolved when an operation is bound (precision.py); its gradients have the same.

Arrays: x (N, *S, C), y (N, *S', K), k (*F, C/groups, K). They go through jit (sharded too), vmap, scan, checkpoint, export and
donation; `shard_map(check_vma=True)` and explicit-axis meshes are not supported: use `method="lax"` there.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from . import plan
from .direct import Geometry, k_shape, x_shape, y_shape
from .methods import METHODS, OPERATIONS
from .precision import is_highest

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
    def rule(operands, axes, *, geometry: Geometry, precision, method):
        size = next(a.shape[axis] for a, axis in zip(operands, axes, strict=True) if axis is not None)
        without = next((kind for kind, axis in zip(kinds, axes, strict=True) if axis is None), None)
        into = _MISSING_FROM[without]
        folded = [
            a if axis is None else _fold(kind, jnp.moveaxis(a, axis, 0), into, geometry)
            for kind, a, axis in zip(kinds, operands, axes, strict=True)
        ]
        if into == "g":  # another convolution, which the method may not serve
            grouped, method = geometry._replace(groups=geometry.groups * size), ("auto",) * len(OPERATIONS)
        else:
            grouped = geometry
        return _unfold(result, primitive.bind(*folded, geometry=grouped, precision=precision, method=method), into, geometry, size), 0

    return rule


def _primitive(operation: str, shape, kinds: str, result: str) -> Primitive:
    primitive = Primitive(f"jconv_{operation}")

    def run(a, b, *, geometry: Geometry, precision, method, platform: str, devices: int):
        word = method[OPERATIONS.index(operation)]
        highest = is_highest(precision)
        if word == "auto" or (highest and not METHODS[word].local):
            shapes = {kinds[0]: a.shape, kinds[1]: b.shape, result: shape(a.shape, b.shape, geometry)}
            integers = not jnp.issubdtype(a.dtype, jnp.inexact)
            word = plan.choose(plan.Job(operation, shapes["x"], shapes["k"], geometry, devices, integers, highest), platform)
        runs = plan.placed(operation, word, getattr(METHODS[word], operation), platform)
        return runs(a, b, geometry=geometry, precision=precision)

    def lowering(platform: str):
        def rule(context, *operands, **params):
            devices = getattr(context.module_context.axis_context, "num_devices", 1)
            lower = mlir.lower_fun(partial(run, platform=platform, devices=devices), multiple_results=False)
            return lower(context, *operands, **params)

        return rule

    eager = jax.jit(primitive.bind, static_argnames=("geometry", "precision", "method"))  # one cache, or each call would trace anew
    primitive.def_impl(lambda *operands, **params: eager(*operands, **params))

    def abstract(a, b, *, geometry, precision, method):
        if a.dtype != b.dtype:
            raise TypeError(f"convolution of {a.dtype} with {b.dtype}: cast one to the other's dtype")
        return ShapedArray(shape(a.shape, b.shape, geometry), a.dtype)

    primitive.def_abstract_eval(abstract)
    mlir.register_lowering(primitive, lowering(""))
    for platform in plan.PLATFORMS:
        mlir.register_lowering(primitive, lowering(platform), platform=platform)
    batching.primitive_batchers[primitive] = _batching_rule(primitive, kinds, result)
    return primitive


forward_p = _primitive("forward", y_shape, "xk", "y")
input_gradient_p = _primitive("input_gradient", x_shape, "yk", "x")
kernel_gradient_p = _primitive("kernel_gradient", k_shape, "xy", "k")
PRIMITIVES = {"forward": forward_p, "input_gradient": input_gradient_p, "kernel_gradient": kernel_gradient_p}

ad.defbilinear(forward_p, lambda ct, x, k, **p: input_gradient_p.bind(ct, k, **p), lambda ct, x, k, **p: kernel_gradient_p.bind(x, ct, **p))
ad.defbilinear(input_gradient_p, lambda ct, y, k, **p: forward_p.bind(ct, k, **p), lambda ct, y, k, **p: kernel_gradient_p.bind(ct, y, **p))
ad.defbilinear(kernel_gradient_p, lambda ct, x, y, **p: input_gradient_p.bind(y, ct, **p), lambda ct, x, y, **p: forward_p.bind(x, ct, **p))
