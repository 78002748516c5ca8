"""The dilated front end and the context modules."""

import dataclasses

import jax
import numpy as np
import pytest

from jconv import Conv, Sequential, map_layers, summary, walk
from jconv.models import build

FRONT = {21: 134_346_581, 19: 134_338_387, 11: 134_305_611}
BASIC = {21: 28_392, 19: 23_256, 11: 7_832}


def params(name, classes, variant=None):
    return summary(*build(name, classes=classes, variant=variant)).totals.params


@pytest.mark.parametrize("classes", FRONT)
def test_parameters(classes):
    assert params("dilated_frontend", classes) == FRONT[classes]
    assert params("context_basic", classes) == BASIC[classes] == 64 * classes**2 + 8 * classes
    assert params("context_large", classes) == 15_422 * classes**2 + 97 * classes
    assert params("context_basic", classes, "dilation7") == 55 * classes**2 + 7 * classes
    assert params("context_basic", classes, "dilation10") == 82 * classes**2 + 10 * classes


@pytest.mark.parametrize("variant", ["train", "deploy"])
def test_the_large_module(variant):
    assert params("context_large", 21, variant) == 6_803_139
    widths = [
        v.layer.features
        for v in walk(*build("context_large", variant=variant))
        if isinstance(v.layer, Conv)
    ]
    assert widths == [42, 42, 84, 168, 336, 672, 672, 21]


@pytest.mark.parametrize(
    ("context", "variant", "classes", "total"),
    [
        ("context_large", "deploy", 21, 141_149_720),  # Dilation8, VOC
        ("context_basic", "dilation10", 19, 134_368_179),  # Dilation10, Cityscapes
        ("context_basic", "dilation7", 11, 134_312_343),  # Dilation7, KITTI
        ("context_basic", "dilation8", 11, 134_313_443),  # Dilation8, CamVid
    ],
)
def test_front_end_and_context_together(context, variant, classes, total):
    front, in_shape = build("dilated_frontend", classes=classes)
    module, maps = build(context, classes=classes, variant=variant)
    assert front.out_shape(in_shape) == maps
    whole = summary(Sequential(front=front, context=module), in_shape)
    assert whole.totals.params == total
    assert whole.rows[-1].out_shape == (66, 66, classes)


def test_sizes_of_the_front_end():
    rows = [
        row for row in summary(*build("dilated_frontend")).rows if row.kind in ("Conv", "MaxPool")
    ]
    assert [row.out_shape[0] for row in rows] == [
        *(898, 896, 448, 446, 444, 222, 220, 218, 216, 108, 106, 104, 102, 98, 94, 90),
        *(66, 66, 66),
    ]
    assert (900 - 66 * 8) / 2 == 186  # the margin that the image brings


def test_rates_and_paddings():
    settings = lambda *args, **kw: [
        (v.layer.dilation, v.layer.padding)
        for v in walk(*build(*args, **kw))
        if isinstance(v.layer, Conv)
    ]
    own = lambda *rates: [(rate, rate) for rate in rates] + [(1, 0)]
    assert settings("context_basic") == settings("context_large") == own(1, 1, 2, 4, 8, 16, 1)
    assert settings("context_basic", variant="dilation7") == own(1, 1, 2, 4, 8, 1)
    assert settings("context_basic", variant="dilation10") == own(1, 1, 2, 4, 8, 16, 32, 64, 1)
    assert settings("context_large", variant="deploy") == [
        (1, 33),
        (1, 0),
        (2, 0),
        (4, 0),
        (8, 0),
        (16, 0),
        (1, 0),
        (1, 0),
    ]


def test_deploy_pads_once_and_ends_at_the_same_size():
    sizes = [
        row.out_shape[0]
        for row in summary(*build("context_large", variant="deploy")).rows
        if row.kind == "Conv"
    ]
    assert sizes == [130, 128, 124, 116, 100, 68, 66, 66]


@pytest.mark.parametrize(
    ("name", "variant"), [("context_basic", "dilation8"), ("context_large", "train")]
)
def test_modules_begin_as_the_identity(name, variant, rng, compiled):
    net, in_shape = build(name, classes=3, variant=variant)
    assert in_shape == (66, 66, 3)
    draws = [v.layer.kernel_init for v in walk(net, in_shape) if isinstance(v.layer, Conv)]
    assert all(init.noise for init in draws)
    quiet = lambda layer: dataclasses.replace(
        layer, kernel_init=dataclasses.replace(layer.kernel_init, noise=0.0)
    )
    net = map_layers(net, lambda _, layer: quiet(layer) if isinstance(layer, Conv) else layer)
    params, state = net.init(jax.random.key(0), (3, 2, 3))
    x = np.abs(rng.standard_normal((2, 3, 2, 3), np.float32))
    np.testing.assert_allclose(compiled(lambda x: net.apply(params, state, x)[0])(x), x, rtol=1e-5)


@pytest.mark.parametrize(
    ("path", "weight", "noise"), [("conv1", 1 / 2, 0.01 / 2), ("conv3", 1 / 4, 0.01 / 4)]
)
def test_kernels_sum_over_the_channels_of_a_class(path, weight, noise):
    """From 3 maps to 6 and from 6 to 12: weights C/c_out between the channels of a class at the
    centre, and noise everywhere.
    """
    (visit,) = (v for v in walk(*build("context_large", classes=3)) if v.path == path)
    kernel = visit.layer.parameters(visit.in_shape)["kernel"]
    # compiles several times faster than the default generator
    key = jax.random.key(1, impl="unsafe_rbg")
    drawn = np.asarray(kernel.drawn(key))
    a, b = kernel.shape[2:]
    same = (np.arange(a) * 3 // a)[:, None] == (np.arange(b) * 3 // b)[None]
    np.testing.assert_allclose(drawn[1, 1], weight * same, atol=5 * noise)
    assert abs(drawn[0].std() / noise - 1) < 5 / np.sqrt(2 * drawn[0].size)
