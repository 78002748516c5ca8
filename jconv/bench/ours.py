"""jconv, by any of its methods. The method "lax" is plain lax under plain jax.jit: what all the others are measured against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..compilation import jit
from ..layer import Layer, with_method
from .case import MOMENTUM, RATE, Case, Given, What, draw
from .task import Stepper, Task, loss_shown

Jit = Callable[..., Any]


def compiled(f: Callable, donate: tuple[int, ...] = ()) -> Callable:
    """How jconv compiles a whole step."""
    return jit(f, donate_argnums=donate)


def plainly(f: Callable, donate: tuple[int, ...] = ()) -> Callable:
    """How plain JAX does."""
    return jax.jit(f, donate_argnums=donate)


def cross_entropy(scores: jax.Array, labels: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(scores.astype(jnp.float32), labels).mean()


def task(case: Case, what: What, method: str = "auto") -> Task:
    """Raises ValueError when the method cannot do the case."""
    net, given = with_method(case.net, method), draw(case)
    make = {"forward": _forward, "gradient": _gradient, "train": _train, "per-example": _per_example}[what]
    run, shown = make(case, net, given, plainly if method == "lax" else compiled)
    return Task(run, shown, case.parameters)


def _device(case: Case, given: Given):
    images = jnp.asarray(given.images, case.dtype)
    return *jax.tree.map(jnp.asarray, (given.params, given.state)), images, jnp.asarray(given.labels)


def _forward(case: Case, net: Layer, given: Given, jitted: Jit):
    params, state, images, _ = _device(case, given)
    f = jitted(lambda params, state, x: net.apply(params, state, x, train=True))
    return lambda: f(params, state, images), lambda result: [_numbers(result[0])]


def _gradient(case: Case, net: Layer, given: Given, jitted: Jit):
    params, state, images, _ = _device(case, given)

    def squares(params, x, state):
        y = net.apply(params, state, x, train=True)[0]
        return jnp.square(y.astype(jnp.float32)).sum()

    f = jitted(jax.value_and_grad(squares, argnums=(0, 1) if case.images else 0))

    def shown(result):
        value, gradient = result
        return [_numbers(a) for a in (gradient[1], *jax.tree.leaves(gradient[0]))] if case.images else [_numbers(value)]

    return lambda: f(params, images, state), shown


def _train(case: Case, net: Layer, given: Given, jitted: Jit):
    params, state, images, labels = _device(case, given)
    optimizer = optax.sgd(RATE, MOMENTUM)

    def step(carried, x, labels):
        params, state, memory = carried

        def objective(params):
            scores, after = net.apply(params, state, x, train=True)
            return cross_entropy(scores, labels), after

        (loss, state), gradient = jax.value_and_grad(objective, has_aux=True)(params)
        updates, memory = optimizer.update(gradient, memory)
        return (optax.apply_updates(params, updates), state, memory), loss

    return Stepper(jitted(step, (0,)), (params, state, optimizer.init(params)), images, labels), loss_shown


def _per_example(case: Case, net: Layer, given: Given, jitted: Jit):
    params, state, images, labels = _device(case, given)

    def loss(params, x, label, state):
        return cross_entropy(net.apply(params, state, x[None], train=True)[0], label[None])

    f = jitted(jax.vmap(jax.grad(loss), (None, 0, 0, None)))
    squares = lambda gradient: [_numbers(sum(jnp.square(a).sum() for a in jax.tree.leaves(gradient)))]
    return lambda: f(params, images, labels, state), squares


def _numbers(a: Any) -> np.ndarray:
    return np.asarray(a, np.float64)
