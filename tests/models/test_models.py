"""The small nets: LeNet-5 and Caffe's, ConvNetJS's, the CS231n notes' tiny VGG."""

import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import Conv, Dense, Initializer, from_json, models, summary, thin, to_json, walk
from jconv.models import MODELS, build

PUBLISHED = {  # the CS231n notes: total, and each layer with parameters
    "lenet5": (61_706, {"conv1": 156, "conv2": 2_416, "conv3": 48_120, "fc4": 10_164, "fc5": 850}),
    "caffe_lenet": (431_080, {"conv1": 520, "conv2": 25_050, "ip1": 400_500, "ip2": 5_010}),
    "convnetjs": (22_466, {"conv1": 1_216, "conv2": 8_020, "conv3": 10_020, "fc": 3_210}),
    "tiny_vgg": (
        6_440,
        {
            "conv1_1": 280,
            "conv1_2": 910,
            "conv2_1": 910,
            "conv2_2": 910,
            "conv3_1": 910,
            "conv3_2": 910,
            "fc": 1_610,
        },
    ),
}
every_model = pytest.mark.parametrize("name", PUBLISHED)
SIDES = {  # the image's side after each conv and pool
    "lenet5": [28, 14, 10, 5, 1],
    "caffe_lenet": [24, 12, 8, 4],
    "convnetjs": [32, 16, 16, 8, 8, 4],
    "tiny_vgg": [32, 32, 16, 16, 16, 8, 8, 8, 4],
}


@every_model
def test_parameters_are_the_published_ones_to_the_digit(name):
    net, in_shape = build(name)
    table = summary(net, in_shape)
    total, layers = PUBLISHED[name]
    assert {row.path: row.params for row in table.rows if row.params} == layers
    assert table.totals.params == total


@every_model
def test_sizes(name):
    net, in_shape = build(name)
    sides = [v.out_shape[0] for v in walk(net, in_shape) if "conv" in v.path or "pool" in v.path]
    assert sides == SIDES[name]
    assert all(
        v.out_shape[0] == v.out_shape[1] for v in walk(net, in_shape) if len(v.out_shape) == 3
    )
    # the CS231n notes' rule fits everywhere
    assert [row.note for row in summary(net, in_shape).rows if row.note] == []


@every_model
def test_every_model_says_its_input_and_its_parameters_in_its_docstring(name):
    module = getattr(models, name)
    net, in_shape = build(name)
    assert in_shape == module.INPUT == MODELS[name].in_shape
    count = f"{summary(net, in_shape).totals.params:,}"
    assert count in module.__doc__
    assert "x".join(map(str, in_shape)) in module.__doc__
    assert list(inspect.signature(MODELS[name].net).parameters) == ["classes"]


@every_model
def test_init_and_apply_agree_with_the_table(name):
    net, in_shape = build(name, classes=7)
    params, state = jax.eval_shape(lambda key: net.init(key, in_shape), jax.random.key(0))
    assert state == {}
    assert sum(a.size for a in jax.tree.leaves(params)) == summary(net, in_shape).totals.params
    x = jax.ShapeDtypeStruct((2, *in_shape), jnp.float32)
    scores, _ = jax.eval_shape(lambda params, x: net.apply(params, {}, x, train=True), params, x)
    assert scores.shape == (2, 7)
    assert net.out_shape(in_shape) == (7,)


@pytest.mark.sweep(1)
@every_model
def test_every_gradient_is_non_zero(name, rng, compiled):
    net, in_shape = build(name)
    net = thin(net, 1 / 8)
    params, _ = jax.eval_shape(lambda key: net.init(key, in_shape), jax.random.key(0))
    params = jax.tree.map(
        lambda a: jnp.asarray(
            rng.standard_normal(a.shape) / np.sqrt(a.size / a.shape[-1]), jnp.float32
        ),
        params,
    )
    x = jnp.asarray(rng.standard_normal((3, *in_shape)), jnp.float32)
    gradient = compiled(
        jax.grad(lambda params: (net.apply(params, {}, x, train=True)[0] ** 2).sum())
    )(params)
    assert all(np.isfinite(g).all() and np.any(g) for g in jax.tree.leaves(gradient))


@every_model
def test_models_are_values(name):
    net, in_shape = build(name)
    assert net == build(name)[0]
    assert from_json(to_json(net)) == net
    assert net != build(name, classes=11)[0]


def test_the_draws_of_the_originals():
    settings = lambda name: {
        v.path: v.layer for v in walk(*build(name)) if isinstance(v.layer, (Conv, Dense))
    }
    assert {layer.kernel_init for layer in settings("caffe_lenet").values()} == {
        Initializer("uniform", 1.0, "in")
    }
    convnetjs = settings("convnetjs")
    assert {layer.kernel_init for layer in convnetjs.values()} == {Initializer("normal", 1.0, "in")}
    assert [layer.bias_init.scale for layer in convnetjs.values()] == [0.1, 0.1, 0.1, 0.0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lenet", "unknown model 'lenet'; did you mean lenet5"),
        ("tinyvgg", "unknown model 'tinyvgg'; did you mean tiny_vgg"),
        ("???", "unknown model '???'; did you mean "),
    ],
)
def test_unknown_names_list_those_near(name, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        build(name)
