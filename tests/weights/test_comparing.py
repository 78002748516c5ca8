"""Which layer differs first, and what would explain it: on a net whose arrays were spoilt."""

import jax.numpy as jnp
import numpy as np
import pytest

from jconv import (
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    MaxPool,
    Relu,
    Sequential,
    activations,
    walk,
)
from jconv.weights import Weights
from jconv.weights.comparing import Step, compare
from jconv.weights.layout import flattened

NET = Sequential(
    conv1=Conv(4, 3, padding=1),
    bn=BatchNorm(eps=1e-1),
    relu=Relu(),
    pool=MaxPool(2, rounding="ceil"),
    mean=AvgPool(3, 1, padding=1),
    flatten=Flatten(),
    fc=Dense(5),
)
SHAPE = (8, 8, 3)


def steps(net, params, state, x):
    """What another framework would give: the same net, right."""
    found = activations(net, params, state, x)
    before = np.asarray(x)
    for visit in walk(net, SHAPE):
        after = np.asarray(found[visit.path])
        yield Step(visit.path, before, after)
        before = after


@pytest.fixture
def spoilt(filled, rng):
    params, state = filled(NET, SHAPE)
    x = jnp.asarray(rng.standard_normal((2, *SHAPE)), jnp.float32)

    def go(net=NET, **arrays):
        wrong = {**params, **{name: {**params[name], **a(params)} for name, a in arrays.items()}}
        weights = Weights(net, SHAPE, tuple("abcde"), wrong, state)
        return compare(weights, steps(NET, params, state, x), np.asarray(x))

    return go


def changed(name, layer):
    return Sequential(**{n: layer if n == name else other for n, other in NET.children})


def test_all_agree(spoilt):
    found = spoilt()
    assert found.first is None and len(found.rows) == 7
    assert max(apart for _, apart in found.rows) < 1e-6


def kernel(change):
    return lambda params: {"kernel": change(params["conv1"]["kernel"])}


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda k: k[::-1, ::-1], "true convolution"),
        (lambda k: k.swapaxes(0, 1), "height and width of the kernel exchanged"),
        (lambda k: k[..., ::-1, :], "blue, green, red"),
    ],
)
def test_conventions_of_a_kernel(change, words, spoilt):
    found = spoilt(conv1=kernel(change))
    assert found.first == "conv1" and words in found.words and "would explain it" in found.words


def test_the_order_of_a_flattened_image(spoilt):
    order = flattened((4, 4, 4))
    found = spoilt(fc=lambda params: {"kernel": params["fc"]["kernel"][np.argsort(order)]})
    assert found.first == "fc" and "order of the inputs, from (" in found.words


@pytest.mark.parametrize(
    "name, layer, words",
    [
        ("mean", AvgPool(3, 1, padding=1, count_padding=False), "padding counted in averages"),
        ("bn", BatchNorm(eps=3e-1), "differs by"),
    ],
)
def test_conventions_of_settings(name, layer, words, spoilt):
    found = spoilt(changed(name, layer))
    assert found.first == name and words in found.words


def test_another_shape(filled):
    params, state = filled(NET, SHAPE)
    x = np.zeros((2, *SHAPE), np.float32)
    step = Step("conv1", x, np.zeros((2, 6, 6, 4), np.float32))
    found = compare(Weights(NET, SHAPE, tuple("abcde"), params, state), iter([step]), x)
    assert found.first == "conv1" and "gives (2, 6, 6, 4) there, (2, 8, 8, 4) here" in found.words


def test_a_file_of_pytorch_run_by_its_functions():
    pytest.importorskip("torch")
    from tiny_torch import FILES, IMAGES, IN_SHAPE
    from tiny_torch import NET as TINY

    from jconv.weights import About, read_weights
    from jconv.weights.comparing import torch_steps

    path = FILES / "tiny.pth"
    reading = read_weights(path, About(net=TINY, in_shape=IN_SHAPE))
    x = IMAGES.astype(np.float32)
    found = compare(reading.weights, torch_steps(path, reading, x), x)
    assert found.first is None and [name for name, _ in found.rows][-1] == "fc"
    params = dict(reading.weights.params)
    params["conv2"] = {**params["conv2"], "kernel": params["conv2"]["kernel"].swapaxes(0, 1)}
    spoilt = reading.weights._replace(params=params)
    found = compare(spoilt, torch_steps(path, reading, x), x)
    assert found.first == "conv2" and "height and width" in found.words
