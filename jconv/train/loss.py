"""Losses: functions of (scores (N, classes), labels (N,) integers) to one float32 number an example, (N,)."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from ..errors import InputError, unknown

Loss = Callable[[jax.Array, jax.Array], jax.Array]


def softmax(scores: jax.Array, labels: jax.Array) -> jax.Array:
    """-log(exp(s_y) / sum_j exp(s_j)). Its gradient in the scores is softmax(s) - onehot(y) (facts C8)."""
    return optax.softmax_cross_entropy_with_integer_labels(scores.astype(jnp.float32), labels)


def svm(scores: jax.Array, labels: jax.Array) -> jax.Array:
    """sum over j != y of max(0, s_j - s_y + 1). Its gradient is 1 for each j that violates the margin, minus their count for y.

    Source: the CS231n notes and ConvNetJS (facts C8). (optax's multiclass hinge keeps the largest term only.)
    """
    scores = scores.astype(jnp.float32)
    own = jnp.take_along_axis(scores, labels[:, None], axis=1)  # (N, 1)
    others = jnp.arange(scores.shape[1])[None, :] != labels[:, None]  # (N, classes)
    return jnp.where(others, jnp.maximum(scores - own + 1, 0), 0).sum(axis=1)


def smoothed(share: float) -> Loss:
    """softmax against labels that leave 1 - share with the image's own class and spread `share` over all alike.

    -sum_j t_j·log(exp(s_j) / sum_k exp(s_k)), t_j = share/classes, and 1 - share more for the own class. Source: Szegedy et al. 2015.
    """

    def loss(scores: jax.Array, labels: jax.Array) -> jax.Array:
        own = jax.nn.one_hot(labels, scores.shape[1])
        return optax.softmax_cross_entropy(scores.astype(jnp.float32), optax.smooth_labels(own, share))

    return loss


LOSSES = {"softmax": softmax, "svm": svm}


def find_loss(name: str) -> Loss:
    """The loss of that name. Raises InputError."""
    if name not in LOSSES:
        raise InputError(unknown("loss", name, tuple(LOSSES)))
    return LOSSES[name]
