"""Caffe's CIFAR-10 examples, as its prototxt files have them."""

import pytest

from jconv import summary, walk
from jconv.models import build


@pytest.mark.parametrize(
    ("name", "params", "total"),
    [
        ("caffe_cifar10_quick", [2_432, 25_632, 51_264, 65_600, 650], 145_578),
        ("caffe_cifar10_full", [2_432, 25_632, 51_264, 10_250], 89_578),
    ],
)
def test_parameters_and_sizes(name, params, total):
    table = summary(*build(name))
    assert [row.params for row in table.rows if row.params] == params
    assert table.totals.params == total
    assert [row.out_shape[0] for row in table.rows if "pool" in row.path] == [16, 8, 4]


@pytest.mark.parametrize("name", ["caffe_cifar10_quick", "caffe_cifar10_full"])
def test_the_first_maps_are_pooled_before_their_relu_and_others_after(name):
    paths = [v.path for v in walk(*build(name)) if "norm" not in v.path]
    assert paths[:9] == [
        "conv1",
        "pool1",
        "relu1",
        "conv2",
        "relu2",
        "pool2",
        "conv3",
        "relu3",
        "pool3",
    ]
