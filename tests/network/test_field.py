"""Receptive fields against the support of the input gradient (facts S50, S76, B5, B11)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import (
    AdaptiveAvgPool,
    AvgPool,
    Concat,
    ContrastNorm,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    LayerError,
    LocalResponseNorm,
    MaxPool,
    PadChannels,
    ReceptiveField,
    Relu,
    Residual,
    Sequential,
    map_layers,
    net_field,
    receptive_fields,
    walk,
)
from jconv.models import MODELS, build

DEEP = {"cifar_resnet1202"}  # 3^-1200 is no float64


def along(axis: int, layer):
    """The layer as it acts along one axis of an image, one channel wide, a max pool as an average pool."""
    pick = lambda v: v[axis] if isinstance(v, tuple) else v
    if isinstance(layer, Conv):
        padding = layer.padding if isinstance(layer.padding, str) else (pick(layer.padding),)
        return Conv(1, pick(layer.kernel), pick(layer.stride), padding, pick(layer.dilation), bias=False, rounding=layer.rounding)
    if isinstance(layer, MaxPool | AvgPool):
        return AvgPool(pick(layer.window), pick(layer.stride), (pick(layer.padding),), layer.rounding)
    return PadChannels(1) if isinstance(layer, PadChannels) else layer


def spatial_part(net):
    """The net before its first Flatten or global pool, whose window would be the whole image; and without its taps' heads."""
    kept = {}
    for name, layer in net.layers:
        if isinstance(layer, Flatten | GlobalAvgPool | GlobalMaxPool | Dense):
            break
        kept[name] = layer
    while isinstance(kept[next(reversed(kept))], AvgPool):  # a last average pool made for one size
        kept.popitem()
    return Sequential(**kept)


def positive(params, state, key):
    """Kernels that sum to 1 and no value below zero: every connection then carries a gradient."""
    kernels = lambda p: jax.random.uniform(key, p.shape, jnp.float64, 0.5, 1.5)
    scaled = lambda p: kernels(p) / kernels(p).sum(axis=tuple(range(p.ndim - 1)), keepdims=True)
    params = jax.tree.map(lambda p: scaled(p) if p.ndim > 1 else jnp.ones(p.shape, jnp.float64), params)
    return params, jax.tree.map(lambda s: jnp.asarray(s, jnp.float64), state)


def support(net, in_shape):
    """First and last input position that the middle output depends on, and which output that is."""
    params, state = positive(*net.init(jax.random.key(0), in_shape), jax.random.key(1))
    x = jax.random.uniform(jax.random.key(2), (1, *in_shape), jnp.float64, 0.5, 1.5)
    middle = net.out_shape(in_shape)[0] // 2
    gradient = jax.jit(jax.grad(lambda x: net.apply(params, state, x)[0][0, middle].sum()))(x)
    seen = np.flatnonzero(np.abs(np.asarray(gradient[0])).max(axis=-1))
    return seen[0], seen[-1], middle


def check(net, in_shape):
    (field,) = net_field(net, in_shape)
    first, last, middle = support(net, in_shape)
    assert (field.start + middle * field.jump, field.size) == (first, last - first + 1)


FAMILIES = [
    ("lenet5", 0),
    ("convnetjs", 0),
    ("nin", 0),
    ("alexnet", 0),
    ("zfnet", 0),
    ("vgg16", 0),
    ("googlenet", 0),
    ("inception_v4", 0),
    ("inception_v4", 1),
    ("resnet18", 0),
    ("cifar_resnet20", 0),
    ("preact_resnet18", 0),
    ("all_cnn_c", 0),
    ("dilated_frontend", 0),
    ("context_basic", 0),
    ("overfeat", 0),
]


@pytest.mark.parametrize(("name", "axis"), FAMILIES)
def test_the_field_of_a_zoo_net_is_the_support_of_its_input_gradient(name, axis, x64):
    net, _ = build(name)
    net = map_layers(spatial_part(net), lambda _, layer: along(axis, layer))
    (field,) = net_field(net, (5000, 1))
    check(net, (field.size + 3 * field.jump + 2 * abs(field.start), 1))


