"""Network in Network."""

import pytest

from jconv import AvgPool, Conv, MaxPool, Relu, summary, walk
from jconv.models import build

variants = pytest.mark.parametrize("variant", ["cuda-convnet", "caffe"])


@variants
def test_parameters(variant):
    table = summary(*build("nin", variant=variant))
    assert [row.params for row in table.rows if row.params] == [
        *(14_592, 30_880, 15_456),
        *(460_992, 37_056, 37_056),
        *(331_968, 37_056, 1_930),
    ]
    assert table.totals.params == 966_986


@variants
def test_sizes_and_a_relu_after_every_convolution(variant):
    visits = list(walk(*build("nin", variant=variant)))
    assert [v.out_shape for v in visits if v.path.startswith("pool")] == [
        (16, 16, 96),
        (8, 8, 192),
        (10,),
    ]
    after = [b.layer for a, b in zip(visits, visits[1:], strict=False) if isinstance(a.layer, Conv)]
    assert after == [Relu()] * 9


def test_the_second_pool():
    second = lambda variant: next(
        v.layer for v in walk(*build("nin", variant=variant)) if v.path == "pool2"
    )
    assert second("cuda-convnet") == MaxPool(3, 2, rounding="ceil")
    assert second("caffe") == AvgPool(3, 2, rounding="ceil")
