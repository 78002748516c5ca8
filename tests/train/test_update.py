import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jconv.errors import InputError
from jconv.optimizer import OPTIMIZERS, make_optimizer
from jconv.train import UpdateSettings, make_schedule, make_update
from jconv.train.update import hyperparameters, with_hyperparameters

SCHEDULE = make_schedule("cosine", 0.1, 10, 2)


@pytest.fixture
def params():
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)
    return {
        "conv1": {"kernel": draw(3, 3, 2, 4), "bias": draw(4)},
        "fc": {"kernel": draw(8, 3), "bias": draw(3)},
    }


def gradients(params, count):
    rng = np.random.default_rng(1)
    return [
        jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape), jnp.float32), params)
        for _ in range(count)
    ]


def run(optimizer, params, given, compiled=jax.jit):
    """The updates of every step."""
    state, found = optimizer.init(params), []
    update = compiled(optimizer.update)
    for gradient in given:
        with jax.numpy_dtype_promotion("standard"):
            updates, state = update(gradient, state, params)
        found.append(updates)
    return found, state


@pytest.mark.sweep(1)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_without_more_it_is_the_optimizer(params, name):
    """To the bit, operation by operation: compiled, constants and numbers round differently."""
    ours = make_update(UpdateSettings(name, 0.1, 0.8, 1e-2), SCHEDULE, params)
    theirs = make_optimizer(name, SCHEDULE, momentum=0.8, weight_decay=1e-2)
    given, as_it_is = gradients(params, 4), lambda f: f
    (ours, _), (theirs, _) = (run(each, params, given, as_it_is) for each in (ours, theirs))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_an_unchanged_rate_is_the_schedules_to_the_bit():
    schedule, one = optax.linear_schedule(0.3, 0.01, 60), {"kernel": jnp.ones(1)}
    optimizer = make_update(UpdateSettings("sgd", 0.3), schedule, one)
    found, _ = run(optimizer, one, [one] * 60, lambda f: f)
    with jax.numpy_dtype_promotion("standard"):
        expected = [-np.float32(schedule(t)) for t in range(60)]
    assert [float(updates["kernel"][0]) for updates in found] == expected


def test_a_rate_is_changed_without_compiling(params):
    optimizer = make_update(UpdateSettings("momentum", 0.1), SCHEDULE, params)
    traced = []

    @jax.jit
    def update(gradient, state):
        traced.append(1)
        with jax.numpy_dtype_promotion("standard"):
            return optimizer.update(gradient, state, params)

    first, second, third = gradients(params, 3)
    _, state = update(first, optimizer.init(params))
    found = hyperparameters(state)
    assert found == pytest.approx({"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.0})
    as_it_was, _ = update(second, state)
    tenfold, after = update(second, with_hyperparameters(state, learning_rate=1.0))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a * 10, b, rtol=1e-5), as_it_was, tenfold)
    assert as_it_was["fc"]["kernel"].any()
    assert hyperparameters(after)["learning_rate"] == 1.0 and len(traced) == 1
    with pytest.raises(InputError, match="unknown hyperparameter 'rate'; use 'learning_rate'"):
        with_hyperparameters(state, rate=1.0)


def test_gradients_are_cut_to_their_length(params):
    constant = make_schedule("constant", 1.0, 9)
    optimizer = make_update(UpdateSettings("sgd", 1.0, clip_norm=0.5), constant, params)
    (updates,), _ = run(optimizer, params, gradients(params, 1))
    assert optax.tree.norm(updates) == pytest.approx(0.5, rel=1e-5)


def test_accumulated_steps_are_one_of_their_mean(params, close):
    constant = make_schedule("constant", 1.0, 9)
    given = gradients(params, 3)
    optimizer = make_update(UpdateSettings("sgd", 1.0, accumulate=3), constant, params)
    found, state = run(optimizer, params, given)
    assert optax.tree.norm(found[0]) == optax.tree.norm(found[1]) == 0
    close(found[2], jax.tree.map(lambda *g: -sum(g) / 3, *given), 1e-5)
    assert hyperparameters(state)["learning_rate"] == 1.0


def test_rates_by_path(params):
    constant = make_schedule("constant", 1.0, 9)
    rates = (("fc", 10.0), ("*/bias", 2.0))
    optimizer = make_update(UpdateSettings("sgd", 1.0, rates=rates), constant, params)
    (gradient,) = given = gradients(params, 1)
    (updates,), _ = run(optimizer, params, given)
    for name, leaf, factor in (
        ("conv1", "kernel", 1),
        ("conv1", "bias", 2),
        ("fc", "kernel", 10),
        ("fc", "bias", 20),
    ):
        np.testing.assert_allclose(updates[name][leaf], -factor * gradient[name][leaf], rtol=1e-6)
    with pytest.raises(InputError, match="rates='fc2': no such path in the net; .*fc"):
        make_update(UpdateSettings(rates=(("fc2", 1.0),)), constant, params)


