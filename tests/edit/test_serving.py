"""Layers whose convolutions a compiler refuses are left to im2col; the compiler is played by a
function here.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import pytest
from jax.errors import JaxRuntimeError

import jconv
from jconv import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    Lambda,
    Layer,
    LayerError,
    MaxPool,
    Parameter,
    Relu,
    Residual,
    Sequential,
    ops,
    servable,
    walk,
)
from jconv.edit.serving import build_servable
from jconv.layers import zeros

NET = Sequential(
    conv1=Conv(4, 3),
    bn1=BatchNorm(),
    block1=Residual(
        Sequential(conv1=Conv(4, 3, padding=1), relu1=Relu(), conv2=Conv(4, 3, padding=1))
    ),
    up=ConvTranspose(5, 3, stride=2, method="direct"),
    pool1=MaxPool(2),
    flatten=Flatten(),
    fc=Dense(3),
)
SHAPE = (8, 7, 2)


def only(operation, size, kernel=None):
    """A compiler that refuses an operation with windows of a size, and kernels of a shape."""

    def compiles(equation):
        shapes = [v.aval.shape for v in (*equation.invars, *equation.outvars)]
        here = (
            equation.primitive.name == f"jconv_{operation}"
            and equation.params["geometry"].window.size == size
        )
        return not (here and (kernel is None or kernel in shapes))

    return compiles


def methods(net):
    return {
        visit.path: visit.layer.method
        for visit in walk(net, SHAPE)
        if hasattr(visit.layer, "method")
    }


def test_a_net_that_compiles_stays_as_it_is():
    assert servable(NET, SHAPE, 3) is NET


@pytest.mark.exhaustive
def test_the_layers_that_fail_say_im2col_and_no_other(filled, rng, close):
    net = servable(NET, SHAPE, 3, compiles=only("kernel_gradient", (3, 3), (3, 3, 4, 4)))
    changed = {path for path, method in methods(net).items() if method == "im2col"}
    assert changed == {"block1/body/conv1", "block1/body/conv2"}
    assert methods(net)["up"] == "direct" and methods(net)["conv1"] == "auto"
    params, state = filled(NET, SHAPE)
    x = jnp.asarray(rng.standard_normal((3, *SHAPE)), jnp.float32)
    close(net.apply(params, state, x)[0], NET.apply(params, state, x)[0], 1e-5)


def test_a_transposed_convolution_is_an_input_gradient():
    net = servable(NET, SHAPE, 3, compiles=only("input_gradient", (3, 3), (3, 3, 5, 4)))
    assert [path for path, method in methods(net).items() if method == "im2col"] == ["up"]


def test_each_distinct_layer_is_tried_once_and_at_the_batch_and_dtype_given():
    tried = []
    servable(
        NET, SHAPE, 6, dtype="bfloat16", compiles=lambda equation: tried.append(equation) or True
    )
    operands = [
        (e.primitive.name, e.params["method"], *(v.aval.shape for v in e.invars)) for e in tried
    ]
    # conv1, the block's two as one, up; and the dense layer
    assert len(operands) == len(set(operands)) == 3 * 3 + 3
    assert {v.aval.dtype.name for e in tried for v in e.invars} == {"bfloat16"}
    assert ("jconv_forward", ("auto",) * 3, (6, 8, 7, 2), (3, 3, 2, 4)) in operands


@dataclass(frozen=True)
class Own(Layer):
    """A 1x1 convolution that always has a method of its own."""

    method: str = "auto"

    def parameters(self, in_shape):
        return {"kernel": Parameter((1, 1, in_shape[-1], in_shape[-1]), zeros)}

    def apply(self, params, state, x, *, train=False, key=None):
        return ops.conv(x, params["kernel"], method="direct"), state


@dataclass(frozen=True)
class Bare(Layer):
    """The same without the setting."""

    parameters, apply = Own.parameters, Own.apply


@pytest.mark.parametrize(
    ("layer", "why"), [(Bare(), "no method to change"), (Own(), "im2col makes of it")]
)
def test_a_layer_that_cannot_be_helped_is_named(layer, why):
    net = Sequential(block1=Residual(Sequential(mine=layer)))
    with pytest.raises(
        LayerError, match=rf"^block1/body/mine: .*the forward of 3x8x7x2 by 1x1x2x2.*{why}"
    ):
        servable(net, SHAPE, 3, compiles=only("forward", (1, 1)))


def test_a_function_of_integers_is_no_hindrance():
    net = Sequential(conv1=Conv(4, 3), best=Lambda(lambda x: x.argmax(-1)[..., None]))
    assert servable(net, SHAPE, 3) is net


def refusing(say):
    """A build that fails while a layer of the net is not left to im2col."""

    def build(net):
        if "auto" in {method for path, method in methods(net).items() if path.startswith("block1")}:
            raise JaxRuntimeError(say)
        return net

    return build


CUDNN = "UNKNOWN: Failed to determine best cudnn convolution algorithm for: ..."


def test_building_goes_by_the_net_that_compiles_and_says_which_layers_changed():
    compiles = only("forward", (3, 3), (3, 3, 4, 4))
    with pytest.warns(UserWarning, match=r"block1/body/conv1, block1/body/conv2.*im2col"):
        net = build_servable(refusing(CUDNN), NET, SHAPE, [3, 6], compiles=compiles)
    assert net == servable(NET, SHAPE, 3, compiles=compiles)


def test_building_asks_no_compiler_where_it_succeeds():
    assert build_servable(lambda net: net, NET, SHAPE, [3], compiles=None) is NET


def test_what_no_layer_is_to_blame_for_is_raised():
    with pytest.raises(JaxRuntimeError, match="Failed to determine"):
        build_servable(refusing(CUDNN), NET, SHAPE, [3], compiles=lambda _: True)
    with pytest.raises(JaxRuntimeError, match="out of memory"):
        build_servable(
            refusing("RESOURCE_EXHAUSTED: out of memory"), NET, SHAPE, [3], compiles=lambda _: False
        )


def test_it_is_a_public_name_and_needs_no_array():
    huge = jconv.servable(Sequential(conv1=Conv(8, 3)), (64, 64, 3), 10**6, compiles=lambda _: True)
    assert huge == Sequential(conv1=Conv(8, 3)) and jax.devices()
