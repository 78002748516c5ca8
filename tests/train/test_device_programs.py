"""The programs of a training on the device, against the pieces they are made of, one by one and on
the host.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jconv
from jconv.data import draw_epoch, standardized, whitening_kernel
from jconv.data.on_device import mirrored_and_shifted
from jconv.train import device as module
from jconv.train import look, make_train_step, smoothed_softmax_cross_entropy
from jconv.train.device import make_epoch, make_start, make_test, six_views
from jconv.train.recipe import Segment

SEED = jnp.uint32(3)


@pytest.fixture(scope="module")
def start(recipe):
    return jconv.jit(make_start(recipe))


@pytest.fixture(scope="module")
def epoch(recipe):
    """A call of four steps of eight. What it carries is not donated here."""
    return jconv.jit(make_epoch(recipe._replace(epochs=2), 23, Segment(4, "bias")))


@pytest.fixture(scope="module")
def train(data):
    return jax.tree.map(jnp.asarray, data.train)


def equal(a, b):
    return all(
        np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def test_the_start_is_a_pure_function_of_the_seed_and_the_images(recipe, data, train, start, close):
    carried = start(SEED, train.images)
    assert equal(carried, start(SEED, train.images))
    assert not equal(
        carried.train.params["fc"], start(jnp.uint32(4), train.images).train.params["fc"]
    )
    assert equal(carried.slow, (carried.train.params, carried.train.state))
    close(carried.mean, data.train.images.mean((0, 1, 2)), 1e-5)
    close(carried.std, data.train.images.std((0, 1, 2)), 1e-5)
    params, state = recipe.net.init(jax.random.key(SEED), recipe.in_shape)
    white = whitening_kernel(standardized(train.images, carried.mean, carried.std, "float32"))
    # an eigenvector's sign is anybody's
    close(abs(carried.train.params["whiten"]["kernel"]), abs(white), 1e-3)
    params["whiten"]["kernel"] = carried.train.params["whiten"]["kernel"]
    close((carried.train.params, carried.train.state), (params, state), 1e-6)


def test_the_kernel_is_of_images_spread_over_all(recipe, train, start, monkeypatch, close):
    monkeypatch.setattr(module, "SAMPLE", 7)
    carried = jconv.jit(make_start(recipe))(SEED, train.images)
    white = whitening_kernel(standardized(train.images[::3], carried.mean, carried.std, "float32"))
    close(abs(carried.train.params["whiten"]["kernel"]), abs(white), 1e-3)


@pytest.mark.exhaustive
def test_two_epochs_are_their_steps_one_by_one(recipe, train, start, epoch, close):
    """Past the fifth step, after which lookahead looks."""
    before = start(SEED, train.images)
    step = make_train_step(
        recipe.net, smoothed_softmax_cross_entropy(0.2), recipe.optimizer(recipe, 8, "bias")
    )
    after, slow, losses = before.train, before.slow, []
    for i in range(8):
        drawn = draw_epoch(jax.random.key(SEED), jnp.int32(i // 4), 23, 2)
        draws = jax.tree.map(lambda a: a[5 * (i % 4) :][:5], drawn)  # noqa: B023
        moved = mirrored_and_shifted(train.images, draws)
        images = standardized(moved, before.mean, before.std, "float32")
        after, metrics = step(jax.tree.map(jnp.copy, after), images, train.labels[draws.rows])
        (params, state), slow = look((after.params, after.state), slow, after.step, 8)
        after = after._replace(params=params, state=state)
        losses.append(metrics.loss)
    half, first = epoch(before, SEED, *train)
    found, second = epoch(half, SEED, *train)
    close(np.concatenate([first.loss, second.loss]), np.array(losses), 1e-4)
    assert half.train.step == 4 and found.train.step == 8
    close(found.train.params, after.params, 1e-3)
    close(found.slow, slow, 1e-3)


@pytest.mark.exhaustive
def test_a_training_goes_on_from_any_step(recipe, train, start, epoch, close):
    """One step and three more are four, from the middle of an epoch too, past the step at which
    lookahead looks.
    """
    first, rest = (
        jconv.jit(make_epoch(recipe._replace(epochs=2), 23, Segment(steps, "bias")))
        for steps in (1, 3)
    )
    begun, _ = first(start(SEED, train.images), SEED, *train)
    whole, _ = epoch(start(SEED, train.images), SEED, *train)
    found, _ = rest(begun, SEED, *train)
    close(found, whole, 1e-4)
    assert equal(whole.slow[0], start(SEED, train.images).slow[0])
    second, _ = epoch(whole, SEED, *train)
    assert not equal(second.slow[0], whole.slow[0]) and second.train.step == 8


@pytest.mark.exhaustive
def test_one_seed_is_one_training_to_the_bit(train, start, epoch):
    once, again = (epoch(start(SEED, train.images), SEED, *train) for _ in range(2))
    assert equal(once, again)
    _, other = epoch(start(SEED, train.images), jnp.uint32(4), *train)
    assert not np.array_equal(once[1].loss, other.loss)


def test_it_learns_and_the_kernel_that_whitens_stays(recipe, train, start):
    epoch = jconv.jit(make_epoch(recipe._replace(epochs=10), 23, Segment(4, "bias")))
    carried = before = start(SEED, train.images)
    losses = []
    for _ in range(10):
        carried, metrics = epoch(carried, SEED, *train)
        losses.append(float(metrics.loss.mean()))
    assert losses[-1] < 0.9 * losses[0]
    assert equal(carried.train.params["whiten"]["kernel"], before.train.params["whiten"]["kernel"])
    assert not equal(carried.train.params["whiten"]["bias"], before.train.params["whiten"]["bias"])


@pytest.mark.exhaustive
def test_where_the_first_layer_rests_nothing_leads_to_its_gradient(recipe, train, start):
    """Five images' input gradient of a 3x3 convolution from 16 to 4 channels on 6x4 positions, two
    operations a term, is saved.
    """
    carried = start(SEED, train.images)
    program = lambda phase: (
        jax.jit(make_epoch(recipe, 23, Segment(4, phase))).lower(carried, SEED, *train).compile()
    )
    free, frozen = (program(rests).cost_analysis()["flops"] for rests in ("bias", "frozen"))
    assert free - frozen > 5 * (4 * 2) * 9 * 16 * 4 * 2  # its inner positions at least


def test_half_precision_is_of_the_activations_alone(recipe, train, start):
    epoch = make_epoch(recipe._replace(dtype="bfloat16"), 23, Segment(4, "bias"))
    before = start(SEED, train.images)
    after, _ = jax.eval_shape(epoch, before, SEED, *train)
    assert jax.tree.map(lambda a: (a.shape, a.dtype), after) == jax.tree.map(
        lambda a: (a.shape, a.dtype), before
    )
    program = str(jax.make_jaxpr(epoch)(before, SEED, *train))
    assert "bf16[5,7,5,2]" in program and "bf16[5,6,4,16]" in program


def test_six_views(rng):
    x = rng.standard_normal((3, 5, 6, 2)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    moved = [padded[:, r : r + 5, c : c + 6] for r, c in ((1, 1), (0, 0), (2, 2))]
    expected = np.concatenate([view for image in moved for view in (image, image[:, :, ::-1])])
    np.testing.assert_array_equal(six_views(jnp.asarray(x)), expected)


@pytest.mark.exhaustive
@pytest.mark.parametrize("tested", [4, 500])
def test_the_accuracy_with_and_without_views(recipe, data, train, start, tested, monkeypatch):
    monkeypatch.setattr(module, "TESTED", tested)
    carried = start(SEED, train.images)
    images, labels = jax.tree.map(jnp.asarray, data.test)
    found = jconv.jit(make_test(recipe))(carried, images, labels)
    x = six_views(standardized(images, carried.mean, carried.std, "float32"))
    scores = np.asarray(recipe.net.apply(*carried.slow, x)[0], np.float64).reshape(6, 11, 3)
    weighted = 0.25 * scores[0] + 0.25 * scores[1] + 0.125 * scores[2:].sum(0)
    assert found.tolist() == [
        (s.argmax(1) == data.test.labels).sum() for s in (scores[0], weighted)
    ]
