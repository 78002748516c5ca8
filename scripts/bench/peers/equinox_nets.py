"""Equinox: eqx.filter_jit with everything but the batch donated, vmap over the batch, its State for
batch norm.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..case import MOMENTUM, RATE, Case, What, draw
from ..task import Stepper, Task, Unable, loss_shown
from .equinox_layers import BATCH, build


def task(case: Case, what: What) -> Task:
    if case.images:
        raise Unable("an operation is lax's own in Equinox too")
    given, dtype = draw(case), jnp.dtype(case.dtype)
    model, state = eqx.nn.make_with_state(build)(case.net, case.in_shape, given.params)
    x = jnp.asarray(np.ascontiguousarray(np.moveaxis(given.images, -1, 1)), dtype)  # its own layout
    make = {
        "forward": _forward,
        "gradient": _gradient,
        "train": _train,
        "per-example": _per_example,
    }[what]
    run, shown = make(model, state, x, jnp.asarray(given.labels))
    return Task(
        run, shown, sum(p.size for p in jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array)))
    )


def scores_of(model: Any, state: Any, x: jax.Array) -> tuple[jax.Array, Any]:
    """The scores of a batch in its dtype, and the new state."""
    model = jax.tree.map(lambda a: a.astype(x.dtype) if eqx.is_inexact_array(a) else a, model)
    return jax.vmap(model, in_axes=(0, None), out_axes=(0, None), axis_name=BATCH)(x, state)


def cross_entropy(scores: jax.Array, labels: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(
        scores.astype(jnp.float32), labels
    ).mean()


def _forward(model, state, x, labels):
    f = eqx.filter_jit(scores_of)
    return lambda: f(model, state, x), lambda result: [np.asarray(result[0], np.float64)]


def _gradient(model, state, x, labels):
    f = eqx.filter_jit(
        eqx.filter_value_and_grad(
            lambda model, x: jnp.square(scores_of(model, state, x)[0].astype(jnp.float32)).sum()
        )
    )
    return lambda: f(model, x), lambda result: [np.asarray(result[0], np.float64)]


def _train(model, state, x, labels):
    optimizer = optax.sgd(RATE, MOMENTUM)

    def loss(model, state, x, labels):
        scores, state = scores_of(model, state, x)
        return cross_entropy(scores, labels), state

    @eqx.filter_jit(donate="all-except-first")
    def step(batch, carried):
        model, state, memory = carried
        (value, state), gradient = eqx.filter_value_and_grad(loss, has_aux=True)(
            model, state, *batch
        )
        updates, memory = optimizer.update(gradient, memory)
        return (eqx.apply_updates(model, updates), state, memory), value

    memory = optimizer.init(eqx.filter(model, eqx.is_inexact_array))
    return Stepper(
        lambda carried, *batch: step(batch, carried), (model, state, memory), x, labels
    ), loss_shown


def _per_example(model, state, x, labels):
    if jax.tree.leaves(state):
        raise Unable("running statistics cannot be updated one example at a time")

    def loss(model, x, label):
        return cross_entropy(model(x)[None], label[None])

    f = eqx.filter_jit(eqx.filter_vmap(eqx.filter_grad(loss), in_axes=(None, 0, 0)))
    squares = lambda gradient: [
        np.asarray(sum(jnp.square(g).sum() for g in jax.tree.leaves(gradient)), np.float64)
    ]
    return lambda: f(model, x, labels), squares
