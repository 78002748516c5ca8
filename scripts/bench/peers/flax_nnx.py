"""Flax NNX: nnx.jit with model and optimizer donated and their graph cached (nnx.cached_partial),
nnx.Optimizer over nnx.Param.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from ..case import MOMENTUM, RATE, Case, What, draw
from ..task import Task, Unable
from .nnx_layers import build


def task(case: Case, what: What) -> Task:
    if case.images:
        raise Unable("an operation is lax's own in Flax too")
    given, dtype = draw(case), jnp.dtype(case.dtype)
    model = build(case.net, case.in_shape, given.params, None if case.dtype == "float32" else dtype)
    x, labels = jnp.asarray(given.images, dtype), jnp.asarray(given.labels)
    run, shown = {
        "forward": _forward,
        "gradient": _gradient,
        "train": _train,
        "per-example": _per_example,
    }[what](model, x, labels)
    return Task(run, shown, sum(p.size for p in jax.tree.leaves(nnx.state(model, nnx.Param))))


def cross_entropy(scores: jax.Array, labels: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(
        scores.astype(jnp.float32), labels
    ).mean()


def _forward(model, x, labels):
    f = nnx.cached_partial(nnx.jit(lambda model, x: model(x)), model)
    return lambda: f(x), lambda y: [np.asarray(y, np.float64)]


def _gradient(model, x, labels):
    f = nnx.jit(nnx.value_and_grad(lambda model, x: jnp.square(model(x).astype(jnp.float32)).sum()))
    cached = nnx.cached_partial(f, model)
    return lambda: cached(x), lambda result: [np.asarray(result[0], np.float64)]


def _train(model, x, labels):
    optimizer = nnx.Optimizer(model, optax.sgd(RATE, MOMENTUM), wrt=nnx.Param)

    def step(model, optimizer, x, labels):
        loss, gradient = nnx.value_and_grad(lambda model: cross_entropy(model(x), labels))(model)
        optimizer.update(model, gradient)
        return loss

    cached = nnx.cached_partial(nnx.jit(step, donate_argnums=(0, 1)), model, optimizer)

    def run():
        loss = cached(x, labels)
        return nnx.state(model), loss

    return run, lambda result: [np.asarray(result[1], np.float64)]


def _per_example(model, x, labels):
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    if jax.tree.leaves(rest):
        raise Unable("running statistics cannot be updated one example at a time")

    def loss(params, x, label):
        return cross_entropy(nnx.merge(graph, params, rest)(x[None]), label[None])

    f = jax.jit(jax.vmap(jax.grad(loss), (None, 0, 0)))
    squares = lambda gradient: [
        np.asarray(sum(jnp.square(g).sum() for g in jax.tree.leaves(gradient)), np.float64)
    ]
    return lambda: f(params, x, labels), squares
