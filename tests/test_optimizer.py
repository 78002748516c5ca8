import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv.errors import InputError
from jconv.optimizer import OPTIMIZERS, arrays_kept, make_optimizer


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
    with pytest.raises(InputError, match="unknown optimizer 'tiger'; use 'sgd', 'momentum'"):
        make_optimizer("tiger", 0.1)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_an_optimizer_keeps_is_told_by_itself(name, params):
    """Arrays like the parameters: the velocity, the cache, both."""
    kept = {"sgd": 0, "adam": 2, "adamw": 2, "adadelta": 2, "lamb": 2}.get(name, 1)
    assert arrays_kept(name) == kept
    state = make_optimizer(name, 0.1).init(params)
    shapes = [a.shape for a in jax.tree.leaves(state) if a.ndim]
    assert sorted(shapes) == sorted([a.shape for a in jax.tree.leaves(params)] * kept)


def test_adadelta_is_convnetjs(params, standard, close):
    """convnet_trainers.js, method "adadelta": ro 0.95, eps 1e-8, and no rate."""
    given = [jax.tree.map(lambda p, k=k: jnp.sin(k * p) + 0.1, params) for k in (1, 2, 3)]
    found = [u["conv1"]["kernel"] for u in updates(make_optimizer("adadelta", 1.0), params, given)]
    gsum = xsum = np.zeros((3, 2, 5))
    for gradient, update in zip(given, found, strict=True):
        g = np.asarray(gradient["conv1"]["kernel"], np.float64)
        gsum = 0.95 * gsum + 0.05 * g * g
        dx = -np.sqrt((xsum + 1e-8) / (gsum + 1e-8)) * g
        xsum = 0.95 * xsum + 0.05 * dx * dx
        close(update, dx, 1e-4)


def test_lion_goes_by_signs_alone(params, standard):
    """Chen et al. 2023: sign(0.9·m + 0.1·g), then m = 0.99·m + 0.01·g; decay apart from it."""
    one = jax.tree.map(jnp.ones_like, params)
    given = [one, jax.tree.map(lambda a: -0.01 * a, one)]
    optimizer = make_optimizer("lion", 0.1, weight_decay=0.5)
    kernel = params["conv1"]["kernel"]
    for update in updates(optimizer, params, given):  # 0.9·0.01 - 0.1·0.01 is above 0 still
        expected = -0.1 * (1 + 0.5 * kernel)
        np.testing.assert_allclose(update["conv1"]["kernel"], expected, rtol=1e-4, atol=1e-6)


def test_lambs_update_is_as_long_as_the_array_is(params, standard):
    """You et al. 2019: rate·|w| in the direction of Adam's, array by array."""
    gradient = jax.tree.map(lambda p: 0.3 * p + 1, params)
    (update,) = updates(make_optimizer("lamb", 0.01), params, [gradient])
    for name in ("conv1", "bn1"):
        for leaf, w in params[name].items():
            length = float(jnp.linalg.norm(update[name][leaf]))
            assert length == pytest.approx(0.01 * float(jnp.linalg.norm(w)), rel=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_decay_of_all_acts_on_biases_too(name, params, standard):
    """He et al. 2015."""
    zero = jax.tree.map(jnp.zeros_like, params)
    (update,) = updates(make_optimizer(name, 0.1, weight_decay=0.5, decay="all"), params, [zero])
    for u, p in zip(jax.tree.leaves(update), jax.tree.leaves(params), strict=True):
        assert (jnp.sign(u) == -jnp.sign(p)).all()
