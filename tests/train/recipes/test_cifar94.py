import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jconv.models import build
from jconv.train import triangle
from jconv.train.recipe import Segment, segments
from jconv.train.recipes import cifar94


def test_cifar94_takes_the_published_number_of_steps():
    found = segments(cifar94.recipe(*build("cifar94")), 50_000)
    assert found == [Segment(48, "bias")] * 3 + [Segment(48, "frozen")] * 6 + [
        Segment(44, "frozen")
    ]
    assert sum(call.steps for call in found) == 476


@pytest.fixture
def params(rng):
    draw = lambda *shape: jnp.asarray(rng.standard_normal(shape), jnp.float32)
    return {
        "whiten": {"kernel": draw(3, 2), "bias": draw(2)},
        "block": {"conv": {"kernel": draw(3, 5)}, "bn": {"bias": draw(5)}},
        "fc": {"kernel": draw(5, 3)},
    }


def trained(optimizer, params, gradients):
    state = optimizer.init(params)
    for gradient in gradients:
        with jax.numpy_dtype_promotion("standard"):
            updates, state = optimizer.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
    return params, state


def test_the_published_rule_by_hand(params, rng, close):
    """For gradients g of a batch's sum, a rate r and a decay w of 1,024 examples and k = 1024(1 +
    1/(1 - m)), Nesterov as PyTorch has it: d = g + w/r·p, v = m·v + d, p -= r/k·(d + m·v); for the
    biases of norms 64·r for r, and w/(64·r) for w/r.
    """
    m, r, w, batch, steps = 0.85, 11.5, 0.0153, 512, 9
    recipe = cifar94.recipe(*build("cifar94"))._replace(batch_size=batch)
    gradients = [
        jax.tree.map(lambda a: jnp.asarray(rng.standard_normal(a.shape), jnp.float32), params)
        for _ in range(steps)
    ]
    k, shares = (
        1024 * (1 + 1 / (1 - m)),
        [float(triangle(1.0, steps)(step)) for step in range(steps)],
    )

    def by_hand(path, p):
        keys = [key.key for key in path]
        if keys == ["whiten", "kernel"]:
            return p
        scale = 64 if "bn" in keys else 1
        p, v, rate = np.asarray(p, np.float64), 0.0, scale * r / k
        for share, gradient in zip(shares, gradients, strict=True):
            for key in keys:
                gradient = gradient[key]
            d = batch * np.asarray(gradient, np.float64) + (w * batch / k) / rate * p
            v = m * v + d
            p = p - share * rate * (d + m * v)
        return p

    close(
        trained(recipe.optimizer(recipe, steps, "bias"), params, gradients)[0],
        jax.tree_util.tree_map_with_path(by_hand, params),
        1e-4,
    )


def test_what_is_frozen_rests_whatever_its_momentum(params, recipe):
    gradients = [jax.tree.map(jnp.ones_like, params)] * 3
    after, state = trained(recipe.optimizer(recipe, 9, "bias"), params, gradients)
    optimizer = recipe.optimizer(recipe, 9, "frozen")
    # one program's state goes into the other
    assert jax.tree.structure(optimizer.init(params)) == jax.tree.structure(state)
    with jax.numpy_dtype_promotion("standard"):
        updates, _ = optimizer.update(gradients[0], state, after)
    assert {name: bool(np.any(leaf)) for name, leaf in updates["whiten"].items()} == {
        "kernel": False,
        "bias": False,
    }
    assert np.any(updates["fc"]["kernel"]) and np.any(updates["block"]["bn"]["bias"])
    assert np.any(np.asarray(after["whiten"]["bias"]) != params["whiten"]["bias"])
