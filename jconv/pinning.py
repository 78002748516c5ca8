"""Which convolutions of a program do not compile, when a program of many does not: found by compiling each alone.

cuDNN has no algorithm for some shapes and dtypes ("Failed to determine best cudnn convolution algorithm"), and the error does not say
for which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.errors import JaxRuntimeError

from .ops.bilinear import PRIMITIVES
from .ops.plan import Job

SIGNS = ("cudnn", "convolution algorithm", "dnn_")  # in the error of such a compilation, in small letters


def is_convolution_failure(error: Exception) -> bool:
    """Whether an error may come from a convolution that the backend's library cannot do."""
    return isinstance(error, JaxRuntimeError) and any(sign in str(error).lower() for sign in SIGNS)


def failing(jaxpr: Any, compiles: Callable[[Any], bool] | None = None) -> list[Job]:
    """The convolutions of a jaxpr that do not compile by themselves, each kind once. `compiles(equation)` tries one."""
    found: dict[Job, bool] = {}
    for equation in convolutions(jaxpr):
        job = _job(equation)
        if job not in found:
            found[job] = not (compiles or compiles_alone)(equation)
    return [job for job, fails in found.items() if fails]


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
    """Whether a program of this one convolution compiles."""
    operands = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars]
    try:
        jax.jit(lambda *a: equation.primitive.bind(*a, **equation.params)).lower(*operands).compile()
    except JaxRuntimeError:
        return False
    return True


def described(jobs: list[Job]) -> str:
    """What a warning says of them."""
    names = [f"the {job.operation.replace('_', ' ')} of {'x'.join(map(str, job.x))} by {'x'.join(map(str, job.k))}" for job in jobs]
    return ", ".join(names)


def _job(equation: Any) -> Job:
    shapes = [v.aval.shape for v in (*equation.invars, *equation.outvars)]
    operation = next(name for name, primitive in PRIMITIVES.items() if primitive is equation.primitive)
    kinds = {"forward": "xky", "input_gradient": "ykx", "kernel_gradient": "xyk"}[operation]
    named = dict(zip(kinds, shapes, strict=True))
    return Job(operation, named["x"], named["k"], equation.params["geometry"])


def _is_jaxpr(value: Any) -> bool:
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")
