import jax.numpy as jnp
import pytest
from balanced_html import read

from jconv import (
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    Lambda,
    MaxPool,
    ReceptiveField,
    Relu,
    Residual,
    Sequential,
    ShapeError,
    Tap,
    summary,
)
from jconv.analysis.table import Row
from jconv.layers import gaussian

OVERVIEW = lambda kernel: Sequential(  # the CS231n notes' [INPUT - CONV - RELU - POOL - FC]
    conv=Conv(12, kernel, padding=kernel // 2),
    relu=Relu(),
    pool=MaxPool(2),
    flatten=Flatten(),
    fc=Dense(10),
)


def test_the_notes_overview_net():
    table = summary(OVERVIEW(3), (32, 32, 3))
    assert [(row.path, row.out_shape) for row in table.rows] == [
        ("conv", (32, 32, 12)),
        ("relu", (32, 32, 12)),
        ("pool", (16, 16, 12)),
        ("flatten", (3072,)),
        ("fc", (10,)),
    ]
    assert table.rows[-1].params == 30_730
    assert table.totals.params == 31_066
    assert summary(OVERVIEW(5), (32, 32, 3)).totals.params == 31_642
    assert Conv(10, 16).out_shape((16, 16, 12)) == (1, 1, 10)  # the last layer as a volume


def test_which_layers_have_parameters():
    rows = summary(OVERVIEW(3), (32, 32, 3)).rows
    assert [row.kind for row in rows if row.params] == ["Conv", "Dense"]
    # the others have hyper-parameters
    assert [row.kind for row in rows if not row.settings] == ["Relu", "Flatten"]


def test_three_layers_of_activations():
    net = Sequential(*(Conv(64, 3, padding=1) for _ in range(3)))
    assert sum(row.values for row in summary(net, (224, 224, 3)).rows) == 9_633_792


def test_a_row_says_all_about_a_layer():
    net = Sequential(
        conv=Conv(4, (3, 2), stride=2, bias=False, kernel_init=gaussian(0.1), padding=((1, 0), 0))
    )
    (row,) = summary(net, (7, 5, 3)).rows
    assert row == Row(
        path="conv",
        kind="Conv",
        settings="4, (3,2), stride=2, padding=((1,0),0), bias=False",
        out_shape=(3, 2, 4),
        params=3 * 2 * 3 * 4,
        macs=3 * 2 * 3 * 2 * 3 * 4,
        values=24,
        note="drops 1x1 px at the border",
        fields=(ReceptiveField(3, 2, -1), ReceptiveField(2, 2, 0)),
    )
    assert summary(Relu(), (5,)).rows[0].path == "relu"


def test_rows_come_in_execution_order_and_totals_add_up():
    net = Sequential(
        z=Conv(4, 3, padding=1),
        y=Residual(Sequential(b=BatchNorm(), a=Conv(4, 1)), shortcut=Conv(4, 1)),
        x=Concat(q=MaxPool(3, 1, padding=1), p=Conv(2, 1)),
        w=Tap("w", Sequential(flat=Flatten(), fc=Dense(3))),
        v=Lambda(jnp.square),
    )
    table = summary(net, (7, 5, 3))
    assert [row.path for row in table.rows] == [
        "z",
        "y/body/b",
        "y/body/a",
        "y/shortcut",
        "y/then",
        "x/q",
        "x/p",
        "w/body/flat",
        "w/body/fc",
        "v",
    ]
    assert [row.params for row in table.rows] == [112, 8, 20, 20, 0, 0, 10, 0, 633, 0]
    assert [row.macs for row in table.rows] == [
        35 * 108,
        0,
        35 * 16,
        35 * 16,
        0,
        0,
        35 * 8,
        0,
        630,
        0,
    ]
    assert [row.values for row in table.rows] == [140, 140, 140, 140, 0, 140, 70, 0, 3, 210]
    assert table.totals == (
        112 + 8 + 40 + 10 + 633,
        35 * (108 + 40) + 630,
        105 + 140 * 5 + 70 + 3 + 210,
    )
    params = summary(Sequential(bn=BatchNorm()), (7, 5, 3)).totals.params
    assert params == 6  # trained values, not running statistics


@pytest.mark.parametrize(
    ("layer", "in_shape", "note"),
    [
        (MaxPool(2), (5, 5, 3), "drops 1x1 px at the border"),
        (MaxPool(2), (6, 5, 3), "drops 0x1 px at the border"),
        (Conv(4, 7, stride=2, padding=3), (224, 224, 3), "leaves 1x1 px of padding unused"),
        (Conv(4, 2, stride=4, padding=1), (7, 11, 3), "drops 2x2 px at the border"),
        (Conv(4, 3, stride=2, padding=1), (7, 7, 3), ""),
        (MaxPool(2, rounding="ceil"), (5, 5, 3), ""),
        (MaxPool(3, 2), (9, 3), ""),
        (ConvTranspose(4, 3, stride=2, extra=1), (5, 5, 3), ""),
        (Relu(), (5, 5, 3), ""),
    ],
)
def test_what_a_window_leaves_out_at_the_border(layer, in_shape, note):
    assert summary(layer, in_shape).rows[0].note == note


def test_the_text():
    net = Sequential(
        conv=Conv(4, 3, padding=1), relu=Relu(), pool=MaxPool(2), flatten=Flatten(), fc=Dense(1000)
    )
    assert str(summary(net, (7, 5, 3))).splitlines() == [
        "layer    kind     settings         output  params  multiply-adds  values",
        "-" * 100,
        "input                              7x5x3        0              0     105",
        "conv     Conv     4, 3, padding=1  7x5x4      112          3,780     140",
        "relu     Relu                      7x5x4        0              0       0",
        "pool     MaxPool  2                3x2x4        0              0      24  drops 1x1 px at "
        "the border",
        "flatten  Flatten                   24           0              0       0",
        "fc       Dense    1000             1000    25,000         24,000   1,000",
        "-" * 100,
        "total                                      25,112         27,780   1,269",
    ]


def test_long_settings_are_cut():
    (row,) = summary(
        Sequential(conv=Conv(6, 1, mask=tuple((i,) for i in range(6)))), (3, 3, 6)
    ).rows
    assert row.settings == "6, 1, mask=((0,),(1,),(2,),(3,),..."[: len(row.settings)]
    assert row.settings.endswith("...")


def test_a_shape_that_cannot_be_names_the_layer():
    net = Sequential(stage=Sequential(conv=Conv(4, 9)))
    with pytest.raises(
        ShapeError, match="^stage/conv: a 9-wide window does not fit 7 pixels padded by"
    ):
        summary(net, (7, 5, 3))


def test_no_array_is_made_for_a_net_too_large_for_memory():
    assert summary(Dense(10**9), (10**9,)).totals.params == 10**18 + 10**9


def test_a_notebook_shows_the_table_and_its_totals():
    found = summary(Sequential(**{"a<b>": Conv(5, 3)}, relu=Relu()), (9, 7, 2))
    page = read(found._repr_html_())
    head, *rows, total = found.cells(fields=True)
    cells = [cell for row in (head, *rows, total) for cell in row if cell]
    assert page.words == ["Layers, for one example of 9x7x2", *cells]
    assert "a<b>" in page.words and "3@0" in page.words and len(page.named("tfoot")) == 1
