"""OverFeat, the fast model of the benchmark."""

from jconv import summary
from jconv.models import build


def test_counts_and_sizes():
    table = summary(*build("overfeat"))
    assert table.totals.params == 145_920_872
    assert table.totals.macs == 2_801_403_904
    assert [row.out_shape[0] for row in table.rows if row.kind in ("Conv", "MaxPool")] == [
        56,
        28,
        24,
        12,
        12,
        12,
        12,
        6,
    ]
    assert [row.out_shape[0] for row in table.rows if row.kind in ("Flatten", "Dense")] == [
        36_864,
        3_072,
        4_096,
        1_000,
    ]
