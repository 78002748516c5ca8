"""A function compiled by itself inside a larger program: outlined, as compilers call the reverse of
inlining.

The CPU compiler would else compute the layers before a convolution again inside the loops that lay
its operands out, element by element in transposed order: for batch norm and ReLU before a kernel
gradient that took ten times as long as the layout.

A result in another order than the operand's is best returned flat, as an array of one axis. An
array of several axes has as many layouts in memory as orders of its axes, and from jaxlib 0.12 on
XLA takes a transposition that ends such a function for a change of layout alone: nothing is moved
inside, and everything that is made of the result outside is copied into order once more. The kernel
gradient of a 3x3 convolution by "winograd" had 27 such copies in jaxlib 0.12.0 and 10 in 0.10.2,
and has 5 in both. What is computed in order is not made flat: its loops would go through one long
axis, where the compiler finds no vectors (64x28x28x1 by 5x5 to 32 by "shift" on two cores of an AMD
EPYC without AVX-512: 13 ms instead of 2.5).

Over several devices results stay as they are: flat, an axis that is spread over them would have to
be gathered.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.experimental.xla_metadata import set_xla_metadata
from jax.extend.core import Primitive
from jax.interpreters import mlir

from .sharding import devices


class Forms(NamedTuple):
    """A function jitted to return its results as they are, and flat."""

    whole: Callable
    flat: Callable


def outlined(run: Callable, static: tuple[str, ...], flat: bool = False) -> Callable:
    """`run`, which XLA neither inlines nor fuses with what is around it; `static` names its
    settings, given by keyword.

    It is for what the lowering of a primitive computes, and has neither derivatives nor batching.
    `flat` says how its results come back (above); they have their shapes either way.
    """

    @wraps(run)
    def flattened(*operands, **settings):
        return jax.tree.map(jnp.ravel, run(*operands, **settings))

    forms = Forms(*(jax.jit(f, static_argnames=static) for f in (run, flattened if flat else run)))

    @wraps(run)
    def call(*operands, **settings):
        shapes, tree = jax.tree.flatten(jax.eval_shape(forms.whole, *operands, **settings))
        results = _outlined_p.bind(
            *operands,
            forms=forms,
            settings=tuple(settings.items()),
            results=tuple((a.shape, a.dtype) for a in shapes),
        )
        return jax.tree.unflatten(tree, results)

    return call


def _types(*operands, forms: Forms, settings, results):
    return [ShapedArray(shape, dtype) for shape, dtype in results]


def _lowered(context: Any, *operands, forms: Forms, settings, results):
    one = devices(context.module_context.axis_context) == 1

    def run(*operands):
        # The attribute is the call's alone: around it, as a context, it would be on loops inside
        # too, whose bodies would then be outlined.
        found = set_xla_metadata(
            (forms.flat if one else forms.whole)(*operands, **dict(settings)), inlineable="false"
        )
        return [
            a.reshape(shape) for a, (shape, _) in zip(jax.tree.leaves(found), results, strict=True)
        ]

    return mlir.lower_fun(run, multiple_results=True)(context, *operands)


_outlined_p = Primitive("jconv_outlined")
_outlined_p.multiple_results = True
_outlined_p.def_impl(
    lambda *operands, forms, settings, results: jax.tree.leaves(
        forms.whole(*operands, **dict(settings))
    )
)
_outlined_p.def_abstract_eval(_types)
mlir.register_lowering(_outlined_p, _lowered)
