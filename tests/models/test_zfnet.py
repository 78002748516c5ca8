"""ZFNet with both its middles, and py-faster-rcnn's."""

import pytest

from jconv import LocalResponseNorm, summary, walk
from jconv.models import build

PARAMS = {
    "paper": [14_208, 614_656, 885_120, 1_327_488, 884_992, 37_752_832, 16_781_312, 4_097_000],
    "expanded": [
        14_208,
        614_656,
        1_180_160,
        4_719_616,
        4_719_104,
        75_501_568,
        16_781_312,
        4_097_000,
    ],
}
PARAMS["caffe"] = PARAMS["paper"]


@pytest.mark.parametrize(
    ("variant", "total"), [("paper", 62_357_608), ("expanded", 107_627_624), ("caffe", 62_357_608)]
)
def test_parameters(variant, total):
    table = summary(*build("zfnet", variant=variant))
    assert [row.params for row in table.rows if row.params] == PARAMS[variant]
    assert table.totals.params == total


@pytest.mark.parametrize(
    ("variant", "sizes"),
    [
        ("paper", [110, 55, 26, 13, 13, 13, 13, 6]),
        ("expanded", [110, 55, 26, 13, 13, 13, 13, 6]),
        ("caffe", [112, 57, 29, 15, 15, 15, 15, 6]),
    ],
)
def test_sizes(variant, sizes):
    table = summary(*build("zfnet", variant=variant))
    assert [row.out_shape[0] for row in table.rows if row.kind in ("Conv", "MaxPool")] == sizes


@pytest.mark.parametrize(
    ("variant", "within", "order"),
    [("paper", False, ["pool1", "norm1"]), ("caffe", True, ["norm1", "pool1"])],
)
def test_norms(variant, within, order):
    visits = list(walk(*build("zfnet", variant=variant)))
    assert [v.path for v in visits][2:4] == order
    assert [v.layer.within for v in visits if isinstance(v.layer, LocalResponseNorm)] == [
        within,
        within,
    ]
