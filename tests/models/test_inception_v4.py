"""Inception-v4."""

import pytest

from jconv import AvgPool, BatchNorm, Conv, summary, walk
from jconv.models import build

PARTS = {  # the CS231n notes: how many, output, parameters of each
    "inception_a": (4, (35, 35, 384), 317_632),
    "reduction_a": (1, (17, 17, 1024), 2_306_112),
    "inception_b": (7, (17, 17, 1024), 2_936_256),
    "reduction_b": (1, (8, 8, 1536), 2_747_392),
    "inception_c": (3, (8, 8, 1536), 4_553_088),
}


def children(net, in_shape):
    for name, layer in net.children:
        rows = summary(layer, in_shape)
        in_shape = layer.out_shape(in_shape)
        yield name, in_shape, rows.totals.params


def test_parts():
    parts = list(children(*build("inception_v4")))
    for kind, (count, shape, params) in PARTS.items():
        assert [(s, p) for name, s, p in parts if name.startswith(kind)] == [
            (shape, params)
        ] * count
    stem = parts[:6]
    assert [shape[0] for _, shape, _ in stem] == [149, 147, 147, 73, 71, 35]
    assert sum(params for *_, params in stem) == 605_728
    assert parts[-1] == ("fc", (1000,), 1_537_000)


@pytest.mark.parametrize(("variant", "total"), [("timm", 42_679_816), ("slim", 42_648_232)])
def test_totals(variant, total):
    assert summary(*build("inception_v4", variant=variant)).totals.params == total


def test_convolutions_and_norms():
    visits = list(walk(*build("inception_v4")))
    assert sum(isinstance(v.layer, Conv) for v in visits) == 149
    norms = [v for v in visits if isinstance(v.layer, BatchNorm)]
    assert sum(v.out_shape[-1] for v in norms) == 31_584
    assert {v.layer.eps for v in norms} == {1e-3}
    assert {v.layer.count_padding for v in visits if isinstance(v.layer, AvgPool)} == {False}


def test_multiply_adds_are_timms():
    assert summary(*build("inception_v4")).totals.macs == pytest.approx(12.28e9, rel=3e-3)


def test_asymmetric_kernels_in_the_order_of_the_released_code():
    kernels = [
        v.layer.kernel
        for v in walk(*build("inception_v4"))
        if v.path.startswith("inception_b1/branch3/") and v.path.endswith("/conv")
    ]
    assert kernels == [1, (7, 1), (1, 7), (7, 1), (1, 7)]