@pytest.mark.parametrize(
    "layer",
    [LocalResponseNorm(3, 0.1, within=True), LocalResponseNorm(4, 0.1, within=True), ContrastNorm(3, 0.1), ContrastNorm(5, 0.1)],
    ids=["lrn3", "lrn4", "contrast3", "contrast5"],
)
def test_norms_within_a_channel_count_as_windows(layer, x64):
    check(Sequential(Conv(1, 3), layer, AvgPool(2), Conv(2, 3)), (61, 1))


@pytest.mark.parametrize("fact", ["S50", "S76"])
def test_stacks_of_three_wide_windows(fact):
    size = lambda *rates: net_field(Sequential(*(Conv(1, 3, dilation=r) for r in rates)), (64, 64, 1))[0].size
    if fact == "S50":
        assert [size(1, 1), size(2, 2), size(1, 2, 4)] == [5, 9, 15]
    else:
        assert [size(1), size(1, 1), size(1, 1, 1)] == [3, 5, 7]


def test_B11_the_context_module_and_the_front_end():
    net, in_shape = build("context_basic")
    assert [f.axes[0].size for f in receptive_fields(net, in_shape) if "conv" in f.path or "ctx" in f.path][:7] == [3, 5, 9, 17, 33, 65, 67]
    assert net_field(*build("dilated_frontend"))[0][:2] == (380, 8)


def test_B5_vgg16():
    net, in_shape = build("vgg16")
    fields = {f.path: f.axes[0] for f in receptive_fields(net, in_shape)}
    assert (fields["conv5_3"].size, fields["pool5"].size, fields["pool5"].jump, fields["fc6"].size) == (196, 212, 32, 404)


def test_every_net_has_a_row_for_every_layer():
    for name in MODELS.keys() - DEEP:
        net, in_shape = build(name)
        assert [f.path for f in receptive_fields(net, in_shape)] == [v.path for v in walk(net, in_shape)]


def test_branches_that_meet_see_the_union():
    net = Concat(a=Conv(1, 3, padding=1), b=Conv(1, 7, padding=3), c=Conv(1, 2, padding=((0, 1), (0, 1))))
    assert net_field(net, (9, 9, 1)) == (ReceptiveField(7, 1, -3),) * 2
    block = Residual(Sequential(Conv(2, 3, padding=1), Relu(), Conv(2, 3, padding=1)))
    assert net_field(block, (9, 9, 2))[0] == ReceptiveField(5, 1, -2)


def test_a_flatten_and_a_global_pool_see_all_there_is():
    assert net_field(Sequential(Conv(2, 3), Flatten(), Dense(3)), (9, 8, 1)) == (ReceptiveField(9, 1, 0), ReceptiveField(8, 1, 0))
    assert net_field(Sequential(Conv(2, 3), GlobalMaxPool()), (9, 8, 1))[1].size == 8


def test_there_is_no_one_field_for_these():
    with pytest.raises(LayerError, match="up: the outputs of a transposed convolution see fields of different sizes"):
        net_field(Sequential(up=ConvTranspose(1, 2, stride=2)), (4, 4, 1))
    with pytest.raises(LayerError, match=r"pool: \(5, 5\) pixels in bins of \(2, 2\)"):
        net_field(Sequential(pool=AdaptiveAvgPool(2)), (5, 5, 1))
    uneven = Residual(Sequential(Conv(1, 1, stride=2), Conv(1, 1)), shortcut=AvgPool(1, stride=2))
    assert net_field(uneven, (6, 6, 1))[0].jump == 2
    crossed = Concat(a=Conv(1, 1, stride=2), b=Sequential(Conv(1, 4)))
    with pytest.raises(LayerError, match=r"branches of jumps \[1, 2\] meet"):
        net_field(Sequential(mix=crossed), (7, 7, 1))
