"""All-CNN and its relatives."""

import pytest

from jconv import Conv, MaxPool, Relu, summary, walk
from jconv.models import build

ALL = {"a": 1_254_250, "b": 1_300_618, "c": 1_369_738}
BASE = {"a": 839_242, "b": 885_610, "c": 954_730}
models = pytest.mark.parametrize("model", ALL)
variants = pytest.mark.parametrize("variant", ["all", "base", "strided", "conv_pool"])


@models
@variants
def test_parameters(model, variant):
    # the pool's extra convolution is as wide as the one that replaces it
    expected = BASE if variant in ("base", "strided") else ALL
    assert summary(*build(f"all_cnn_{model}", variant=variant)).totals.params == expected[model]


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("a", [7_296, 83_040, 460_992, 331_968, 331_968, 37_056, 1_930]),
        ("b", [7_296, 9_312, 83_040, 460_992, 37_056, 331_968, 331_968, 37_056, 1_930]),
        ("c", [2_688, 83_040, 83_040, 166_080, 331_968, 331_968, 331_968, 37_056, 1_930]),
    ],
)
def test_layers(model, params):
    assert [row.params for row in summary(*build(f"all_cnn_{model}")).rows if row.params] == params


@models
@variants
def test_sizes_and_a_relu_after_every_convolution(model, variant):
    visits = list(walk(*build(f"all_cnn_{model}", variant=variant)))
    sizes = [v.out_shape[0] for v in visits if isinstance(v.layer, (Conv, MaxPool))]
    assert sorted(set(sizes), reverse=True) == (
        [32, 16, 8, 6] if (model, variant) not in (("a", "strided"),) else [16, 8, 6]
    )
    after = [b.layer for a, b in zip(visits, visits[1:], strict=False) if isinstance(a.layer, Conv)]
    assert set(after) == {Relu()}
    assert visits[-1].in_shape == (6, 6, 10)


@models
@variants
def test_what_halves_the_size(model, variant):
    visits = [
        v
        for v in walk(*build(f"all_cnn_{model}", variant=variant))
        if isinstance(v.layer, (Conv, MaxPool))
    ]
    halving = [v.path for v in visits if v.layer.stride == 2]
    last = {"a": 1, "b": 2, "c": 2}[model]
    names = {
        "all": f"conv{{}}_{last + 1}",
        "base": "pool{}",
        "strided": f"conv{{}}_{last}",
        "conv_pool": "pool{}",
    }[variant]
    assert halving == [names.format(block) for block in (1, 2)]


def test_dropout():
    rates = {v.path: v.layer.rate for v in walk(*build("all_cnn_c")) if v.path.startswith("drop")}
    assert rates == {"drop0": 0.2, "drop1": 0.5, "drop2": 0.5}
