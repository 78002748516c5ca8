import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jconv.train
from jconv.errors import InputError
from jconv.train import (
    class_weights,
    find_loss,
    make_loss,
    smoothed_softmax_cross_entropy,
    summed_hinge_loss,
    weighted_mean,
    with_auxiliary,
)
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


def test_a_loss_by_its_word_with_smoothed_labels(batch):
    scores, labels = map(jnp.asarray, batch)
    assert make_loss("softmax") is cross_entropy and make_loss("svm") is summed_hinge_loss
    np.testing.assert_array_equal(
        make_loss("softmax", smoothing=0.2)(scores, labels),
        smoothed_softmax_cross_entropy(0.2)(scores, labels),
    )
    with pytest.raises(InputError, match="label_smoothing=0.2: is of loss='softmax'"):
        make_loss("svm", smoothing=0.2)


def test_balanced_weights_make_every_class_count_alike():
    labels = np.array([0, 0, 0, 1, 2, 2, 0, 0], np.int32)
    found = class_weights(labels, 3)
    assert found.tolist() == pytest.approx([8 / (3 * 5), 8 / 3, 8 / (3 * 2)])
    assert np.bincount(labels, found[labels]).tolist() == pytest.approx([8 / 3] * 3)
    with pytest.raises(InputError, match="class_weights='balanced': class 3 has no training"):
        class_weights(labels, 4)


def test_a_weighted_mean_is_of_the_weights_not_of_the_examples():
    losses, weights = jnp.array([1.0, 4.0, 2.0]), jnp.array([2.0, 1.0, 5.0])
    assert float(weighted_mean(losses, weights)) == pytest.approx((2 + 4 + 10) / 8)


def test_auxiliary_heads_count_by_their_share(batch, rng, close):
    scores, labels = map(jnp.asarray, batch)
    heads = [jnp.asarray(rng.standard_normal((11, 7)), jnp.float32) for _ in range(2)]
    image = jnp.ones((11, 5, 5, 7))  # a tap that is no head
    taps = {"loss1": heads[0], "seen": image, "loss2": heads[1]}
    each = [cross_entropy(a, labels) for a in (scores, *heads)]
    found = with_auxiliary(cross_entropy, taps, 0.3)(scores, labels)
    close(found, each[0] + 0.3 * (each[1] + each[2]), 1e-6)
    with pytest.raises(InputError, match="auxiliary=0.3: the net has no auxiliary heads"):
        with_auxiliary(cross_entropy, {"seen": image}, 0.3)(scores, labels)
