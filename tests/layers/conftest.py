"""Every layer at a size that compiles in no time, and what it comes to in a step of training."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest

from jconv import (
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    ContrastNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    DropPath,
    Elu,
    Flatten,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    Identity,
    Lambda,
    Layer,
    LayerNorm,
    LeakyRelu,
    Local,
    LocalResponseNorm,
    LpPool,
    Maxout,
    MaxPool,
    Normalize,
    PadChannels,
    Rbf,
    Relu,
    Scale,
    Sequential,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Subsampling,
    Tanh,
)

IMAGES, IMAGE, ROW = 8, (6, 5, 4), (6,)
LAYERS = {  # what is cheap together, as what costs is compiling
    "conv": (Conv(8, 3, padding=1), IMAGE),
    "strided conv": (Conv(8, 3, stride=2, dilation=2, padding=2), IMAGE),
    "grouped conv": (Conv(8, 3, groups=2), IMAGE),
    "depthwise conv": (Conv(8, 3, groups=4, padding=1), IMAGE),
    "masked conv": (Conv(2, 3, mask=((0, 3), (1, 2, 3))), IMAGE),
    "conv of one axis": (Conv(4, 5), (9, 2)),
    "conv of three axes": (Conv(4, 2), (3, 4, 5, 2)),
    "conv transpose": (ConvTranspose(8, 3, stride=2), IMAGE),
    "local": (Local(2, 3), IMAGE),
    "dense": (Dense(8), ROW),
    "batch norm": (BatchNorm(), IMAGE),
    "max pool": (MaxPool(2), IMAGE),
    "large max pool": (MaxPool(5, stride=1, padding=2), IMAGE),
    "average pools": (
        Sequential(
            AvgPool(3, 1, 1),
            AvgPool(5, 1, 2, count_padding=False),
            LpPool(2, 1),
            Subsampling(),
            AdaptiveAvgPool(3),
            GlobalAvgPool(),
        ),
        IMAGE,
    ),
    "norms": (
        Sequential(
            GroupNorm(2),
            LayerNorm(),
            LocalResponseNorm(3, alpha=0.5),
            LocalResponseNorm(3, alpha=0.5, within=True),
            ContrastNorm(3, alpha=0.5),
        ),
        IMAGE,
    ),
    "values": (  # Gelu's tanh form: inside of shard_map jax 0.12 fails on the gradient of erf
        Sequential(
            *(
                Normalize((0.1, 0.2, 0.3, 0.4), (1.0, 2.0, 3.0, 4.0)),
                Scale(),
                Dropout(0.2),
                Dropout(0.2, channels=True),
                DropPath(0.2),
            ),
            *(
                Elu(),
                Gelu(approximate=True),
                Identity(),
                Lambda(jnp.cos),
                LeakyRelu(),
                Sigmoid(),
                Silu(),
                Softplus(),
                Tanh(),
                Relu(),
            ),
        ),
        IMAGE,
    ),
    "channels": (Sequential(PadChannels(8), Maxout(2), Softmax(), GlobalMaxPool()), IMAGE),
    "rows": (Sequential(Flatten(), BatchNorm(), Rbf(3)), (2, 2, 4)),
    "net": (
        Sequential(
            *(
                Conv(8, 3, padding=1, bias=False),
                BatchNorm(),
                Relu(),
                Conv(8, 3, groups=8),
                GroupNorm(2),
                MaxPool(2),
            ),
            *(Flatten(), Dense(3)),
        ),
        IMAGE,
    ),
}


class Step(NamedTuple):
    """A layer with arrays for it, all random: params, state, images, and what the output is
    weighted by.
    """

    name: str
    layer: Layer
    arrays: tuple[Any, Any, jax.Array, jax.Array]

    def run(self, reduce: Callable = lambda loss: loss) -> Callable:
        """params, state, x, weights -> the output, the new state, and the gradients of the weighted
        sum for parameters and images.
        """

        def step(params, state, x, weights):
            def loss(params, x):
                y, new = self.layer.apply(params, state, x, train=True, key=jax.random.key(1))
                return reduce((y * weights).sum()), (y, new)

            (_, aux), gradients = jax.value_and_grad(loss, (0, 1), has_aux=True)(params, x)
            return *aux, *gradients

        return step


@pytest.fixture
def step_of(filled, rng):
    """step_of(name, layer, in_shape): a Step with random arrays."""

    def make(name, layer, in_shape):
        params, state = filled(layer, in_shape)
        shapes = in_shape, layer.out_shape(in_shape)
        x, weights = (
            jnp.asarray(rng.standard_normal((IMAGES, *shape)), jnp.float32) for shape in shapes
        )
        return Step(name, layer, (params, state, x, weights))

    return make


@pytest.fixture(params=LAYERS)
def any_layer(request, step_of):
    """A Step of each layer in turn."""
    return step_of(request.param, *LAYERS[request.param])


@pytest.fixture(params=[name for name, (_, in_shape) in LAYERS.items() if in_shape == IMAGE])
def layer_of_images(request, step_of):
    """A Step of each that takes a batch of IMAGE in turn."""
    return step_of(request.param, *LAYERS[request.param])
