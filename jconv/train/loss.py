"""Losses: functions of (logits (N, classes), labels (N,) integers) to one float32 number per
example, (N,).

What a net ends in are its logits: the CS231n notes call them scores. A word that optax has too
gives what optax's gives.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..errors import InputError, unknown
from ..layer import State

Loss = Callable[[jax.Array, jax.Array], jax.Array]


def softmax_cross_entropy_with_integer_labels(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """optax's in float32: -log(exp(s_y) / sum_j exp(s_j)). Its gradient in the logits is softmax(s)
    - onehot(y).
    """
    return optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), labels)


def summed_hinge_loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """sum over j != y of max(0, s_j - s_y + 1). Its gradient is 1 for each j that violates the
    margin, minus their count for y.

    Source: the CS231n notes, Multiclass Support Vector Machine loss; ConvNetJS. (optax's
    multiclass_hinge_loss keeps only the largest term.)
    """
    logits = logits.astype(jnp.float32)
    own = jnp.take_along_axis(logits, labels[:, None], axis=1)  # (N, 1)
    others = jnp.arange(logits.shape[1])[None, :] != labels[:, None]  # (N, classes)
    return jnp.where(others, jnp.maximum(logits - own + 1, 0), 0).sum(axis=1)


def smoothed_softmax_cross_entropy(share: float) -> Loss:
    """softmax cross entropy against labels that leave 1 - share with the image's own class and
    spread `share` over all alike.

    -sum_j t_j·log(exp(s_j) / sum_k exp(s_k)), t_j = share/classes, and 1 - share more for the own
    class. Source: Szegedy et al. 2015.
    """

    def loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
        own = jax.nn.one_hot(labels, logits.shape[1])
        return optax.softmax_cross_entropy(
            logits.astype(jnp.float32), optax.smooth_labels(own, share)
        )

    return loss


# by the word of `jconv train --loss`
LOSSES = {"softmax": softmax_cross_entropy_with_integer_labels, "svm": summed_hinge_loss}


def find_loss(name: str) -> Loss:
    """The loss of that name. Raises InputError."""
    if name not in LOSSES:
        raise InputError(unknown("loss", name, tuple(LOSSES)))
    return LOSSES[name]


def make_loss(name: str, *, smoothing: float = 0.0) -> Loss:
    """The loss of that name; with `smoothing` the labels of "softmax" are smoothed. Raises
    InputError.
    """
    found = find_loss(name)
    if not smoothing:
        return found
    if name != "softmax":
        raise InputError(
            f"label_smoothing={smoothing}: is of loss='softmax', whose labels are probabilities; "
            f"{name!r} has none"
        )
    return smoothed_softmax_cross_entropy(smoothing)


def class_weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """n / (classes·n_c), n_c of n labels being c, so that every class counts alike: (classes,)
    float32. Raises InputError for a class without examples.
    """
    counts = np.bincount(labels, minlength=classes)
    if not counts.all():
        raise InputError(
            f"class_weights='balanced': class {int(counts.argmin())} has no training images; "
            "use class_weights='none'"
        )
    return (len(labels) / (classes * counts)).astype(np.float32)


def weighted_mean(losses: jax.Array, weights: jax.Array) -> jax.Array:
    """sum(w·l) / sum(w), the mean that PyTorch's weighted losses take. (N,), (N,) -> ()"""
    return (weights * losses).sum() / weights.sum()


def with_auxiliary(loss: Loss, taps: State, share: float) -> Loss:
    """The loss, and `share` of the same loss of each auxiliary head: of every tap that recorded as
    many scores as the net gives, (N, classes).

    Source: Szegedy et al. 2014, section 5, with a share of 0.3. Raises InputError when there is no
    such tap.
    """

    def total(logits: jax.Array, labels: jax.Array) -> jax.Array:
        heads = [tap for tap in jax.tree.leaves(taps) if tap.shape == logits.shape]
        if not heads:
            raise InputError(
                f"auxiliary={share}: the net has no auxiliary heads, a Tap of {logits.shape[1:]} "
                "scores each; leave it at 0"
            )
        return loss(logits, labels) + share * sum(loss(head, labels) for head in heads)

    return total
