import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jconv.train
from jconv.errors import InputError
from jconv.train import find_loss, smoothed_softmax_cross_entropy, summed_hinge_loss
from jconv.train import softmax_cross_entropy_with_integer_labels as cross_entropy


@pytest.fixture
def batch(rng):
    return rng.standard_normal((11, 7)).astype(np.float32) * 2, rng.integers(0, 7, 11).astype(
        np.int32
    )


def test_softmax_and_its_gradient(batch, close):
    scores, labels = batch
    p = np.exp(scores.astype(np.float64))
    p /= p.sum(axis=1, keepdims=True)
    close(
        cross_entropy(jnp.asarray(scores), jnp.asarray(labels)),
        -np.log(p[np.arange(11), labels]),
        1e-5,
    )
    gradient = jax.grad(lambda s: cross_entropy(s, jnp.asarray(labels)).sum())(jnp.asarray(scores))
    close(gradient, p - np.eye(7)[labels], 1e-5)


def test_svm_and_its_gradient(batch, close):
    scores, labels = batch
    loss, gradient = np.zeros(11), np.zeros((11, 7))
    for i, (row, own) in enumerate(zip(scores.astype(np.float64), labels, strict=True)):
        for j, score in enumerate(row):
            if j != own and score - row[own] + 1 > 0:
                loss[i] += score - row[own] + 1
                gradient[i, j] += 1
                gradient[i, own] -= 1
    close(summed_hinge_loss(jnp.asarray(scores), jnp.asarray(labels)), loss, 1e-5)
    close(
        jax.grad(lambda s: summed_hinge_loss(s, jnp.asarray(labels)).sum())(jnp.asarray(scores)),
        gradient,
        1e-6,
    )


def test_svm_of_the_notes():
    """CS231n, linear classification: scores 13, -7, 11 with the first correct give 8 with margin
    10, so a tenth of both with 1.
    """
    assert summed_hinge_loss(
        jnp.array([[13.0, -7.0, 11.0], [1.3, -0.7, 1.1]]), jnp.array([0, 0])
    ).tolist() == pytest.approx([0, 0.8], rel=1e-6)


def test_smoothed_labels_and_their_gradient(batch, close):
    scores, labels = batch
    p = np.exp(scores.astype(np.float64))
    p /= p.sum(axis=1, keepdims=True)
    targets = 0.8 * np.eye(7)[labels] + 0.2 / 7
    close(
        smoothed_softmax_cross_entropy(0.2)(jnp.asarray(scores), jnp.asarray(labels)),
        -(targets * np.log(p)).sum(axis=1),
        1e-5,
    )
    close(
        jax.grad(lambda s: smoothed_softmax_cross_entropy(0.2)(s, jnp.asarray(labels)).sum())(
            jnp.asarray(scores)
        ),
        p - targets,
        1e-5,
    )
    close(
        smoothed_softmax_cross_entropy(0.0)(jnp.asarray(scores), jnp.asarray(labels)),
        cross_entropy(jnp.asarray(scores), jnp.asarray(labels)),
        1e-6,
    )


@pytest.mark.parametrize(
    "loss", [cross_entropy, summed_hinge_loss, smoothed_softmax_cross_entropy(0.2)]
)
def test_losses_compute_in_float32(loss, batch):
    scores, labels = batch
    assert loss(jnp.asarray(scores, jnp.bfloat16), jnp.asarray(labels)).dtype == jnp.float32


def test_an_unknown_loss_is_named():
    assert find_loss("svm") is summed_hinge_loss
    with pytest.raises(InputError, match="unknown loss 'hinge'; use 'softmax', 'svm'"):
        find_loss("hinge")


def test_a_word_that_optax_has_gives_what_optax_gives(rng):
    logits, labels = (
        jnp.asarray(rng.standard_normal((7, 5)), jnp.float32),
        jnp.asarray(rng.integers(0, 5, 7)),
    )
    both = [name for name in jconv.train.__all__ if callable(getattr(optax, name, None))]
    assert both == ["softmax_cross_entropy_with_integer_labels"]
    np.testing.assert_array_equal(
        cross_entropy(logits, labels),
        optax.softmax_cross_entropy_with_integer_labels(logits, labels),
    )
    assert not [name for name in jconv.train.__all__ if hasattr(jax.nn, name)]
