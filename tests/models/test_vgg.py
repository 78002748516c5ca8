"""VGG A to E."""

import pytest

from jconv import Conv, LocalResponseNorm, summary, walk
from jconv.models import build

# the CS231n notes: weight layers, parameters of the convolutions, all parameters, multiply-adds,
# values with the input
TABLE = {
    "vgg11": (11, 9_220_480, 132_863_336, 7_609_090_048, 9_116_136),
    "vgg13": (13, 9_404_992, 133_047_848, 11_308_466_176, 13_933_032),
    "vgg16_c": (16, 9_996_096, 133_638_952, 11_770_888_192, 15_237_608),
    "vgg16": (16, 14_714_688, 138_357_544, 15_470_264_320, 15_237_608),
    "vgg19": (19, 20_024_384, 143_667_240, 19_632_062_464, 16_542_184),
}
NORMED = {
    "vgg11_bn": 132_868_840,
    "vgg13_bn": 133_053_736,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
}
A14 = [  # V2 to V22: output, values, weights without biases
    ((224, 224, 64), 3_211_264, 1_728),
    ((224, 224, 64), 3_211_264, 36_864),
    ((112, 112, 64), 802_816, 0),
    ((112, 112, 128), 1_605_632, 73_728),
    ((112, 112, 128), 1_605_632, 147_456),
    ((56, 56, 128), 401_408, 0),
    ((56, 56, 256), 802_816, 294_912),
    ((56, 56, 256), 802_816, 589_824),
    ((56, 56, 256), 802_816, 589_824),
    ((28, 28, 256), 200_704, 0),
    ((28, 28, 512), 401_408, 1_179_648),
    ((28, 28, 512), 401_408, 2_359_296),
    ((28, 28, 512), 401_408, 2_359_296),
    ((14, 14, 512), 100_352, 0),
    ((14, 14, 512), 100_352, 2_359_296),
    ((14, 14, 512), 100_352, 2_359_296),
    ((14, 14, 512), 100_352, 2_359_296),
    ((7, 7, 512), 25_088, 0),
    ((4096,), 4_096, 102_760_448),
    ((4096,), 4_096, 16_777_216),
    ((1000,), 1_000, 4_096_000),
]


@pytest.mark.parametrize("name", TABLE)
def test_table(name):
    table = summary(*build(name))
    kinds = {kind: [row for row in table.rows if row.kind == kind] for kind in ("Conv", "Dense")}
    conv, dense = (sum(row.params for row in rows) for rows in kinds.values())
    weight_layers = sum(map(len, kinds.values()))
    assert (weight_layers, conv, *table.totals) == TABLE[name]
    assert dense == 123_642_856


@pytest.mark.parametrize(("name", "params"), NORMED.items())
def test_b_table_batch_norm_adds_scales_and_biases(name, params):
    assert summary(*build(name)).totals.params == params


def test_a_lrn_has_one_norm_more_and_as_many_parameters():
    plain, normed = (list(walk(*build(name))) for name in ("vgg11", "vgg11_lrn"))
    assert [v.path for v in normed if v not in plain] == ["norm1"]
    assert [v.in_shape for v in normed if isinstance(v.layer, LocalResponseNorm)] == [
        (224, 224, 64)
    ]
    assert summary(*build("vgg11_lrn")).totals.params == 132_863_336


def test_a14_vgg16_row_by_row():
    net, in_shape = build("vgg16")
    rows = [row for row in summary(net, in_shape).rows if row.kind in ("Conv", "MaxPool", "Dense")]
    weights = [row.params - row.out_shape[-1] if row.params else 0 for row in rows]
    assert [(row.out_shape, row.values, w) for row, w in zip(rows, weights, strict=True)] == A14
    assert summary(net, in_shape).in_values == 150_528  # V1
    assert sum(weights) == 138_344_128
    assert sum(row.params for row in rows) - sum(weights) == 13_416


def test_the_true_total():
    totals = summary(*build("vgg16")).totals
    assert totals.values == 15_237_608  # the CS231n notes print 24M
    assert round(totals.values * 4 / 2**20, 2) == 58.13
    assert round(totals.values * 8 / 2**20, 2) == 116.25


def test_where_values_and_parameters_are():
    values, params = [row[1] for row in A14], [row[2] for row in A14]
    assert round(100 * sum(values[:2]) / 15_237_608, 1) == 42.1
    assert round(100 * sum(values[:6]) / 15_237_608, 1) == 71.1
    dense = [row.params for row in summary(*build("vgg16")).rows if row.kind == "Dense"]
    assert round(100 * sum(dense) / 138_357_544, 1) == 89.4
    assert round(100 * params[18] / 138_357_544, 1) == 74.3


def test_the_middle_stages_take_the_time():
    rows = summary(*build("vgg16")).rows
    assert rows[0].macs == 86_704_128
    stage = lambda i: sum(row.macs for row in rows if row.path.startswith(f"conv{i}_"))
    shares = [*map(stage, range(1, 6)), sum(row.macs for row in rows if row.kind == "Dense")]
    assert [round(100 * share / 15_470_264_320, 1) for share in shares] == [
        12.5,
        17.9,
        29.9,
        29.9,
        9.0,
        0.8,
    ]


def test_c_has_1x1_convolutions():
    kernels = {v.path: v.layer.kernel for v in walk(*build("vgg16_c")) if isinstance(v.layer, Conv)}
    assert {path for path, kernel in kernels.items() if kernel == 1} == {
        "conv3_3",
        "conv4_3",
        "conv5_3",
    }
    assert set(kernels.values()) == {1, 3}


def test_384_pixels_give_6x6_places_for_fc6():
    shapes = {v.path: v.out_shape for v in walk(build("vgg16")[0], (384, 384, 3))}
    assert Conv(4096, 7).out_shape(shapes["pool5"]) == (6, 6, 4096)
