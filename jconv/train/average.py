"""An exponential moving average of what is trained."""

from __future__ import annotations

from typing import TypeVar

import jax
import jax.numpy as jnp

Tree = TypeVar("Tree")


def averaged(average: Tree, new: Tree, step: jax.Array, decay: float) -> Tree:
    """average <- d·average + (1 - d)·new with d = min(decay, (1 + step)/(10 + step)), so that the
    first steps, far from where it ends, are soon forgotten; whole numbers are taken as they are.

    `step` is the number of steps before, from 0. Shapes: two trees of one structure. Source:
    TensorFlow's ExponentialMovingAverage; the form average + (1 - d)·(new - average) leaves what is
    not trained as it is, to the bit.
    """
    t = step.astype(jnp.float32)
    d = jnp.minimum(decay, (1 + t) / (10 + t))

    def one(old: jax.Array, now: jax.Array) -> jax.Array:
        if not jnp.issubdtype(now.dtype, jnp.inexact):
            return now
        return old + (1 - d).astype(old.dtype) * (now - old)

    return jax.tree.map(one, average, new)
