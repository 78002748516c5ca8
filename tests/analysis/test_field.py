"""Receptive fields against the support of the input gradient."""

import inspect
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sweeps import sweep

from jconv import (
    AdaptiveAvgPool,
    AvgPool,
    Concat,
    ContrastNorm,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GlobalMaxPool,
    Identity,
    LayerError,
    Local,
    LocalResponseNorm,
    MaxPool,
    PadChannels,
    Rbf,
    ReceptiveField,
    Relu,
    Residual,
    Sequential,
    Tap,
    convolutionalize,
    map_layers,
    net_field,
    receptive_fields,
    walk,
)
from jconv.models import MODELS, build


def variants(name):
    parameter = inspect.signature(MODELS[name].net).parameters.get("variant")
    return get_args(parameter.annotation) if parameter else (None,)


# as one program they take minutes to compile; operation by operation, seconds
# only more of the blocks of others
DEEPER = ("preact_resnet200", "preact_resnet1001", "cifar_resnet110", "cifar_resnet1202")
FORMS = [(name, form) for name in MODELS if name not in DEEPER for form in variants(name)]
QUICK = ("lenet5", "alexnet", "vgg16", "googlenet", "cifar_resnet20", "resnet18", "context_basic")


def along(axis: int, layer):
    """The layer as it acts along one axis of an image, one channel wide, a max pool as an average
    pool.
    """
    pick = lambda v: v[axis] if isinstance(v, tuple) else v
    if isinstance(layer, Conv):
        padding = layer.padding if isinstance(layer.padding, str) else (pick(layer.padding),)
        return Conv(
            1,
            pick(layer.kernel),
            pick(layer.stride),
            padding,
            pick(layer.dilation),
            bias=False,
            rounding=layer.rounding,
        )
    if isinstance(layer, Local):
        return Local(1, pick(layer.kernel), pick(layer.stride), (pick(layer.padding),), bias=False)
    if isinstance(layer, MaxPool | AvgPool):
        return AvgPool(
            pick(layer.window), pick(layer.stride), (pick(layer.padding),), layer.rounding
        )
    if isinstance(layer, Rbf):
        return Identity()  # what follows LeNet-5's dense layers looks at one position
    return PadChannels(1) if isinstance(layer, PadChannels) else layer


def without_taps(net):
    return map_layers(net, lambda _, layer: Identity() if isinstance(layer, Tap) else layer)


def sliding(net, in_shape):
    """The net with its dense head and its global pool as windows that slide, so that they count."""
    params = jax.eval_shape(lambda key: net.init(key, in_shape)[0], jax.random.key(0))
    return convolutionalize(
        net, jax.tree.map(lambda p: np.broadcast_to(np.float32(0), p.shape), params), in_shape
    )[0]


def positive(net, in_shape, rng):
    """Parameters and statistics above zero, so that every connection carries a gradient. Kernels
    sum to 1 along their window, most of it at both its ends: so the ends of the field stay within
    reach of float64 however deep the net is.
    """
    params, state = jax.eval_shape(lambda key: net.init(key, in_shape), jax.random.key(0))

    def filled(path, p):
        if path[-1].key != "kernel":
            return np.ones(p.shape)
        taps = np.full((p.shape[-3], 1, 1), 0.01)
        taps[[0, -1]] = 1
        kernel = taps * rng.uniform(0.5, 1.5, p.shape)
        return kernel / kernel.sum(axis=-3, keepdims=True)

    return jax.tree_util.tree_map_with_path(filled, params), jax.tree.map(
        lambda s: np.ones(s.shape), state
    )


def support(net, in_shape, rng, jit):
    """First and last input position that the middle output depends on, and which output that is."""
    params, state = positive(net, in_shape, rng)
    middle = net.out_shape(in_shape)[0] // 2

    def gradient(x):
        y, back = jax.vjp(lambda x: net.apply(params, state, x)[0], x)
        # half of the range of float64 lies below 1
        return back(jnp.zeros_like(y).at[0, middle].set(1e120))[0]

    found = np.asarray(jit(gradient)(jnp.asarray(rng.uniform(0.5, 1.5, (1, *in_shape)))))
    assert np.isfinite(found).all()
    seen = np.flatnonzero(found[0].max(axis=-1))
    return seen[0], seen[-1], middle


def check(net, in_shape, rng, jit):
    (field,) = net_field(net, in_shape)
    first, last, middle = support(net, in_shape, rng, jit)
    assert (field.start + middle * field.jump, field.size) == (first, last - first + 1)
    assert 0 < first and last < in_shape[0] - 1  # the image is longer


