"""What all our primitives share: how they run outside of jit, what type their results have, and how
they are lowered for each platform.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
from jax.extend.core import Primitive
from jax.interpreters import mlir

from ..geometry import Shape
from .sharding import Axes, automatically, devices, joined, of_one_device, result_type


class Result(NamedTuple):
    """What is known of a result before it is computed: `axes` says for each of its axes over which
    explicit mesh axes it is spread.
    """

    shape: Shape
    dtype: Any
    axes: Sequence[Axes]


def define(
    name: str,
    run: Callable,
    results: Callable,
    settings: tuple[str, ...],
    platforms: Sequence[str],
    multiple_results: bool = False,
) -> Primitive:
    """The primitive jconv_`name`, with neither derivatives nor batching.

    `run(*operands, platform, devices, **settings)` computes it, "" being any other platform.
    `results(*operands, **settings)` gives a Result for each result, from the operands' types. Bind
    it by `bind`, which lets operands vary along the same manual axes.
    """
    primitive = Primitive(f"jconv_{name}")
    primitive.multiple_results = multiple_results
    # one cache, or each call would trace anew
    eager = jax.jit(primitive.bind, static_argnames=settings)

    def impl(*operands, **params):
        with jax.disable_jit(False):  # without jit it would call itself without end
            return eager(*operands, **params)

    def types(*operands, **params):
        found = [
            result_type(r.shape, r.dtype, r.axes, operands) for r in results(*operands, **params)
        ]
        return found if multiple_results else found[0]

    def lowering(platform: str):
        def rule(context, *operands, **params):
            body = partial(
                run,
                platform=platform,
                devices=devices(context.module_context.axis_context),
                **params,
            )
            shardings = tuple(t.sharding for t in context.avals_out)
            placed = lambda *a: automatically(
                body, shardings if multiple_results else shardings[0], a
            )
            context = context.replace(avals_in=[of_one_device(t) for t in context.avals_in])
            return mlir.lower_fun(placed, multiple_results=multiple_results)(context, *operands)

        return rule

    primitive.def_impl(impl)
    primitive.def_abstract_eval(types)
    mlir.register_lowering(primitive, lowering(""))
    for platform in platforms:
        mlir.register_lowering(primitive, lowering(platform), platform=platform)
    return primitive


def bind(primitive: Primitive, *operands, **settings) -> Any:
    """Its result, or results."""
    return primitive.bind(*joined(operands), **settings)
