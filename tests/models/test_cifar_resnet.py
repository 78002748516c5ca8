"""ResNet for CIFAR-10."""

import jax.numpy as jnp
import numpy as np
import pytest

from jconv import Conv, Dense, summary, walk
from jconv.errors import InputError
from jconv.models import build
from jconv.models.cifar_resnet import block, cifar_resnet

PARAMS = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962, 1202: 19_421_274}
PROJECTED = {20: 272_474, 32: 466_906, 44: 661_338, 56: 855_770, 110: 1_730_714}
depths = pytest.mark.parametrize("depth", PARAMS)


@pytest.mark.sweep(2)
@depths
def test_parameters_with_shortcut_a(depth):
    assert summary(*build(f"cifar_resnet{depth}")).totals.params == PARAMS[depth]


@pytest.mark.parametrize(("depth", "params"), PROJECTED.items())
def test_parameters_with_shortcut_b(depth, params):
    assert summary(*build(f"cifar_resnet{depth}", variant="B")).totals.params == params


@depths
def test_weight_layers_and_sizes(depth):
    net, in_shape = build(f"cifar_resnet{depth}")
    assert sum(isinstance(v.layer, (Conv, Dense)) for v in walk(net, in_shape)) == depth
    shape, shapes = in_shape, {}
    for name, layer in net.children:
        shape = layer.out_shape(shape)
        shapes[name] = shape
    assert [shapes[f"stage{i}"] for i in (1, 2, 3)] == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]


@pytest.mark.parametrize(("depth", "words"), [(21, "use 20 or 26"), (2, "use 8 or 14")])
def test_depths_that_are_not_6n_plus_2(depth, words):
    with pytest.raises(
        InputError, match=f"^depth={depth}: 6n \\+ 2 layers were expected; {words}$"
    ):
        cifar_resnet(depth)


@pytest.mark.parametrize(("stride", "width"), [(1, 16), (2, 32)])
def test_a_block_whose_last_scale_is_zero_is_its_shortcut(stride, width, rng, filled, compiled):
    """Shortcut A takes every other pixel, keeps the channels first and appends zeros."""
    residual = block(width, stride, "A")
    params, state = filled(residual, (7, 5, 16))
    params["body"]["bn2"] = {name: jnp.zeros(width) for name in ("scale", "bias")}
    x = rng.standard_normal((2, 7, 5, 16), np.float32)
    y = compiled(lambda x: residual.apply(params, state, x)[0])(x)
    expected = np.zeros((2, -(-7 // stride), -(-5 // stride), width))
    expected[..., :16] = np.maximum(x[:, ::stride, ::stride], 0)
    np.testing.assert_array_equal(y, expected)