@pytest.mark.sweep(2)
@pytest.mark.parametrize(("name", "variant"), sweep(FORMS, QUICK))
def test_the_field_of_every_net_is_the_support_of_its_input_gradient(
    name, variant, x64, rng, compiled
):
    net, in_shape = build(name, variant=variant)
    net = sliding(without_taps(net), in_shape)
    across, down = (
        map_layers(net, lambda _, layer, axis=axis: along(axis, layer)) for axis in (0, 1)
    )
    for line in (across,) if across == down else (across, down):
        (field,) = net_field(line, (20_000, 1))
        check(
            line,
            (field.size + 3 * field.jump + 2 * abs(field.start), 1),
            rng,
            compiled,
        )


@pytest.mark.parametrize(
    "layer",
    [
        LocalResponseNorm(3, 0.1, within=True),
        LocalResponseNorm(4, 0.1, within=True),
        ContrastNorm(3, 0.1),
        ContrastNorm(5, 0.1),
    ],
    ids=["lrn3", "lrn4", "contrast3", "contrast5"],
)
def test_norms_within_a_channel_count_as_windows(layer, x64, rng, compiled):
    check(Sequential(Conv(1, 3), layer, AvgPool(2), Conv(2, 3)), (61, 1), rng, compiled)


def test_stacks_of_three_wide_windows():
    size = lambda *rates: (
        net_field(Sequential(*(Conv(1, 3, dilation=r) for r in rates)), (64, 64, 1))[0].size
    )
    assert [size(1), size(1, 1), size(1, 1, 1)] == [3, 5, 7]
    assert [size(2, 2), size(1, 2, 4)] == [9, 15]


def test_the_context_module_and_the_front_end():
    net, in_shape = build("context_basic")
    assert [
        f.axes[0].size
        for f in receptive_fields(net, in_shape)
        if "conv" in f.path or "ctx" in f.path
    ][:7] == [3, 5, 9, 17, 33, 65, 67]
    assert net_field(*build("dilated_frontend"))[0][:2] == (380, 8)


def test_vgg16():
    net, in_shape = build("vgg16")
    fields = {f.path: f.axes[0] for f in receptive_fields(net, in_shape)}
    assert (
        fields["conv5_3"].size,
        fields["pool5"].size,
        fields["pool5"].jump,
        fields["fc6"].size,
    ) == (196, 212, 32, 404)


@pytest.mark.exhaustive
def test_every_net_has_a_row_for_every_layer():
    for name in MODELS:
        net, in_shape = build(name)
        assert [f.path for f in receptive_fields(net, in_shape)] == [
            v.path for v in walk(net, in_shape)
        ]


def test_branches_that_meet_see_the_union():
    net = Concat(
        a=Conv(1, 3, padding=1), b=Conv(1, 7, padding=3), c=Conv(1, 2, padding=((0, 1), (0, 1)))
    )
    assert net_field(net, (9, 9, 1)) == (ReceptiveField(7, 1, -3),) * 2
    block = Residual(Sequential(Conv(2, 3, padding=1), Relu(), Conv(2, 3, padding=1)))
    assert net_field(block, (9, 9, 2))[0] == ReceptiveField(5, 1, -2)


def test_a_flatten_and_a_global_pool_see_all_there_is():
    assert net_field(Sequential(Conv(2, 3), Flatten(), Dense(3)), (9, 8, 1)) == (
        ReceptiveField(9, 1, 0),
        ReceptiveField(8, 1, 0),
    )
    assert net_field(Sequential(Conv(2, 3), GlobalMaxPool()), (9, 8, 1))[1].size == 8


def test_there_is_no_one_field_for_these():
    with pytest.raises(
        LayerError, match="up: what the outputs of ConvTranspose see is not one window"
    ):
        net_field(Sequential(up=ConvTranspose(1, 2, stride=2)), (4, 4, 1))
    with pytest.raises(
        LayerError, match="pool: what the outputs of AdaptiveAvgPool see is not one window"
    ):
        # bins that begin at 0, 2, 5 and 7
        net_field(Sequential(pool=AdaptiveAvgPool(4)), (10, 10, 1))
    # both of 3, and 2 apart
    assert net_field(Sequential(pool=AdaptiveAvgPool(2)), (5, 5, 1))[0] == (3, 2, 0)
    uneven = Residual(Sequential(Conv(1, 1, stride=2), Conv(1, 1)), shortcut=AvgPool(1, stride=2))
    assert net_field(uneven, (6, 6, 1))[0].jump == 2
    crossed = Concat(a=Conv(1, 1, stride=2), b=Sequential(Conv(1, 4)))
    with pytest.raises(LayerError, match=r"branches of jumps \[1, 2\] meet"):
        net_field(Sequential(mix=crossed), (7, 7, 1))
