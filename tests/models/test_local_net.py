"""cuda-convnet's locally connected nets."""

import pytest

from jconv import LocalResponseNorm, summary, walk
from jconv.models import build


@pytest.mark.parametrize(
    ("name", "params", "total"),
    [
        ("local_13pct", [4_864, 102_464, 1_181_696, 591_872, 20_490], 1_901_386),
        ("local_11pct", [4_864, 102_464, 2_363_392, 1_181_696, 20_490], 3_672_906),
    ],
)
def test_parameters_and_sizes(name, params, total):
    table = summary(*build(name))
    assert [row.params for row in table.rows if row.params] == params
    assert table.totals.params == total
    assert [
        row.out_shape[0]
        for row in table.rows
        if len(row.out_shape) == 3 and row.kind != "Relu" and "norm" not in row.path
    ] == [*(32, 16, 16, 8, 8, 8)]


def test_where_the_11pct_net_normalises():
    paths = [v.path for v in walk(*build("local_11pct"))]
    assert paths[:8] == ["conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "norm2", "pool2"]
    norms = {v.layer for v in walk(*build("local_11pct")) if v.path.startswith("norm")}
    assert norms == {LocalResponseNorm(9, alpha=0.001, beta=0.75, convention="caffe")}
    assert not [v for v in walk(*build("local_13pct")) if v.path.startswith("norm")]
