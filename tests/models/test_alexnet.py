"""AlexNet in its two Caffe forms, ungrouped, and torchvision's."""

import pytest

from jconv import Conv, Dense, LocalResponseNorm, summary, walk
from jconv.models import build

TABLE = {  # the CS231n notes: output, weights, biases
    "conv1": ((55, 55, 96), 34_848, 96),
    "conv2": ((27, 27, 256), 307_200, 256),
    "conv3": ((13, 13, 384), 884_736, 384),
    "conv4": ((13, 13, 384), 663_552, 384),
    "conv5": ((13, 13, 256), 442_368, 256),
    "fc6": ((4096,), 37_748_736, 4_096),
    "fc7": ((4096,), 16_777_216, 4_096),
    "fc8": ((1000,), 4_096_000, 1_000),
}
grouped = pytest.mark.parametrize("variant", ["bvlc", "caffenet"])


@grouped
def test_table(variant):
    visits = [
        v for v in walk(*build("alexnet", variant=variant)) if isinstance(v.layer, (Conv, Dense))
    ]
    sizes = {
        v.path: {name: p.size for name, p in v.layer.parameters(v.in_shape).items()} for v in visits
    }
    assert {
        v.path: (v.out_shape, sizes[v.path]["kernel"], sizes[v.path]["bias"]) for v in visits
    } == TABLE


@grouped
def test_totals(variant):
    table = summary(*build("alexnet", variant=variant))
    assert table.totals.params == 60_965_224
    assert table.totals.macs == 724_406_816
    assert sum(row.macs for row in table.rows if row.kind == "Conv") == 665_784_864


def test_ungrouped():
    assert summary(*build("alexnet", variant="ungrouped")).totals.params == 62_378_344


def test_neurons():
    net, in_shape = build("alexnet")
    neurons = [row.values for row in summary(net, in_shape).rows if row.kind in ("Conv", "Dense")]
    assert neurons == [290_400, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]
    assert sum(neurons) == 659_272  # the CS231n notes: the paper's first layer has 253,440


@pytest.mark.parametrize(
    ("variant", "order", "sizes"),
    [
        (
            "bvlc",
            ["conv1", "relu1", "norm1", "pool1", "conv2", "relu2", "norm2", "pool2", "conv3"],
            [55, 27],
        ),
        (
            "caffenet",
            ["conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2", "norm2", "conv3"],
            [27, 13],
        ),
    ],
)
def test_where_it_normalises(variant, order, sizes):
    visits = list(walk(*build("alexnet", variant=variant)))
    assert [v.path for v in visits][:9] == order
    assert [v.in_shape[0] for v in visits if isinstance(v.layer, LocalResponseNorm)] == sizes


@pytest.mark.parametrize(("variant", "start"), [("bvlc", 0.1), ("caffenet", 1.0)])
def test_the_draws(variant, start):
    layers = {
        v.path: v.layer
        for v in walk(*build("alexnet", variant=variant))
        if isinstance(v.layer, (Conv, Dense))
    }
    starts = {path: layer.bias_init.scale for path, layer in layers.items()}
    assert starts == dict.fromkeys(TABLE, start) | {"conv1": 0.0, "conv3": 0.0, "fc8": 0.0}
    assert {path: layer.kernel_init.scale for path, layer in layers.items()} == dict.fromkeys(
        TABLE, 0.01
    ) | {"fc6": 0.005, "fc7": 0.005}


def test_a_larger_image_gives_8x8_places_for_fc6():
    net, _ = build("alexnet", variant="caffenet")
    shapes = {v.path: v.out_shape for v in walk(net, (451, 451, 3))}
    assert shapes["pool5"] == (13, 13, 256)
    assert Conv(4096, 6).out_shape(shapes["pool5"]) == (8, 8, 4096)


def test_owt_is_torchvisions_and_brings_its_own_image():
    net, in_shape = build("alexnet", variant="owt")
    assert (net, in_shape) == build("alexnet_owt", variant="torchvision")
    assert in_shape == (224, 224, 3)
