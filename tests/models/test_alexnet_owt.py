"""AlexNet-OWT, the benchmark's and torchvision's (the CS231n notes; the count of torchvision's
alexnet).
"""

import pytest

from jconv import summary, walk
from jconv.models import build


@pytest.mark.parametrize("variant", ["benchmark", "torchvision"])
def test_counts_and_sizes(variant):
    net, in_shape = build("alexnet_owt", variant=variant)
    table = summary(net, in_shape)
    assert table.totals.params == 61_100_840
    assert table.totals.macs == 714_188_480
    assert [row.out_shape[0] for row in table.rows if row.kind in ("Conv", "MaxPool")] == [
        55,
        27,
        27,
        13,
        13,
        13,
        13,
        6,
    ]


def test_dropout_is_torchvisions_alone():
    drops = lambda variant: [
        v.path for v in walk(*build("alexnet_owt", variant=variant)) if v.path.startswith("drop")
    ]
    assert drops("benchmark") == []
    assert drops("torchvision") == ["drop6", "drop7"]
