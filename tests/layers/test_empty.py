"""A batch of no images goes through every layer, forward and backward, and leaves the state as it
was.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jconv
from jconv import (
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    Relu,
    Residual,
    Sequential,
    ShapeError,
)

IMAGE = (5, 5, 4)
MADE = {
    "Conv": lambda: Conv(4, 3, groups=2),
    "ConvTranspose": lambda: jconv.ConvTranspose(4, 3, stride=2),
    "Local": lambda: jconv.Local(3, 2),
    "PadChannels": lambda: jconv.PadChannels(6),
    "MaxPool": lambda: MaxPool(3, 2, padding=1),
    "MaxPool, dilated": lambda: MaxPool(2, 1, dilation=2),
    "AvgPool": lambda: AvgPool(2, padding=1, padding_mode="reflect"),
    "LpPool": lambda: jconv.LpPool(2),
    "AdaptiveAvgPool": lambda: jconv.AdaptiveAvgPool(2),
    "AdaptiveMaxPool": lambda: jconv.AdaptiveMaxPool(2),
    "GlobalMaxPool": lambda: jconv.GlobalMaxPool(),
    "GlobalAvgPool": lambda: GlobalAvgPool(),
    "Subsampling": lambda: jconv.Subsampling(),
    "Upsample": lambda: jconv.Upsample(2, mode="bilinear"),
    "PixelShuffle": lambda: jconv.PixelShuffle(2),
    "MaxUnpool": lambda: jconv.MaxUnpool(Relu()),
    "BatchNorm": lambda: BatchNorm(),
    "GroupNorm": lambda: jconv.GroupNorm(2),
    "InstanceNorm": lambda: jconv.InstanceNorm(),
    "LayerNorm": lambda: jconv.LayerNorm(),
    "RMSNorm": lambda: jconv.RMSNorm(),
    "LocalResponseNorm": lambda: jconv.LocalResponseNorm(3),
    "within": lambda: jconv.LocalResponseNorm(3, within=True),
    "ContrastNorm": lambda: jconv.ContrastNorm(3),
    "Scale": lambda: jconv.Scale(),
    "PRelu": lambda: jconv.PRelu(),
    "Maxout": lambda: jconv.Maxout(2),
    "Dropout": lambda: jconv.Dropout(),
    "DropPath": lambda: jconv.DropPath(),
    "a head": lambda: Sequential(Flatten(), Dense(3)),
    "a net": lambda: Sequential(
        Conv(4, 3, padding=1),
        BatchNorm(),
        Residual(Conv(4, 3, padding=1)),
        GlobalAvgPool(),
        Dense(2),
    ),
}


@pytest.mark.sweep(2)
@pytest.mark.parametrize("name", MADE)
def test_nothing_goes_through(name):
    layer = MADE[name]()
    key = jax.random.key(0, impl="unsafe_rbg")
    params, state = layer.init(key, IMAGE)
    x = jnp.zeros((0, *IMAGE))

    def loss(params, x):
        y, after = layer.apply(params, state, x, train=True, key=key)
        return y.sum(), (y, after)

    (d_params, dx), (y, after) = jax.grad(loss, argnums=(0, 1), has_aux=True)(params, x)
    assert y.shape == (0, *layer.out_shape(IMAGE)) and dx.shape == x.shape
    jax.tree.map(np.testing.assert_array_equal, after, state)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(d_params))  # zeros, not NaN


@pytest.mark.parametrize("shape", [(1, 3), (0, 3), (1, 1, 1, 3)])
def test_a_variance_of_one_value_is_refused_in_training(shape):
    layer = BatchNorm()
    params, state = layer.init(jax.random.key(0), shape[1:])
    with pytest.raises(
        ShapeError,
        match=r"has (one|no) value per channel, and in training at least two were expected",
    ):
        layer.apply(params, state, jnp.ones(shape), train=True)
    # at test time the running values serve
    assert layer.apply(params, state, jnp.ones(shape))[0].shape == shape


@pytest.mark.parametrize(
    "layer, in_shape, words",
    [
        (jconv.GroupNorm(4), (4,), "4 groups of .* hold one value each"),
        (jconv.GroupNorm(4), (1, 1, 4), "4 groups of .* hold one value each"),
        (jconv.InstanceNorm(), (1, 1, 4), "has one position"),
        (jconv.InstanceNorm(), (4,), "has one position"),
        (jconv.LayerNorm(), (5, 5, 1), "has one channel"),
    ],
)
def test_a_norm_over_a_single_value_is_refused(layer, in_shape, words):
    with pytest.raises(ShapeError, match=words):
        layer.out_shape(in_shape)
