"""Pre-activation ResNet for ImageNet."""

import pytest

from jconv import BatchNorm, Conv, Dense, Identity, Residual, summary, walk
from jconv.models import build

PARAMS = {
    18: 11_687_720,
    34: 21_795_880,
    50: 25_549_352,
    101: 44_541_480,
    152: 60_185_128,
    200: 64_666_152,
}
depths = pytest.mark.parametrize("depth", PARAMS)


@depths
def test_parameters(depth):
    assert summary(*build(f"preact_resnet{depth}")).totals.params == PARAMS[depth]


@depths
def test_weight_layers_and_sizes(depth):
    net, shape = build(f"preact_resnet{depth}")
    assert (
        sum(
            isinstance(v.layer, (Conv, Dense)) and "shortcut" not in v.path
            for v in walk(net, shape)
        )
        == depth
    )
    sizes = {}
    for name, layer in net.children:
        shape = layer.out_shape(shape)
        sizes[name] = shape[0]
    assert [sizes[name] for name in ("conv1", "pool1", "stage1", "stage2", "stage3", "stage4")] == [
        112,
        56,
        56,
        28,
        14,
        7,
    ]


def residuals(layer):
    found = [layer] if isinstance(layer, Residual) else []
    return found + [inner for _, child in layer.children for inner in residuals(child)]


@pytest.mark.parametrize(
    "name", ["preact_resnet18", "preact_resnet50", "preact_resnet20", "preact_resnet164"]
)
def test_nothing_after_the_sum_and_no_norm_in_a_projection(name):
    net, in_shape = build(name)
    assert {residual.then for residual in residuals(net)} == {Identity()}
    assert not [
        v.path
        for v in walk(net, in_shape)
        if "shortcut" in v.path and isinstance(v.layer, BatchNorm)
    ]


def test_the_order_of_a_unit():
    paths = [
        v.path.removeprefix("stage2/")
        for v in walk(*build("preact_resnet18"))
        if v.path.startswith("stage2/")
    ]
    assert paths == [
        *("block1/bn1", "block1/relu1"),  # before both branches
        *(f"block1/add/body/{name}" for name in ("conv1", "bn2", "relu2", "conv2")),
        *("block1/add/shortcut", "block1/add/then"),
        *(f"block2/body/{name}" for name in ("bn1", "relu1", "conv1", "bn2", "relu2", "conv2")),
        *("block2/shortcut", "block2/then"),
    ]


def test_the_first_unit_finds_its_norm_in_the_stem():
    paths = [v.path for v in walk(*build("preact_resnet50")) if v.path.startswith("stage1/block1/")]
    assert paths[0] == "stage1/block1/body/conv1"
    assert "stage1/block1/shortcut" in paths


def test_the_stride_is_on_the_3x3():
    strides = {
        v.path: (v.layer.kernel, v.layer.stride)
        for v in walk(*build("preact_resnet50"))
        if isinstance(v.layer, Conv)
    }
    assert {
        kernel for path, (kernel, stride) in strides.items() if stride == 2 and "body" in path
    } == {3}
