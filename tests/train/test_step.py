from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jconv import Conv, Dense, Flatten, Identity, Lambda, Sequential, Tap
from jconv.data import VIEWS
from jconv.errors import InputError
from jconv.train import initial_state, make_optimizer, make_predict, make_train_step
from jconv.train import softmax_cross_entropy_with_integer_labels as cross_entropy
from jconv.train.step import Views


@pytest.fixture(scope="module")
def step(tiny):
    return make_train_step(tiny.net, cross_entropy, optax.sgd(0.1), seed=5)


def copy(state):
    """The state's own arrays are given away by a step."""
    return jax.tree.map(jnp.copy, state)


def test_a_step_is_the_gradient_of_the_mean_loss(tiny, data, start, step, close):
    images, labels = data.train
    before = start(optax.sgd(0.1))
    key = jax.random.fold_in(jax.random.key(5), 0)

    def objective(params):
        scores, state = tiny.net.apply(
            params, before.state, jnp.asarray(images, jnp.float32) / 255, train=True, key=key
        )
        return cross_entropy(scores, jnp.asarray(labels)).mean(), (scores, state)

    (loss, (scores, state)), gradient = jax.jit(jax.value_and_grad(objective, has_aux=True))(
        before.params
    )
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, before.params, gradient)
    after, metrics = step(before, images, labels)
    close(after.params, expected, 1e-5)
    close(after.state, state, 1e-5)
    close(metrics.loss, loss, 1e-5)
    assert metrics.correct == (np.asarray(scores).argmax(axis=1) == labels).sum()
    assert after.step == 1


@pytest.mark.exhaustive
def test_images_are_cast_and_parameters_stay(tiny, data, start, close):
    seen = []
    net = Sequential(look=Lambda(lambda x: seen.append(x.dtype) or x), net=tiny.net)
    images, labels = data.train
    optimizer = optax.sgd(0.1)
    before = start(optimizer)
    before = before._replace(params={"net": before.params}, state={"net": before.state})
    half, metrics = make_train_step(net, cross_entropy, optimizer, dtype="bfloat16")(
        copy(before), images, labels
    )
    whole, _ = make_train_step(net, cross_entropy, optimizer)(copy(before), images, labels)
    scores = make_predict(net, dtype="bfloat16")(before.params, before.state, images)
    assert (
        seen == [jnp.bfloat16, jnp.float32, jnp.bfloat16]
        and scores.dtype == jnp.bfloat16
        and metrics.loss.dtype == jnp.float32
    )
    assert {leaf.dtype.name for leaf in jax.tree.leaves(half.params)} == {"float32"}
    close(half.params, whole.params, 0.05)
    assert not np.array_equal(
        half.params["net"]["fc"]["kernel"], whole.params["net"]["fc"]["kernel"]
    )


def test_steps_learn(tiny, data, start):
    optimizer = make_optimizer("nesterov", 0.05, weight_decay=1e-3)
    step = make_train_step(tiny.net, cross_entropy, optimizer)
    state, first = step(start(optimizer), *data.train)
    for _ in range(40):
        state, last = step(state, *data.train)
    assert last.loss < first.loss / 2
    assert state.step == 41


def test_what_is_drawn_follows_from_seed_and_step(tiny, data, start, step):
    state = start(optax.sgd(0.1))
    _, once = step(copy(state), *data.train)
    _, again = step(copy(state), *data.train)
    _, later = step(copy(state)._replace(step=jnp.int32(1)), *data.train)
    _, other = make_train_step(tiny.net, cross_entropy, optax.sgd(0.1), seed=4)(
        copy(state), *data.train
    )
    assert once.loss == again.loss
    assert len({float(m.loss) for m in (once, later, other)}) == 3


def test_the_state_given_is_donated(data, start, step):
    state = start(optax.sgd(0.1))
    step(state, *data.train)
    assert state.params["conv1"]["kernel"].is_deleted()


def test_what_a_tap_records_is_not_carried_on(tiny, data, start):
    net = Sequential(conv=tiny.net, listen=Tap("heard", Identity()))
    before = start(optax.sgd(0.1))
    before = before._replace(params={"conv": before.params}, state={"conv": before.state})
    structure = jax.tree.structure(before)
    after, _ = make_train_step(net, cross_entropy, optax.sgd(0.1))(before, *data.train)
    assert jax.tree.structure(after) == structure


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pixels_are_scaled_and_floats_are_not(tiny, data, start, dtype, close):
    params, state, *_ = start(optax.sgd(0.1))
    scale = 255 if dtype == np.float32 else 1
    scores = make_predict(tiny.net)(params, state, (data.test.images / scale).astype(dtype))
    expected, _ = jax.jit(tiny.net.apply)(
        params, state, jnp.asarray(data.test.images, jnp.float32) / 255
    )
    close(scores, expected, 1e-5)


def test_it_is_a_pure_function_of_the_seed(tiny, close):
    once, again, other = (
        initial_state(tiny.net, tiny.in_shape, optax.adam(0.1), seed) for seed in (3, 3, 4)
    )
    close(once, again, 0)
    params, state = tiny.net.init(jax.random.key(3), tiny.in_shape)
    close((once.params, once.state), (params, state), 1e-6)
    assert (once.params["fc"]["kernel"] != other.params["fc"]["kernel"]).any()
    assert once.step == 0 and once.step.dtype == jnp.int32


@pytest.mark.exhaustive
def test_views_are_averaged_as_probabilities(tiny, filled, close):
    params, state = filled(tiny.net, tiny.in_shape)
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (4, 9, 8, 2), np.uint8)
    predict = lambda views: make_predict(tiny.net, in_shape=tiny.in_shape, views=views)
    alone = lambda crop: jax.nn.softmax(predict("centre")(params, state, crop), axis=-1)
    crops = [images[:, 1:8, 1:6], images[:, :7, :5], images[:, :7, 3:], images[:, 2:, :5]]
    crops.append(images[:, 2:, 3:])
    crops += [crop[:, :, ::-1] for crop in crops]
    expected = sum(alone(crop) for crop in crops) / 10
    found = predict("ten-crop")(params, state, images)
    close(jnp.exp(found), expected, 1e-5)
    pair = (alone(crops[0]) + alone(crops[5])) / 2
    close(jnp.exp(predict("mirrored")(params, state, images)), pair, 1e-5)
    with pytest.raises(InputError, match="views='mirrored': in_shape"):
        make_predict(tiny.net, views="mirrored")


def test_dense_evaluation_is_the_mean_of_all_crops(filled, close):
    net, in_shape = Sequential(conv=Conv(4, 3), flatten=Flatten(), fc=Dense(3)), (5, 4, 2)
    params, state = filled(net, in_shape)
    images = np.random.default_rng(3).integers(0, 256, (3, 7, 5, 2), np.uint8)
    predict = lambda views: make_predict(net, in_shape=in_shape, views=views)
    crops = [images[:, i : i + 5, j : j + 4] for i in range(3) for j in range(2)]
    each = [jax.nn.softmax(predict("centre")(params, state, crop), axis=-1) for crop in crops]
    close(jnp.exp(predict("dense")(params, state, images)), sum(each) / 6, 1e-5)


def test_the_words_are_those_of_the_views():
    assert get_args(Views) == (*VIEWS, "dense")
