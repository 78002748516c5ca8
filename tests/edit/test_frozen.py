from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import (
    BatchNorm,
    Composite,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LayerError,
    Relu,
    Repeat,
    Residual,
    Sequential,
    Tap,
    split_taps,
    summary,
    to_json,
)
from jconv.edit.frozen import Frozen, freeze, frozen_paths
from jconv.errors import InputError

NET = Sequential(
    conv1=Conv(4, 3, padding=1),
    stage1=Residual(Sequential(bn=BatchNorm(), drop=Dropout(0.5))),
    relu=Relu(),
    flatten=Flatten(),
    fc=Dense(3),
)
SHAPE = (5, 4, 2)


def test_paths_are_those_of_layers_and_what_lies_below():
    found = frozen_paths(NET, ["stage1"], SHAPE)
    assert {"stage1/body/bn", "stage1/body/drop"} <= found and "conv1" not in found
    assert frozen_paths(NET, ["*bn", "conv1"], SHAPE) == {"stage1/body/bn", "conv1"}
    with pytest.raises(InputError, match="freeze='stage2': no such path in the net; .*stage1"):
        frozen_paths(NET, ["stage2"], SHAPE)


def test_frozen_layers_are_as_in_test_mode(filled):
    params, state = filled(NET, SHAPE)
    net = freeze(NET, ["stage1", "conv1"], SHAPE)
    arrays = jax.eval_shape(lambda key: net.init(key, SHAPE), jax.random.key(0))
    assert jax.tree.structure(arrays) == jax.tree.structure((params, state))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(6, *SHAPE)), jnp.float32)

    def gradient(net, train):
        def loss(params, x):
            y, new = net.apply(params, state, x, train=train)
            return jnp.square(y).sum(), new

        return jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))(params, x)

    (found, of_images), new_state = gradient(net, True)
    (plain, plain_images), _ = gradient(NET, False)
    jax.tree.map(np.testing.assert_array_equal, new_state, state)
    np.testing.assert_allclose(of_images, plain_images, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["fc"]["kernel"], plain["fc"]["kernel"], rtol=1e-4)
    for name in ("conv1", "stage1"):
        assert not any(leaf.any() for leaf in jax.tree.leaves(found[name]))


def test_tables_take_it_as_the_layer_it_is():
    net = freeze(NET, ["conv1"], SHAPE)
    assert isinstance(dict(net.layers)["conv1"], Frozen)
    assert summary(net, SHAPE).totals.params == summary(NET, SHAPE).totals.params
    assert "Frozen(Conv(" in repr(net)


@dataclass(frozen=True)
class Twice(Composite):
    """A child that is gone through twice, with the same parameters."""

    conv: Layer

    def run(self, call, x):
        return call.child("conv", self.conv, call.child("conv", self.conv, x))


def test_shared_looped_and_recorded_layers(filled, close):
    block = Residual(Sequential(conv=Conv(2, 3, padding=1), bn=BatchNorm()))
    net = Sequential(
        twice=Twice(Conv(2, 3, padding=1)),
        seen=Tap("seen", Sequential(flatten=Flatten(), fc=Dense(3))),
        loop=Repeat(block, 3),
        flatten=Flatten(),
        fc=Dense(3),
    )
    params, state = filled(net, SHAPE)
    frozen = freeze(net, ["twice", "seen", "loop"], SHAPE)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, *SHAPE)), jnp.float32)

    def loss(params, net):
        y, new = net.apply(params, state, x, train=True)
        return jnp.square(y).sum(), (y, new)

    gradient, (y, new) = jax.grad(loss, has_aux=True)(params, frozen)
    kept, taps = split_taps(frozen, new)
    plain, recorded = net.apply(params, state, x)
    close(y, plain, 1e-5)
    close(taps, split_taps(net, recorded)[1], 1e-5)
    close(kept, state, 0)
    assert gradient.pop("fc")["kernel"].any()
    assert not any(leaf.any() for leaf in jax.tree.leaves(gradient))


def test_a_frozen_net_is_not_saved_as_it_is():
    with pytest.raises(LayerError, match="^conv1/held: a setting of type Held cannot be saved"):
        to_json(freeze(NET, ["conv1"], SHAPE))
