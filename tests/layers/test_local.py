import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import Conv, Dense, Local, MaxPool, Sequential, ShapeError, summary
from jconv.geometry import volume

ALEXNET = (227, 227, 3)


def tied(params, out_sizes):
    """A conv's parameters, repeated at every position."""
    return {name: jnp.broadcast_to(a, (*out_sizes, *a.shape)) for name, a in params.items()}


@pytest.mark.parametrize("method", ["auto", "im2col", "lax"])
def test_tied_weights_make_it_a_conv_and_its_summed_gradients_are_the_convs(
    method, filled, rng, close, compiled
):
    settings = {"stride": 2, "padding": ((1, 0), 2)}
    conv, local = Conv(4, (3, 2), **settings), Local(4, (3, 2), method=method, **settings)
    shape = (7, 5, 3)
    params, _ = filled(conv, shape)
    x = jnp.asarray(rng.standard_normal((2, *shape)), jnp.float32)
    weight = jnp.asarray(rng.standard_normal((2, *conv.out_shape(shape))), jnp.float32)
    many = tied(params, conv.out_shape(shape)[:-1])
    assert jax.tree.map(lambda a: a.shape, many) == {
        name: p.shape for name, p in local.parameters(shape).items()
    }

    def check(layer):
        run = lambda params, x: (layer.apply(params, {}, x)[0] * weight).sum()
        return compiled(
            lambda params, x: (layer.apply(params, {}, x)[0], jax.grad(run, (0, 1))(params, x))
        )

    y, (shared, into) = check(conv)(params, x)
    other, (each, other_into) = check(local)(many, x)
    close(other, y, 1e-5)
    close(other_into, into, 1e-5)
    close({name: g.sum((0, 1)) for name, g in each.items()}, shared, 1e-5)  # kernel and bias


def test_alexnets_first_layer_unshared_by_arithmetic_alone():
    unshared, shared = Local(96, 11, stride=4), Conv(96, 11, stride=4)
    count = lambda layer: sum(volume(p.shape) for p in layer.parameters(ALEXNET).values())
    assert unshared.out_shape(ALEXNET) == (55, 55, 96)
    assert count(unshared) == 105_705_600 == 290_400 * 364
    assert count(unshared) == 3025 * count(shared)
    assert unshared.macs(ALEXNET) == shared.macs(ALEXNET)
    assert summary(unshared, ALEXNET).totals.params == 105_705_600


def test_cuda_convnets_locally_connected_cifar_net():
    net = Sequential(
        conv1=Conv(64, 5, padding=2),
        pool1=MaxPool(3, 2, rounding="ceil"),
        conv2=Conv(64, 5, padding=2),
        pool2=MaxPool(3, 2, rounding="ceil"),
        local3=Local(32, 3, padding=1),
        local4=Local(32, 3, padding=1),
    )
    assert [r.params for r in summary(net, (32, 32, 3)).rows if r.params] == [
        4_864,
        102_464,
        1_181_696,
        591_872,
    ]
    assert net.out_shape((32, 32, 3)) == (8, 8, 32)
    assert sum(p.size for p in Dense(10).parameters((8 * 8 * 32,)).values()) == 20_490


def test_each_position_has_weights_of_its_own(filled):
    layer, shape = Local(2, 2, stride=2, bias=False), (4, 4, 1)
    params, _ = filled(layer, shape)
    assert set(params) == {"kernel"}
    y, _ = layer.apply(params, {}, jnp.ones((1, *shape)))
    np.testing.assert_allclose(y[0], params["kernel"].sum((2, 3, 4)), rtol=1e-5)
    assert len(np.unique(y)) == 8


def test_fans_are_the_convs():
    parameters = Local(4, (3, 2)).parameters((7, 5, 6))
    assert {(p.fan_in, p.fan_out) for p in parameters.values()} == {(3 * 2 * 6, 3 * 2 * 4)}


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Local(0, 3), "Local: features=0, whole numbers of at least 1 were expected"),
        (lambda: Local(4, 3, padding="FULL"), "Local: unknown padding 'FULL'"),
        (lambda: Local(4, 3, method="fast"), "Local: unknown method 'fast'"),
        (
            lambda: Local(4, 9).out_shape((7, 5, 3)),
            "a 9-wide window does not fit 7 pixels padded by (0, 0)",
        ),
        (
            lambda: Local(4, 3).out_shape((7,)),
            "the input shape (7,) has 0 spatial axes, 1 to 3 were expected",
        ),
    ],
)
def test_settings_that_cannot_be(build, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        build()


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (
            (7, 5, 3),
            "x of shape (7, 5, 3) for the kernel of shape (5, 3, 3, 3, 3, 4): their ranks "
            "disagree; either x lacks the batch axis",
        ),
        (
            (1, 8, 5, 3),
            "x of shape (1, 8, 5, 3) for the kernel of shape (5, 3, 3, 3, 3, 4): Local declares "
            "(6, 3, 3, 3, 3, 4) for it; initialise",
        ),
        (
            (1, 7, 5, 2),
            "x of shape (1, 7, 5, 2) for the kernel of shape (5, 3, 3, 3, 3, 4): Local declares "
            "(5, 3, 3, 3, 2, 4) for it; initialise",
        ),
    ],
)
def test_a_batch_of_another_shape_than_inits(shape, words, filled):
    layer = Local(4, 3)
    params, _ = filled(layer, (7, 5, 3))
    with pytest.raises(ShapeError, match=f"^{re.escape(words)}"):
        layer.apply(params, {}, jnp.zeros(shape))
