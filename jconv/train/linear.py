"""A linear classifier on features that are computed once: training without the net."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

LEAST = 1e-6  # of a feature's spread: one that never changes says nothing


def fit_linear(
    features: np.ndarray,
    labels: np.ndarray,
    classes: int,
    *,
    decay: float = 1e-3,
    steps: int = 200,
) -> tuple[np.ndarray, np.ndarray]:
    """(kernel (F, classes), bias (classes,)) that minimise the mean softmax loss of features @
    kernel + bias, plus decay/2 times the sum of the kernel's squares, by L-BFGS from zero.

    features: (N, F) float32; labels: (N,). The decay is of a kernel for features of mean 0 and
    spread 1, which the kernel returned is for the features as they are.
    """
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > LEAST, spread, 1.0)
    x, y = jnp.asarray((features - mean) / spread, jnp.float32), jnp.asarray(labels)

    def loss(head: tuple[jax.Array, jax.Array]) -> jax.Array:
        logits = x @ head[0] + head[1][None]
        misfit = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
        return misfit + decay / 2 * jnp.square(head[0]).sum()

    solver = optax.lbfgs()
    value_and_gradient = optax.value_and_grad_from_state(loss)

    def step(_: int, carried: tuple) -> tuple:
        head, state = carried
        value, gradient = value_and_gradient(head, state=state)
        updates, state = solver.update(
            gradient, state, head, value=value, grad=gradient, value_fn=loss
        )
        return optax.apply_updates(head, updates), state

    start = jnp.zeros((features.shape[1], classes)), jnp.zeros(classes)
    run = jax.jit(lambda head: jax.lax.fori_loop(0, steps, step, (head, solver.init(head)))[0])
    kernel, bias = map(np.asarray, run(start))
    kernel = kernel / spread[:, None]
    return kernel, bias - mean @ kernel
