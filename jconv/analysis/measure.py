"""What a layer declares of itself, and what it does not, measured from its trace: arrays,
multiply-adds, what is saved for the gradient.

Traces compute nothing: a function is turned into a jaxpr, jax's list of its operations, and that is
read. All of it is kept by layer and shape, so a net of equal blocks is measured once. What a
layer's outputs see is in support.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import Literal

from ..geometry import Shape, Window
from ..layer import Layer
from ..layers.activation import Activation, Lambda
from ..ops.bilinear import PRIMITIVES

CACHED = 4096  # layers and shapes
PRODUCTS = (  # of unknown cost
    *(
        "pallas_call",
        "custom_call",
        "ffi_call",
        "tpu_custom_call",
        "ragged_dot_general",
        "scaled_matmul",
    ),
    *("pure_callback", "io_callback", "custom_root"),
)


class Kept(NamedTuple):
    """What is kept for the gradient: which inputs, as they came; whether the output, as it leaves;
    bytes per example, and in any case.
    """

    inputs: tuple[bool, ...]
    output: bool
    each: int
    fixed: int


def parameters_of(layer: Layer, in_shape: Shape) -> tuple[int, int]:
    """How many trained values a layer that holds no other has, and how many that training updates
    outside the gradient.
    """
    if type(layer).init is Layer.init:
        size = lambda arrays: sum(p.size for p in arrays.values())
        return size(layer.parameters(in_shape)), size(layer.statistics(in_shape))
    size = lambda tree: sum(math.prod(a.shape) for a in jax.tree.leaves(tree))
    params, state = arrays_of(layer, in_shape)
    return size(params), size(state)


def macs_of(layer: Layer, in_shape: Shape) -> int | None:
    """Multiply-adds of convolutions and matrix products, as declared or else as traced; None where
    a loop's length is not known.
    """
    declared = layer.macs(in_shape) if _holds(layer, "macs") else None
    return _traced_macs(layer, in_shape) if declared is None else declared


def kept_by(layer: Layer, in_shape: Shape, dtype: str) -> Kept | None:
    """What training keeps, as declared or else as traced; None where the gradient cannot be
    traced.
    """
    declared = layer.saves(in_shape) if _holds(layer, "saves") else None
    if declared is None:
        return _traced_kept(layer, in_shape, dtype)
    item = jnp.dtype(dtype).itemsize
    each = declared.values * item + declared.wide * max(item, 4) + declared.bytes
    return Kept((declared.input,), declared.output, each, declared.fixed * item)


@lru_cache(maxsize=CACHED)
def dtype_of(layer: Layer, in_shape: Shape, dtype: str) -> str:
    """The dtype of what a layer makes of images in `dtype`: jconv's keep it, but for Normalize on
    integers.
    """
    if (
        type(layer).__module__.startswith("jconv.")
        and jnp.issubdtype(jnp.dtype(dtype), jnp.inexact)
        and not isinstance(layer, Lambda)
    ):
        return dtype
    try:
        params, state = arrays_of(layer, in_shape)
        with jax.enable_x64(True) if jnp.dtype(dtype).itemsize == 8 else nullcontext():
            x = jax.ShapeDtypeStruct((2, *in_shape), dtype)
            return jax.eval_shape(
                lambda *given: layer.apply(*given)[0], params, state, x
            ).dtype.name
    except Exception:  # then its gradient cannot be traced either, which is what is said
        return dtype


@lru_cache(maxsize=CACHED)
def kept_by_join(f: Callable, shapes: tuple[Shape, ...], dtype: str) -> Kept | None:
    """What training keeps of f(*parts), a function of batches of these shapes."""
    return _kept(lambda params, state, parts, key: f(*parts), ({}, {}), shapes, dtype)


def declared_window(layer: Layer, in_shape: Shape) -> Window | None:
    """The window that a layer declares to slide over its input, if it does."""
    return layer.over(in_shape) if _holds(layer, "over") else None


def in_place(layer: Layer) -> bool:
    """Whether the layer's output can overwrite its input, as declared."""
    return layer.in_place and _holds(layer, "in_place")


def _holds(layer: Layer, declaration: str) -> bool:
    """Whether what a layer declares is said of what it computes: a class that computes anew does
    not inherit what was said of the old.
    """
    classes = type(layer).__mro__
    where = next(i for i, c in enumerate(classes) if declaration in vars(c))
    for computes, nothing in (("apply", Layer), ("function", Activation)):
        defined = [i for i, c in enumerate(classes) if computes in vars(c) and c is not nothing]
        if len(defined) > 1 and where >= defined[1]:
            return False
    return True


# Traces
# --------------------------------------------------------------------------------------------------


def arrays_of(layer: Layer, in_shape: Shape) -> Any:
    """The shapes and dtypes of what init draws: (params, state)."""
    return jax.eval_shape(lambda key: layer.init(key, in_shape), jax.random.key(0))


@lru_cache(maxsize=CACHED)
def _traced_macs(layer: Layer, in_shape: Shape) -> int | None:
    try:
        params, state = arrays_of(layer, in_shape)
        x = jax.ShapeDtypeStruct((1, *in_shape), jnp.float32)
        return _macs(jax.make_jaxpr(lambda *given: layer.apply(*given)[0])(params, state, x).jaxpr)
    # a stranger's layer may raise anything, and what it says of itself is said where it is applied
    except Exception:
        return None


def _macs(jaxpr: Any) -> int | None:
    """Multiply-adds of a jaxpr; None for a while loop, for branches that differ, and for programs
    that are not jax's.
    """
    total = 0
    for equation in jaxpr.eqns:
        count = _equation_macs(equation)
        if count is None:
            return None
        total += count
    return total


