"""Half precision is summed in float32: a long sum in bfloat16 stops growing at some hundred times
its terms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def wide(x: jax.Array) -> jax.Array:
    """x in float32, or as it is where it is wider."""
    return x.astype(wide_dtype(x.dtype))


def wide_dtype(dtype: Any) -> np.dtype:
    """float32, or the dtype itself where it is wider. Not by jnp, whose strict promotion forbids
    it.
    """
    return (
        np.promote_types(dtype, np.float32)
        if jnp.issubdtype(dtype, jnp.inexact)
        else np.dtype(np.float32)
    )


def wide_if_real(x: jax.Array) -> jax.Array:
    """The same, and integers as they are."""
    return wide(x) if jnp.issubdtype(x.dtype, jnp.inexact) else x


def check_numbers(x: Any, name: str) -> None:
    """Raises TypeError for booleans."""
    if x.dtype == bool:
        raise TypeError(
            f"{name}: x is {x.dtype}, numbers were expected; x.astype(jnp.float32) has ones and "
            "zeros"
        )


def narrowed(x: jax.Array, y: jax.Array) -> jax.Array:
    """y in x's dtype, unless that is an integer's, which would truncate it."""
    return y.astype(x.dtype) if jnp.issubdtype(x.dtype, jnp.inexact) else y


def summed(
    product: Callable, a: jax.Array, b: jax.Array, precision: lax.PrecisionLike
) -> jax.Array:
    """product(a, b), summed in float32 at least, in the dtype that both have.

    A CPU's half precision is widened before: left to itself, the compiler of jaxlib 0.12 sums some
    products of bfloat16 in bfloat16, and asked for sums in float32 it refuses those of a batch of
    matrices. Accelerators have units that sum in float32.
    """
    plain = lambda a, b: product(a, b, precision=precision)
    if a.dtype == wide_dtype(a.dtype) or not jnp.issubdtype(a.dtype, jnp.inexact):
        return plain(a, b)
    return lax.platform_dependent(
        a, b, cpu=lambda a, b: plain(wide(a), wide(b)).astype(a.dtype), default=plain
    )
