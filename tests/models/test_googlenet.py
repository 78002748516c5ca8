"""GoogLeNet, Caffe's and torchvision's."""

import pytest

from jconv import Conv, Dense, Tap, summary, walk
from jconv.models import build

MODULES = {  # the CS231n notes: output, parameters
    "3a": ((28, 28, 256), 163_696),
    "3b": ((28, 28, 480), 388_736),
    "4a": ((14, 14, 512), 376_176),
    "4b": ((14, 14, 512), 449_160),
    "4c": ((14, 14, 512), 510_104),
    "4d": ((14, 14, 528), 605_376),
    "4e": ((14, 14, 832), 868_352),
    "5a": ((7, 7, 832), 1_043_456),
    "5b": ((7, 7, 1024), 1_444_080),
}


def params(rows, prefix):
    return sum(row.params for row in rows if row.path.startswith(prefix))


def test_modules():
    net, in_shape = build("googlenet")
    rows = summary(net, in_shape).rows
    shapes, shape = {}, in_shape
    for name, layer in net.children:
        shape = layer.out_shape(shape)
        shapes[name] = shape
    assert {
        m: (shapes[f"inception_{m}"], params(rows, f"inception_{m}/")) for m in MODULES
    } == MODULES
    assert {
        name: shapes[name]
        for name in ("conv1", "pool1", "conv2_reduce", "conv2", "pool2", "pool3", "pool4", "pool5")
    } == {
        "conv1": (112, 112, 64),
        "pool1": (56, 56, 64),
        "conv2_reduce": (56, 56, 64),
        "conv2": (56, 56, 192),
        "pool2": (28, 28, 192),
        "pool3": (14, 14, 480),
        "pool4": (7, 7, 832),
        "pool5": (1024,),
    }


def test_totals_with_and_without_the_heads():
    table = summary(*build("googlenet"))
    main = [row for row in table.rows if not row.path.startswith("aux")]
    assert sum(row.params for row in main) == 6_998_552
    assert sum(row.macs for row in main) == 1_582_671_872
    assert sum(row.params for row in main if not row.path.startswith("classifier")) == 5_973_552
    assert params(table.rows, "aux1/") == 3_188_840
    assert params(table.rows, "aux2/") == 3_190_888
    assert table.totals.params == 13_378_280


def test_weights_and_biases():
    sums = {"kernel": 0, "bias": 0}
    for v in walk(*build("googlenet")):
        if not v.path.startswith("aux"):
            for leaf, p in v.layer.parameters(v.in_shape).items():
                sums[leaf] += p.size
    assert sums == {"kernel": 6_990_272, "bias": 8_280}


def test_the_heads_run_in_training_only_and_see_4x4():
    net, in_shape = build("googlenet")
    heads = {name: layer for name, layer in net.children if isinstance(layer, Tap)}
    assert {name: (tap.name, tap.train_only) for name, tap in heads.items()} == {
        "aux1": ("loss1", True),
        "aux2": ("loss2", True),
    }
    shapes = {v.path: v.out_shape for v in walk(net, in_shape)}
    assert shapes["aux1/body/pool"] == (4, 4, 512)
    assert shapes["aux2/body/pool"] == (4, 4, 528)
    assert shapes["aux1/body/classifier"] == shapes["aux2/body/classifier"] == (1000,)


def test_the_pools_round_up():
    net, _ = build("googlenet")
    for name, size, floor in (
        ("pool1", 112, 55),
        ("pool2", 56, 27),
        ("pool3", 28, 13),
        ("pool4", 14, 6),
    ):
        pool = net[name]
        assert pool.out_shape((size, size, 3))[0] == size // 2
        assert type(pool)(pool.window, pool.stride).out_shape((size, size, 3))[0] == floor


def test_the_draws():
    layers = {
        v.path: v.layer for v in walk(*build("googlenet")) if isinstance(v.layer, (Conv, Dense))
    }
    lifted = {path for path, layer in layers.items() if layer.bias_init.scale == 0.2}
    assert layers.keys() - lifted == {"classifier", "aux1/body/classifier", "aux2/body/classifier"}


def test_torchvisions_count_and_its_3x3():
    table = summary(*build("googlenet", variant="torchvision"))
    main = [row for row in table.rows if not row.path.startswith("aux")]
    assert sum(row.params for row in main) == 6_624_904
    assert table.totals.params == 13_004_888
    assert round(sum(row.macs for row in main) / 1e9, 2) == 1.50
    five = next(row for row in table.rows if row.path == "inception_3a/5x5/conv/conv")
    assert five.settings.startswith("32, 3")
    assert five.out_shape == (28, 28, 32)
    assert [row.out_shape[0] for row in table.rows if row.path.startswith("pool")][:4] == [
        56,
        28,
        14,
        7,
    ]


@pytest.mark.parametrize("variant", ["caffe", "torchvision"])
def test_against_alexnet(variant):
    rows = summary(*build("googlenet", variant=variant)).rows
    main = sum(row.params for row in rows if not row.path.startswith("aux"))
    assert round(60_965_224 / main, 2) == {"caffe": 8.71, "torchvision": 9.20}[variant]
