"""Random arrays in blocks of one size.

XLA's CPU compiler takes a second or more for a random generator, anew for every shape: five for
LeNet-5's init, a minute for a ResNet's. A generator of one fixed shape is compiled once.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from ..geometry import Shape, volume

BLOCK = 16384  # values
TRUNCATED_STD = 0.87962566103423978  # the constant of jax.nn.initializers, too


def normal(key: jax.Array, shape: Shape) -> jax.Array:
    """N(0, 1), float32."""
    return _assembled(jax.random.normal, key, shape)


def truncated_normal(key: jax.Array, shape: Shape) -> jax.Array:
    """N(0, 1) without what is beyond 2 of either side, float32. Its standard deviation is
    sampling.TRUNCATED_STD.
    """
    return _assembled(_within_two, key, shape)


def uniform(key: jax.Array, shape: Shape) -> jax.Array:
    """U(0, 1), float32."""
    return _assembled(jax.random.uniform, key, shape)


def _assembled(sample, key: jax.Array, shape: Shape) -> jax.Array:
    """Block i is drawn by fold_in(key, i), here one by one and under a trace all at once."""
    size = volume(shape)
    count = -(-size // BLOCK)
    if isinstance(key, Tracer):
        blocks = jax.vmap(partial(_block, sample, key))(jnp.arange(count, dtype=jnp.uint32))
        return blocks.reshape(-1)[:size].reshape(shape)
    blocks = [_block(sample, key, np.uint32(i)) for i in range(count)]
    return jnp.asarray(
        np.concatenate([np.asarray(block) for block in blocks] or [np.zeros(0, np.float32)])[
            :size
        ].reshape(shape)
    )


def _within_two(key: jax.Array, shape: Shape, dtype) -> jax.Array:
    return jax.random.truncated_normal(key, -2, 2, shape, dtype)


@partial(jax.jit, static_argnums=0)
def _block(sample, key: jax.Array, index) -> jax.Array:
    return sample(jax.random.fold_in(key, index), (BLOCK,), jnp.float32)
