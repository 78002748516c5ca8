import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv.errors import InputError
from jconv.train import OPTIMIZERS, look, make_optimizer, make_schedule, triangle


@pytest.fixture
def params(rng):
    draw = lambda *shape: jnp.asarray(rng.standard_normal(shape), jnp.float32)
    return {
        "conv1": {"kernel": draw(3, 2, 5), "bias": draw(5)},
        "bn1": {"scale": draw(5), "bias": draw(5)},
    }


@pytest.fixture
def standard():
    """optax mixes integers and floats; `make_train_step` allows it in the same way."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def updates(optimizer, params, gradients):
    state = optimizer.init(params)
    for gradient in gradients:
        update, state = optimizer.update(gradient, state, params)
        yield update


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_acts_on_kernels_alone(name, params, standard):
    zero = jax.tree.map(jnp.zeros_like, params)
    (update,) = updates(make_optimizer(name, 0.1, weight_decay=0.5), params, [zero])
    kernel = update["conv1"].pop("kernel")
    assert (jnp.sign(kernel) == -jnp.sign(params["conv1"]["kernel"])).all()
    assert not any(leaf.any() for leaf in jax.tree.leaves(update))


def test_momentum_and_nesterov_by_hand(params, standard, close):
    gradient = jax.tree.map(lambda p: 0.3 * p + 1, params)
    plain, momentum, nesterov = (
        list(updates(make_optimizer(name, 0.1, momentum=0.8), params, [gradient] * 2))
        for name in ("sgd", "momentum", "nesterov")
    )
    close(plain[1], jax.tree.map(lambda g: -0.1 * g, gradient), 1e-6)
    close(momentum[1], jax.tree.map(lambda g: -0.1 * 1.8 * g, gradient), 1e-6)
    close(nesterov[1], jax.tree.map(lambda g: -0.1 * (1 + 0.8 * 1.8) * g, gradient), 1e-6)


def test_l2_is_part_of_the_gradient_but_adamw_keeps_it_apart(params, standard):
    """Adam's first step has size 1 whatever the gradient: only decay kept apart can show the size
    of a weight.
    """
    gradient = jax.tree.map(jnp.ones_like, params)
    (adam,), (adamw,) = (
        list(updates(make_optimizer(name, 1.0, weight_decay=0.01), params, [gradient]))
        for name in ("adam", "adamw")
    )
    np.testing.assert_allclose(np.abs(adam["conv1"]["kernel"]), 1, rtol=1e-4)
    np.testing.assert_allclose(
        adamw["conv1"]["kernel"], -1 - 0.01 * params["conv1"]["kernel"], rtol=1e-4
    )


def test_an_unknown_optimizer_is_named():
    with pytest.raises(InputError, match="unknown optimizer 'lion'; use 'sgd', 'momentum'"):
        make_optimizer("lion", 0.1)


def test_constant():
    rate = make_schedule("constant", 0.3, 100)
    assert [float(rate(step)) for step in (0, 50, 1000)] == pytest.approx([0.3] * 3)


def test_cosine_rises_then_falls_to_zero():
    rate = make_schedule("cosine", 0.3, 110, warmup=10)
    expected = [0, 0.15, 0.3] + [0.15 * (1 + math.cos(math.pi * t)) for t in (0.25, 0.5, 1)]
    assert [float(rate(step)) for step in (0, 5, 10, 35, 60, 110)] == pytest.approx(
        expected, abs=1e-7
    )


def test_cosine_without_warmup_begins_at_its_peak():
    assert float(make_schedule("cosine", 0.3, 100)(0)) == pytest.approx(0.3)


def test_a_warmup_longer_than_the_run_is_cut():
    rate = make_schedule("cosine", 0.3, 10, warmup=50)
    assert float(rate(9)) == pytest.approx(0.3)


def test_step_is_divided_by_ten_twice():
    rate = make_schedule("step", 0.3, 100)
    assert [float(rate(step)) for step in (0, 49, 51, 74, 76, 99)] == pytest.approx(
        [0.3, 0.3, 0.03, 0.03, 0.003, 0.003]
    )


def test_triangle_rises_and_falls_in_straight_lines():
    rate = triangle(0.5, 100, rise=0.2, first=0.1, last=0.3)
    found = [float(rate(step)) for step in (0, 10, 20, 60, 99, 100)]
    assert found == pytest.approx([0.05, 0.275, 0.5, 0.325, 0.15 + 0.35 / 80, 0.15])


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_triangle_of_few_steps_begins_at_its_peak_or_rises_to_it(steps):
    rates = [float(triangle(0.5, steps)(step)) for step in range(steps)]
    assert max(rates) == pytest.approx(0.5) and min(rates) >= 0.07 * 0.5


def test_an_unknown_schedule_is_named():
    with pytest.raises(
        InputError, match="unknown schedule 'linear'; use 'constant', 'cosine', 'step'"
    ):
        make_schedule("linear", 0.3, 100)


@pytest.fixture
def trees(rng):
    draw = lambda: {
        "kernel": jnp.asarray(rng.standard_normal((3, 2)), jnp.float32),
        "mean": jnp.asarray(rng.standard_normal(5), jnp.float32),
    }
    return draw(), draw()


@pytest.mark.parametrize("step", [5, 10, 20])
def test_every_fifth_step_both_become_their_average(trees, step, close):
    fast, slow = trees
    d = 0.95**5 * (step / 20) ** 3
    expected = {
        name: d * np.asarray(slow[name], np.float64) + (1 - d) * np.asarray(fast[name])
        for name in fast
    }
    found = look(fast, slow, jnp.int32(step), 20)
    close(found[0], expected, 1e-6)
    close(found[1], expected, 1e-6)


@pytest.mark.parametrize("step", [1, 4, 11])
def test_between_them_both_stay(trees, step, close):
    fast, slow = trees
    close(look(fast, slow, jnp.int32(step), 20), (fast, slow), 0)
