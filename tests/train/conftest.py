from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from jconv import BatchNorm, Conv, Dense, Dropout, Flatten, Gelu, Layer, MaxPool, Relu, Sequential
from jconv.data import Dataset, Split
from jconv.geometry import Shape
from jconv.train import TrainState
from jconv.train.recipes import cifar94


class Tiny(NamedTuple):
    net: Layer
    in_shape: Shape
    classes: int


@pytest.fixture(scope="session")
def tiny():
    """A net with everything that training must carry: statistics, something that draws, kernels and
    biases.
    """
    net = Sequential(
        conv1=Conv(4, 3, bias=False),
        bn1=BatchNorm(),
        relu1=Relu(),
        drop=Dropout(0.3),
        flatten=Flatten(),
        fc=Dense(3),
    )
    return Tiny(net, (7, 5, 2), 3)


@pytest.fixture
def start(tiny, filled):
    """A TrainState of the tiny net with random numbers in it."""

    def make(optimizer):
        params, state = filled(tiny.net, tiny.in_shape)
        return TrainState(params, state, optimizer.init(params), jnp.zeros((), jnp.int32))

    return make


@pytest.fixture(scope="session")
def data():
    """Noise with a class-dependent mean: 23 images to train, 11 to test."""
    rng = np.random.default_rng(1)

    def split(count):
        labels = rng.integers(0, 3, count).astype(np.int32)
        noise = rng.integers(0, 100, (count, 7, 5, 2))
        return Split((noise + 70 * labels[:, None, None, None]).astype(np.uint8), labels)

    return Dataset(split(23), split(11), ("low", "middle", "high"))


@pytest.fixture(scope="session")
def recipe():
    """For `data`: an epoch of four steps, and three steps of another, in which the first layer
    rests.
    """
    net = Sequential(
        whiten=Conv(16, 2),
        gelu=Gelu(),
        block=Sequential(
            conv=Conv(4, 3, padding=1, bias=False),
            pool=MaxPool(2),
            bn=BatchNorm(decay=0.6, scale=False),
            gelu=Gelu(),
        ),
        flatten=Flatten(),
        fc=Dense(3, bias=False),
    )
    published = cifar94.recipe(net, (7, 5, 2), rate=2.0, bias_epochs=1)
    return published._replace(epochs=1.6, batch_size=5, dtype="float32")
