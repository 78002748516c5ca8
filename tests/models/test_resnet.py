"""ResNet for ImageNet."""

import pytest

from jconv import Conv, Dense, MaxPool, summary, walk
from jconv.models import build

PARAMS = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}
BILLIONS = {18: 1.814, 34: 3.664, 50: 4.089, 101: 7.801, 152: 11.514}  # torchvision's
depths = pytest.mark.parametrize("depth", PARAMS)


@depths
@pytest.mark.parametrize("variant", ["torch", "msra"])
def test_parameters(depth, variant):
    bias = 64 if (depth, variant) == (50, "msra") else 0  # 25,557,096
    assert summary(*build(f"resnet{depth}", variant=variant)).totals.params == PARAMS[depth] + bias


@depths
def test_multiply_adds_are_torchvisions(depth):
    assert round(summary(*build(f"resnet{depth}")).totals.macs / 1e9, 3) == BILLIONS[depth]


@depths
def test_weight_layers(depth):
    visits = walk(*build(f"resnet{depth}"))
    assert (
        sum(isinstance(v.layer, (Conv, Dense)) and "shortcut" not in v.path for v in visits)
        == depth
    )


@depths
@pytest.mark.parametrize("variant", ["torch", "msra"])
def test_stage_sizes(depth, variant):
    net, shape = build(f"resnet{depth}", variant=variant)
    shapes = {}
    for name, layer in net.children:
        shape = layer.out_shape(shape)
        shapes[name] = shape
    widths = (64, 128, 256, 512) if depth < 50 else (256, 512, 1024, 2048)
    assert shapes["conv1"] == (112, 112, 64)
    assert shapes["pool1"] == (56, 56, 64)
    assert [shapes[f"stage{i}"] for i in (1, 2, 3, 4)] == [
        (s, s, w) for s, w in zip((56, 28, 14, 7), widths, strict=True)
    ]


@pytest.mark.parametrize(("variant", "strided"), [("torch", "conv2"), ("msra", "conv1")])
def test_where_a_bottleneck_has_its_stride(variant, strided):
    strides = {
        v.path: v.layer.stride
        for v in walk(*build("resnet50", variant=variant))
        if isinstance(v.layer, Conv)
    }
    assert {path for path, stride in strides.items() if stride == 2} == {
        "conv1",
        *(f"stage{i}/block1/body/{strided}" for i in (2, 3, 4)),
        *(f"stage{i}/block1/shortcut/conv" for i in (2, 3, 4)),
    }


def test_the_stem_pools():
    pool = lambda variant: build("resnet50", variant=variant)[0]["pool1"]
    assert pool("torch") == MaxPool(3, 2, padding=1)
    assert pool("msra") == MaxPool(3, 2, rounding="ceil")


def test_the_one_bias_of_a_convolution():
    for depth in PARAMS:
        biased = [
            v.path
            for v in walk(*build(f"resnet{depth}", variant="msra"))
            if isinstance(v.layer, Conv) and v.layer.bias
        ]
        assert biased == (["conv1"] if depth == 50 else [])