def test_what_is_frozen_has_no_update_and_nothing_kept(params):
    constant = make_schedule("constant", 0.1, 9)
    settings = UpdateSettings("adam", 0.1, weight_decay=1.0, decay="all", frozen=("conv1",))
    (updates,), state = run(make_update(settings, constant, params), params, gradients(params, 1))
    assert not updates["conv1"]["kernel"].any() and not updates["conv1"]["bias"].any()
    assert updates["fc"]["kernel"].all()
    shapes = {a.shape for a in jax.tree.leaves(state)}
    assert (8, 3) in shapes and (3, 3, 2, 4) not in shapes


def test_decay_pulls_at_kernels_or_at_all(params):
    constant = make_schedule("constant", 1.0, 9)
    nothing = [jax.tree.map(jnp.zeros_like, params)]
    for decay, biases in (("kernels", False), ("all", True)):
        settings = UpdateSettings("sgd", 1.0, weight_decay=0.1, decay=decay)
        (updates,), _ = run(make_update(settings, constant, params), params, nothing)
        np.testing.assert_allclose(
            updates["fc"]["kernel"], -0.1 * params["fc"]["kernel"], rtol=1e-6
        )
        assert updates["fc"]["bias"].any() == biases


def test_a_whole_number_is_changed_to_a_fraction_without_compiling(params):
    constant = make_schedule("constant", 1, 9)
    optimizer = make_update(UpdateSettings("momentum", 1, 0, 0), constant, params)
    (gradient,), state = gradients(params, 1), optimizer.init(params)
    update = jax.jit(optimizer.update)
    with jax.numpy_dtype_promotion("standard"):
        update(gradient, state, params)
        half, _ = update(gradient, with_hyperparameters(state, learning_rate=0.5), params)
    assert update._cache_size() == 1
    np.testing.assert_allclose(half["fc"]["kernel"], -0.5 * gradient["fc"]["kernel"], rtol=1e-6)


def test_momentum_and_decay_are_changed_too(params):
    constant = make_schedule("constant", 1.0, 9)
    optimizer = make_update(UpdateSettings("momentum", 1.0, 0.9), constant, params)
    gradient, state = gradients(params, 1)[0], optimizer.init(params)
    with jax.numpy_dtype_promotion("standard"):
        _, state = optimizer.update(gradient, state, params)
        state = with_hyperparameters(state, momentum=0.5, weight_decay=0.25)
        updates, state = optimizer.update(gradient, state, params)
    expected = -(1.5 * gradient["fc"]["kernel"] + 0.25 * params["fc"]["kernel"])
    np.testing.assert_allclose(updates["fc"]["kernel"], expected, rtol=1e-5)
    assert hyperparameters(state) == {"learning_rate": 1.0, "momentum": 0.5, "weight_decay": 0.25}


def test_numbers_are_found_wherever_they_are_kept(params):
    every = {"clip_norm": 1.0, "accumulate": 2, "rates": (("fc", 2.0),), "frozen": ("conv1",)}
    settings = UpdateSettings("adam", 0.1, **every)
    state = make_update(settings, SCHEDULE, params).init(params)
    assert hyperparameters(with_hyperparameters(state, momentum=0.5))["momentum"] == 0.5
    other = optax.sgd(0.1).init(params)
    for look in (hyperparameters, lambda state: with_hyperparameters(state, momentum=0.5)):
        with pytest.raises(InputError, match="opt_state: .* of make_update was expected"):
            look(other)


def test_the_mean_of_accumulated_gradients_is_cut_not_each(params, close):
    constant = make_schedule("constant", 1.0, 9)
    first, second = gradients(params, 2)
    settings = UpdateSettings("sgd", 1.0, accumulate=2, clip_norm=0.5)
    found, _ = run(make_update(settings, constant, params), params, [first, second])
    mean = jax.tree.map(lambda a, b: (a + b) / 2, first, second)
    length = optax.tree.norm(mean)
    close(found[1], jax.tree.map(lambda g: -0.5 * g / length, mean), 1e-5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"optimizer": "tiger"}, "unknown optimizer 'tiger'"),
        ({"decay": "biases"}, "unknown decay 'biases'; use 'kernels', 'all'"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: more than 0"),
        ({"accumulate": 0}, "accumulate=0: 1 or more"),
        ({"clip_norm": -1.0}, "clip_norm=-1.0: 0 or more"),
        ({"rates": (("fc", -1.0),)}, "rates=fc=-1.0: a factor of at least 0"),
    ],
)
def test_what_cannot_be_is_refused(settings, words):
    with pytest.raises(InputError, match=f"^{words}"):
        UpdateSettings(**settings)
