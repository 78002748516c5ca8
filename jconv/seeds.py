"""Random keys from seeds."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from .errors import InputError

MOST = 2**64 - 1


def check_seed(seed: Any, name: str = "seed") -> int:
    """The seed as an int. Raises InputError unless it is a whole number from 0 to 2^64 - 1."""
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not whole or not 0 <= seed <= MOST:
        raise InputError(
            f"{name}={seed!r}, a whole number from 0 to {MOST:,} (2^64 - 1) was expected"
        )
    return int(seed)


def random_key(seed: int, impl: str | None = None) -> jax.Array:
    """`jax.random.key(seed)` with all of the seed's 64 bits, of which jax by itself takes the lower
    32. Raises InputError.
    """
    seed = check_seed(seed)
    if seed < 2**32:
        return jax.random.key(np.uint32(seed), impl=impl)
    # at once, also inside a trace, whose numbers have 32 bits
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        return jax.random.key(np.uint64(seed), impl=impl)
