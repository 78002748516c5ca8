"""A function compiled by itself inside a larger program."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import jax
from jax.experimental.xla_metadata import set_xla_metadata


def apart(run: Callable, static: tuple[str, ...]) -> Callable:
    """`run`, which XLA neither inlines nor fuses with what is around it; `static` names its settings, given by keyword.

    The CPU compiler would else compute the layers before a convolution again inside the loops that lay its operands out, element by
    element in transposed order: for batch norm and ReLU before a kernel gradient that took ten times as long as the layout.
    """

    inner = jax.jit(run, static_argnames=static)

    @wraps(run)
    def call(*operands, **settings):
        # The attribute is the call's alone: around it, as a context, it would be on loops inside too, whose bodies then stay apart.
        return set_xla_metadata(inner(*operands, **settings), inlineable="false")

    return call
