"""Published figures that are wrong: every true one in the remarks is the net's own."""

import re

import pytest

from jconv import summary, walk
from jconv.models import MODELS, build
from jconv.models.remarks import NOT_EXACT, REMARKS


def table(name):
    return summary(*build(name))


def said(name):
    """The true halves of a net's remarks."""
    return "; ".join(text.rpartition(";")[2] for text in REMARKS[name])


def share(rows, stages):
    return round(
        100 * sum(r.macs for r in rows if r.path.startswith(stages)) / sum(r.macs for r in rows), 1
    )


def test_every_remark_is_of_a_net_and_says_what_is_true():
    assert REMARKS.keys() <= MODELS.keys()
    assert all(
        re.search(r"; .+$", text) or text == NOT_EXACT
        for texts in REMARKS.values()
        for text in texts
    )


def test_vgg16():
    totals, rows = table("vgg16").totals, table("vgg16").rows
    assert f"{totals.values:,} values, {totals.values * 4 / 1e6:.2f} MB" in said("vgg16")
    assert (
        f"{share(rows, ('conv3', 'conv4'))}% of the multiply-adds, stage 1 {share(rows, 'conv1')}%"
        in said("vgg16")
    )


def test_googlenet():
    heads = sum(row.params for row in table("googlenet").rows if row.path.startswith("aux"))
    whole = table("googlenet").totals.params
    assert f"{whole - heads:,} without the auxiliary heads, {whole:,} with" in said("googlenet")


def test_alexnet():
    visits = list(walk(*build("alexnet")))
    assert sum("pool" in v.path for v in visits) == 3
    assert next(v.in_shape for v in visits if v.path == "flatten") == (6, 6, 256)
    assert "three, and 6x6x256" in REMARKS["alexnet"][0]
    assert [(224 - 11 + 2 * p) % 4 for p in range(12)].count(0) == 0 and (227 - 11) % 4 == 0
    assert f"{table('alexnet').rows[0].values:,}" in said("alexnet")


@pytest.mark.parametrize("name", ["tiny_vgg", "all_cnn_a", "all_cnn_b", "all_cnn_c"])
def test_parameters(name):
    assert f"{table(name).totals.params:,}" in said(name)


def test_the_named_nets_with_sizes_that_do_not_fit():
    named = {
        "googlenet",
        "nin",
        "zfnet",
        "alexnet_owt",
        *(n for n in MODELS if n.startswith(("resnet", "all_cnn"))),
    }
    assert {name for name, texts in REMARKS.items() if NOT_EXACT in texts} == named
    for name in named:
        windows = [w for v in walk(*build(name)) if (w := v.layer.over(v.in_shape))]
        assert any(any(w.overhang) or any(w.unused) for w in windows), name
