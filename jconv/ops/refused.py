"""Which convolutions of a program the compiler refuses, where it refuses the program: found by
compiling each of them alone.

cuDNN has no algorithm for some shapes and dtypes ("Failed to determine best cudnn convolution
algorithm"), and its error does not say for which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
from jax.errors import JaxRuntimeError

from .bilinear import PRIMITIVES

# in the error of such a compilation, in small letters
SIGNS = ("cudnn", "convolution algorithm", "dnn_")
OPERANDS = {"forward": "xk", "input_gradient": "yk", "kernel_gradient": "xy"}


def is_convolution_failure(error: Exception) -> bool:
    """Whether an error may come from a convolution that the backend's library cannot do."""
    return isinstance(error, JaxRuntimeError) and any(sign in str(error).lower() for sign in SIGNS)


def refused(jaxpr: Any, compiles: Callable[[Any], bool] | None = None) -> list[Any]:
    """The equations of a jaxpr's convolutions that do not compile by themselves, one of each kind.
    `compiles(equation)` tries one.
    """
    kinds = {_kind(equation): equation for equation in convolutions(jaxpr)}
    return [equation for equation in kinds.values() if not (compiles or compiles_alone)(equation)]


def convolutions(jaxpr: Any) -> Iterator[Any]:
    """The equations of our three primitives, in this jaxpr and those inside it."""
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    for equation in jaxpr.eqns:
        if equation.primitive in PRIMITIVES.values():
            yield equation
        for value in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_jaxpr):
            if _is_jaxpr(value):
                yield from convolutions(value)


def compiles_alone(equation: Any) -> bool:
    """Whether a program of this one convolution compiles, on the backend at hand."""
    operands = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars]
    try:
        jax.jit(lambda *a: equation.primitive.bind(*a, **equation.params)).lower(
            *operands
        ).compile()
    except JaxRuntimeError:
        return False
    return True


def described(equations: Sequence[Any]) -> str:
    """Such as "the kernel gradient of 2x7x5x3 by 3x3x3x4"."""
    return ", ".join(map(_described, equations))


def _described(equation: Any) -> str:
    operation = next(
        name for name, primitive in PRIMITIVES.items() if primitive is equation.primitive
    )
    # the one that is missing is the result
    kinds = OPERANDS[operation] + "xyk".translate(str.maketrans("", "", OPERANDS[operation]))
    shapes = {
        kind: v.aval.shape
        for kind, v in zip(kinds, (*equation.invars, *equation.outvars), strict=True)
    }
    x, k = ("x".join(map(str, shapes[kind])) for kind in "xk")
    return f"the {operation.replace('_', ' ')} of {x} by {k}"


def _kind(equation: Any) -> tuple:
    return (
        equation.primitive,
        *((v.aval.shape, v.aval.dtype) for v in equation.invars),
        *sorted(equation.params.items(), key=str),
    )


def _is_jaxpr(value: Any) -> bool:
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")
