"""Half precision is summed in float32: a long sum in bfloat16 stops growing at some hundred times its terms."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def wide(x: jax.Array) -> jax.Array:
    """x in float32, or as it is where it is wider."""
    return x.astype(wide_dtype(x.dtype))


def wide_dtype(dtype: Any) -> np.dtype:
    """float32, or the dtype itself where it is wider. Not by jnp, whose strict promotion forbids it."""
    return np.promote_types(dtype, np.float32)


def wide_if_real(x: jax.Array) -> jax.Array:
    """The same, and integers as they are."""
    return wide(x) if jnp.issubdtype(x.dtype, jnp.inexact) else x
