"""Activations by path, and nets cut short."""

import jax
import jax.numpy as jnp
import pytest

from jconv import (
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Flatten,
    LayerError,
    Relu,
    Residual,
    Sequential,
    activations,
    features,
    walk,
)
from jconv.analysis import backward

NET = Sequential(
    stem=Conv(4, 3),
    block=Residual(Sequential(conv=Conv(4, 3, padding=1), norm=BatchNorm())),
    stage=Sequential(a=Relu(), fork=Concat(one=Conv(2, 1), two=Conv(3, 1)), b=Relu()),
    flat=Flatten(),
    fc=Dense(5),
)
IN = (7, 5, 3)


@pytest.fixture
def run(rng):
    params, state = NET.init(jax.random.key(0), IN)
    return params, state, jnp.asarray(rng.standard_normal((2, *IN)), jnp.float32)


def test_every_layer_by_path_in_execution_order(run, close):
    params, state, x = run
    found = activations(NET, params, state, x)
    assert list(found) == [visit.path for visit in walk(NET, IN)]
    assert {path: y.shape[1:] for path, y in found.items()} == {
        visit.path: visit.out_shape for visit in walk(NET, IN)
    }
    close(found["fc"], NET.apply(params, state, x)[0], 0)


def test_under_jit_and_of_a_single_layer(run, close):
    params, state, x = run
    norm = jax.jit(lambda p: activations(NET, p, state, x)["block/body/norm"])(params)
    close(norm, activations(NET, params, state, x)["block/body/norm"], 1e-6)
    assert list(activations(Relu(), {}, {}, x)) == [""]


@pytest.mark.parametrize("upto", ["stem", "block", "stage", "stage/fork", "stage/a"])
def test_a_net_cut_at_a_path_gives_what_passes_there(upto, run, close):
    params, state, x = run
    cut = features(NET, upto)
    y = cut.apply(params, state, x)[0]
    inside = {"block": "block/then", "stage": "stage/b"}.get(upto, upto)
    found = activations(NET, params, state, x)
    expected = (
        found[inside]
        if inside in found
        else jnp.concatenate([found["stage/fork/one"], found["stage/fork/two"]], axis=-1)
    )
    close(y, expected, 0)


def test_a_cut_that_cannot_be():
    with pytest.raises(
        LayerError, match="there is no layer 'conv9' here; there are stem, block, stage, flat, fc"
    ):
        features(NET, "conv9")
    with pytest.raises(LayerError, match="stage: there is no layer 'z' here; there are a, fork, b"):
        features(NET, "stage/z")
    with pytest.raises(LayerError, match="block: Residual has branches and cannot end inside one"):
        features(NET, "block/body")


def test_backward_gives_the_gradient_by_every_layer_parameter_and_pixel(run, close):
    params, state, x = run
    weights = jnp.arange(5, dtype=jnp.float32)
    f = lambda y: (y * weights[None]).sum()
    seen = jax.jit(lambda params, x: backward(NET, params, state, x, f))(params, x)
    assert seen.gradients.keys() == seen.activations.keys()
    close(seen.value, f(NET.apply(params, state, x)[0]), 1e-5)
    of_output = jnp.broadcast_to(weights, (2, 5))
    close(seen.gradients["fc"], of_output, 1e-5)
    close(seen.gradients["flat"], of_output @ params["fc"]["kernel"].T, 1e-5)
    by_params, by_x = jax.grad(lambda p, x: f(NET.apply(p, state, x)[0]), (0, 1))(params, x)
    jax.tree.map(lambda a, b: close(a, b, 1e-5), seen.params, by_params)
    close(seen.x, by_x, 1e-5)
    # what the residual adds reaches the body's norm as it reaches its sum
    assert set(seen.gradients) == {
        *("stem", "block/body/conv", "block/body/norm", "block/shortcut", "block/then"),
        *("stage/a", "stage/fork/one", "stage/fork/two", "stage/b", "flat", "fc"),
    }


def test_backward_of_a_single_layer(close):
    layer = Dense(3)
    params, state = layer.init(jax.random.key(0), (4,))
    x = jnp.arange(8.0).reshape(2, 4)
    seen = backward(layer, params, state, x, jnp.sum)
    close(seen.gradients[""], jnp.ones((2, 3)), 1e-5)
    close(seen.x, jnp.ones((2, 3)) @ params["kernel"].T, 1e-5)
