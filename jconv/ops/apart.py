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

    @wraps(run)
    def inside(*operands, **settings):
        with set_xla_metadata(inlineable=None):  # else the functions of jax.numpy in it, jitted themselves, would stay apart too
            return run(*operands, **settings)

    inner = jax.jit(inside, static_argnames=static)

    def call(*operands, **settings):
        with set_xla_metadata(inlineable="false"):
            return inner(*operands, **settings)

    return call
