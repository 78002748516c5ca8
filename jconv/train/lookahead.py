"""Lookahead: slow parameters that follow the trained ones from afar, and that these go back to.
Zhang et al. 2019.
"""

from __future__ import annotations

from typing import TypeVar

import jax
import jax.numpy as jnp

Tree = TypeVar("Tree")


def look(
    fast: Tree, slow: Tree, step: jax.Array, steps: int, *, every: int = 5, keep: float = 0.95**5
) -> tuple[Tree, Tree]:
    """(fast, slow) after `step` of `steps`: every so many steps both become slow + (1 - d)·(fast -
    slow), else they stay.

    d = keep·(step/steps)³, so the slow ones are the fast ones at first, and at the end an average
    over the last steps, which is what to test. Written so, what is not trained keeps every bit. A
    select, not a branch: a branch would have the host wait for the device. Shapes: two trees of one
    structure. Source: tysam-code 2023.
    """
    due = step % every == 0
    d = keep * (step.astype(jnp.float32) / steps) ** 3
    slow = jax.tree.map(
        lambda s, f: jnp.where(due, s + (1 - d).astype(s.dtype) * (f - s), s), slow, fast
    )
    return jax.tree.map(lambda s, f: jnp.where(due, s, f), slow, fast), slow
