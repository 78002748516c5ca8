"""Convolution as three bilinear operations, closed under transposition.

    forward(x, k) -> y        input_gradient(y, k) -> x        kernel_gradient(x, y) -> k

Each is linear in each argument, and the transpose of any one of them is one of the other two, so
backprop, forward mode, second order, per-example gradients, scan and checkpoint all follow from
`ad.defbilinear` and one rule for batching, and each is free to run by a method of its own: `method`
holds a word for each, chosen when the program is lowered where it is "auto" (methods/plan.py) or
names a method that the precision excludes. `precision` is resolved when an operation is bound
(precision.py); its gradients have the same.

Arrays: x (N, *S, C), y (N, *S', K), k (*F, C/groups, K). They go through jit, vmap, scan,
checkpoint, export and donation, and over meshes of every kind: automatic, explicit (in what a
result's type says below), and manual, inside `jax.shard_map`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching

from .methods import OPERATIONS, plan
from .precision import is_highest
from .primitive import Result, bind, define
from .shapes import Geometry, k_shape, x_shape, y_shape
from .sharding import Axes, rearranged, spread, spread_like

# Batching: a batch of any operand folds into an axis the operation already has.
# ----------------------------------------------------
#
# With their channels split, the arrays are x (N, *S, g, c), y (N, *S', g, o) and k (*F, c, g, o),
# and each of the axes N, c, o and g is missing from exactly one of them or from none. So an extra
# batch axis B, when one array does not have it, joins the axis that this array does not have
# either, and when all three have it, joins g: a convolution of B times as many groups.

_AXES = {"x": "N*gc", "y": "N*go", "k": "*cgo"}
_MISSING_FROM = {"k": "N", "y": "c", "x": "o", None: "g"}


def _position(kind: str, axis: str, rank: int) -> int:
    """Where an axis stands in the split array."""
    before, _, after = _AXES[kind].partition("*")
    return before.index(axis) if axis in before else len(before) + rank + after.index(axis)


def _fold(kind: str, a: jax.Array, axis: str, geometry: Geometry) -> jax.Array:
    """(B, *shape) -> the array with B merged into `axis`, as its slower part."""
    at = _position(kind, axis, geometry.window.rank)

    def merged(a):
        a = jnp.moveaxis(_split(a, geometry.groups), 0, at)
        return _join(a.reshape(*a.shape[:at], a.shape[at] * a.shape[at + 1], *a.shape[at + 2 :]))

    batch, *each = spread(a)
    joins = min(at, len(each) - 1)  # of groups and channels, which are one axis, the last
    each[joins] = tuple(name for name in batch if name not in each[joins]) + each[joins]
    return rearranged(merged, a, each)


def _unfold(
    kind: str, a: jax.Array, axis: str, geometry: Geometry, size: int, over: Axes
) -> jax.Array:
    """The reverse, for a result: geometry is that before folding, and B is spread over mesh axes
    `over`.
    """
    groups = geometry.groups * size if axis == "g" else geometry.groups
    at = _position(kind, axis, geometry.window.rank)

    def split_off(a):
        a = _split(a, groups)
        a = a.reshape(*a.shape[:at], size, a.shape[at] // size, *a.shape[at + 1 :])
        return _join(jnp.moveaxis(a, at, 0))

    return rearranged(split_off, a, [over, *spread(a)])


def _split(a: jax.Array, groups: int) -> jax.Array:
    """The last axis by groups. No -1 here or there: it would divide by the zero of an empty
    batch.
    """
    return a.reshape(*a.shape[:-1], groups, a.shape[-1] // groups)


def _join(a: jax.Array) -> jax.Array:
    return a.reshape(*a.shape[:-2], a.shape[-2] * a.shape[-1])


def _batching_rule(primitive: Primitive, kinds: str, result: str):
    def rule(operands, axes, *, geometry: Geometry, precision, method):
        size = next(
            a.shape[axis] for a, axis in zip(operands, axes, strict=True) if axis is not None
        )
        without = next((kind for kind, axis in zip(kinds, axes, strict=True) if axis is None), None)
        into = _MISSING_FROM[without]
        over = next(
            (
                spread(a)[axis]
                for a, axis in zip(operands, axes, strict=True)
                if axis is not None and spread(a)[axis]
            ),
            (),
        )
        folded = [
            a if axis is None else _fold(kind, jnp.moveaxis(a, axis, 0), into, geometry)
            for kind, a, axis in zip(kinds, operands, axes, strict=True)
        ]
        if into == "g":  # another convolution, which the method may not serve
            grouped, method = (
                geometry._replace(groups=geometry.groups * size),
                ("auto",) * len(OPERATIONS),
            )
        else:
            grouped = geometry
        y = bind(primitive, *folded, geometry=grouped, precision=precision, method=method)
        return _unfold(result, y, into, geometry, size, over), 0

    return rule


def _primitive(operation: str, shape, kinds: str, result: str) -> Primitive:
    def run(a, b, *, geometry: Geometry, precision, method, platform: str, devices: int):
        word = method[OPERATIONS.index(operation)]
        shapes = {
            kinds[0]: a.shape,
            kinds[1]: b.shape,
            result: shape(a.shape, b.shape, geometry),
        }
        integers = not jnp.issubdtype(a.dtype, jnp.inexact)
        work = plan.Workload(
            operation,
            shapes["x"],
            shapes["k"],
            geometry,
            devices,
            integers,
            is_highest(precision),
        )
        if word == "auto" or not work.keeps_promises(word):
            word = plan.choose(work, platform)
        return plan.runner(work, word, platform)(a, b, geometry=geometry, precision=precision)

    def results(a, b, *, geometry: Geometry, precision, method):
        if a.dtype != b.dtype:
            raise TypeError(
                f"convolution of {a.dtype} with {b.dtype}: cast one to the other's dtype"
            )
        yield Result(
            shape(a.shape, b.shape, geometry),
            a.dtype,
            _spread_result(kinds, result, a, b, geometry),
        )

    primitive = define(operation, run, results, ("geometry", "precision", "method"), plan.PLATFORMS)
    batching.primitive_batchers[primitive] = _batching_rule(primitive, kinds, result)
    return primitive


# Sharding: which axes of a result are spread over devices, where meshes are explicit.
# ---------------------------------------------
#
# An axis of the result is one of an operand, and is spread as that: images as in the image,
# channels as in the kernel. Positions never are, and over what is summed (channels forward, images
# in the kernel's gradient) the compiler sums. With groups the kernel does not have x's channels,
# but a group's outputs are spread as its inputs.

# the first and the last axis; of k the last two
_NAMED = {"x": ("N", "C"), "y": ("N", "K"), "k": ("C", "K")}
_NAMED_IN_GROUPS = {"x": ("N", "K"), "y": ("N", "K"), "k": ("one group's", "K")}


def _spread_result(kinds: str, result: str, a, b, geometry: Geometry) -> list[Axes]:
    """For each axis of the result the mesh axes."""
    named = _NAMED_IN_GROUPS if geometry.groups > 1 else _NAMED
    found: dict[str, Axes] = {}
    for kind, operand in zip(kinds, (a, b), strict=True):
        each = spread(operand)
        ends = each[-2:] if kind == "k" else (each[0], each[-1])
        for name, over in zip(named[kind], ends, strict=True):
            found[name] = found.get(name) or over
    first, last = (found.get(name, ()) for name in named[result])
    positions = [()] * geometry.window.rank
    return (
        [*positions, tuple(n for n in first if n not in last), last]
        if result == "k"
        else [first, *positions, last]
    )


forward_p = _primitive("forward", y_shape, "xk", "y")
input_gradient_p = _primitive("input_gradient", x_shape, "yk", "x")
kernel_gradient_p = _primitive("kernel_gradient", k_shape, "xy", "k")
PRIMITIVES = {
    "forward": forward_p,
    "input_gradient": input_gradient_p,
    "kernel_gradient": kernel_gradient_p,
}


def _transpose(primitive: Primitive, first, second, primal, settings):
    """The gradient of an operand, spread over devices as the operand is."""
    return spread_like(bind(primitive, first, second, **settings), primal)


ad.defbilinear(
    forward_p,
    lambda ct, x, k, **s: _transpose(input_gradient_p, ct, k, x, s),
    lambda ct, x, k, **s: _transpose(kernel_gradient_p, x, ct, k, s),
)
ad.defbilinear(
    input_gradient_p,
    lambda ct, y, k, **s: _transpose(forward_p, ct, k, y, s),
    lambda ct, y, k, **s: _transpose(kernel_gradient_p, ct, y, k, s),
)
ad.defbilinear(
    kernel_gradient_p,
    lambda ct, x, y, **s: _transpose(input_gradient_p, y, ct, x, s),
    lambda ct, x, y, **s: _transpose(forward_p, x, ct, y, s),
)