def _equation_macs(equation: Any) -> int | None:
    name, params = equation.primitive.name, equation.params
    # each pairs every output position of the convolution with its window
    if equation.primitive in PRIMITIVES.values():
        operation = next(
            word for word, primitive in PRIMITIVES.items() if primitive is equation.primitive
        )
        arrays = dict(
            zip(
                {"forward": "xky", "input_gradient": "ykx", "kernel_gradient": "xyk"}[operation],
                _avals(equation),
                strict=True,
            )
        )
        return math.prod(arrays["y"].shape) * math.prod(arrays["k"].shape[:-1])
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        a, _, y = _avals(equation)
        return math.prod(y.shape) * math.prod(a.shape[axis] for axis in contracted)
    if name == "conv_general_dilated":
        a, k, y = _avals(equation)
        numbers = params["dimension_numbers"]
        taps = math.prod(k.shape[axis] for axis in numbers.rhs_spec[1:])
        # zeros between the pixels are not multiplied: a transposed convolution
        spread = any(d > 1 for d in params["lhs_dilation"])
        if spread:
            inputs = math.prod(
                a.shape[axis] for axis in (numbers.lhs_spec[0], *numbers.lhs_spec[2:])
            )
            return inputs * taps * k.shape[numbers.rhs_spec[0]]
        return math.prod(y.shape) * taps
    if name == "custom_linear_solve":
        return _macs(params["jaxprs"].solve.jaxpr)  # the others are for its gradient
    inside = [_macs(j) for j in _jaxprs(params)]
    if name == "while" or name in PRODUCTS or None in inside:
        return None if name in PRODUCTS or any(count != 0 for count in inside) else 0
    if name == "cond":
        return inside[0] if len(set(inside)) == 1 else None
    return sum(count for count in inside if count) * (params["length"] if name == "scan" else 1)


def _avals(equation: Any) -> list[Any]:
    return [v.aval for v in (*equation.invars, *equation.outvars)]


def _jaxprs(params: dict[str, Any]) -> Iterator[Any]:
    for value in jax.tree.leaves(
        list(params.values()), is_leaf=lambda v: hasattr(v, "eqns") or hasattr(v, "jaxpr")
    ):
        if hasattr(value, "eqns") or hasattr(value, "jaxpr"):
            yield getattr(value, "jaxpr", value)


@lru_cache(maxsize=CACHED)
def _traced_kept(layer: Layer, in_shape: Shape, dtype: str) -> Kept | None:
    def run(params, state, parts, key):
        return layer.apply(params, state, *parts, train=True, key=key)[0]

    try:
        arrays = arrays_of(layer, in_shape)
    except Exception:  # likewise
        return None
    return _kept(run, arrays, (in_shape,), dtype)


def _kept(run: Callable, arrays: Any, shapes: tuple[Shape, ...], dtype: str) -> Kept | None:
    """Of run(params, state, parts, key), by the residuals that jax.vjp leaves for several sizes of
    batch.
    """
    try:
        with jax.enable_x64(True) if jnp.dtype(dtype).itemsize == 8 else nullcontext():
            few, more, most = (_residuals(run, arrays, shapes, dtype, batch) for batch in (2, 3, 5))
    except Exception:  # no gradient, or one that fails
        return None
    each = more.each - few.each
    if most.each != few.each + 3 * each:
        return None  # it does not grow with the examples alone, as what pairs them does not
    return few._replace(each=each, fixed=few.each - 2 * each)


def _residuals(
    run: Callable, arrays: Any, shapes: tuple[Shape, ...], dtype: str, batch: int
) -> Kept:
    """For one batch: `each` is all bytes that are neither arguments nor the output nor constants,
    every array once.
    """
    parts = [jax.ShapeDtypeStruct((batch, *shape), dtype) for shape in shapes]
    key = jax.eval_shape(lambda: jax.random.key(0))

    # or there is no gradient in the input, as of images in bytes
    real = jnp.issubdtype(parts[0].dtype, jnp.inexact)

    def forward(params, state, key, parts):
        if real:
            return jax.vjp(lambda params, parts: run(params, state, parts, key), params, parts)
        return jax.vjp(lambda params: run(params, state, parts, key), params)

    def residuals_too(*given):
        y, pullback = forward(*given)
        return y, jax.tree.leaves(pullback)

    given = (*arrays, key, parts)
    y = jax.eval_shape(lambda *given: forward(*given)[0], *given)
    # a gradient of one's own may fail in its second half alone
    jax.eval_shape(lambda y, *given: forward(*given)[1](y), y, *given)
    jaxpr = jax.make_jaxpr(residuals_too)(*given).jaxpr
    inputs = jaxpr.invars[-len(parts) :]
    outputs, residuals = jaxpr.outvars[:1], jaxpr.outvars[1:]
    varying = _varying(jaxpr)
    kept = {v for v in residuals if not isinstance(v, Literal) and v in varying}
    others: list[Any] = [v.aval for v in kept - {*jaxpr.invars, *outputs}]
    size = sum(math.prod(aval.shape) * aval.dtype.itemsize for aval in others)
    output = outputs[0] in kept and outputs[0] not in jaxpr.invars
    return Kept(tuple(v in kept for v in inputs), output, size, 0)


def _varying(jaxpr: Any) -> set[Any]:
    """What depends on the arguments: the rest are constants, which a compiler need not keep."""
    varying = set(jaxpr.invars)
    for equation in jaxpr.eqns:
        if any(not isinstance(v, Literal) and v in varying for v in equation.invars):
            varying.update(equation.outvars)
    return varying
