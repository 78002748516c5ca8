import pytest

from jconv import AvgPool, Conv, GroupNorm, Maxout, MaxPool, Relu, Subsampling
from jconv.analysis.fitting import arithmetic, changes, inexact, nearest, sizes_that_fit


@pytest.mark.parametrize(
    "layer, size, text, sizes",
    [
        (Conv(1, 3, stride=3), 8, "(8 - 3 + 0)/3 + 1 = 2.66667", (6, 9)),
        (Conv(1, 3, stride=3, padding=1), 5, "(5 - 3 + 2)/3 + 1 = 2.33333", (4, 7)),
        (Conv(1, 3, stride=2), 10, "(10 - 3 + 0)/2 + 1 = 4.5", (9, 11)),
        (Conv(1, 11, stride=4), 224, "(224 - 11 + 0)/4 + 1 = 54.25", (223, 227)),
        (MaxPool(3, 2, rounding="ceil"), 32, "(32 - 3 + 0)/2 + 1 = 15.5", (31, 33)),
        (
            Conv(1, 3, stride=2, dilation=2, padding=((1, 2),)),
            13,
            "(13 - 5 + 3)/2 + 1 = 6.5",
            (12, 14),
        ),
    ],
)
def test_the_arithmetic(layer, size, text, sizes):
    w = inexact(layer, (size, 5))
    assert arithmetic(w) == f"(W - F + 2P)/S + 1 = {text}" and sizes_that_fit(w) == sizes
    for fits in sizes:
        assert inexact(layer, (fits, 5)) is None


def test_the_first_axis_with_a_rest_is_shown():
    assert arithmetic(inexact(MaxPool(2), (12, 15, 3))).endswith("(15 - 2 + 0)/2 + 1 = 7.5")


@pytest.mark.parametrize("layer", [Conv(1, 3, stride=2), MaxPool(3, 2), Subsampling(3, 2), Relu()])
def test_what_fits(layer):
    assert inexact(layer, (7, 9, 3)) is None


@pytest.mark.parametrize(
    "layer, in_shape, expected",
    [
        (Conv(8, 3, stride=2), (10, 10, 3), ["stride=1", "kernel=2", "kernel=4"]),
        (Conv(8, 3, stride=3, padding=1), (5, 5, 3), ["padding=2", "stride=2", "kernel=7"]),
        (MaxPool(3, 2), (32, 32, 3), ["window=2", "window=4", "window=6"]),
        (MaxPool(2), (25, 25, 3), ["window=3", "window=5", "window=7"]),
        (AvgPool(5), (3, 3, 3), ["padding=1", "window=3"]),
        (MaxPool(2), (12, 15, 3), ["stride=1"]),
        (Conv(8, 3, groups=4), (5, 5, 6), ["groups=2", "groups=1"]),
        (GroupNorm(32), (5, 5, 12), ["groups=12", "groups=6", "groups=4"]),
        (Maxout(2), (5, 5, 9), ["pieces=1", "pieces=3", "pieces=9"]),
        (Conv(8, (3, 3), padding="SAME", groups=2), (5, 5, 3), ["groups=1"]),
        (Conv(8, 3, mask=((7,),) * 8), (5, 5, 3), []),
    ],
)
def test_the_nearest_settings(layer, in_shape, expected):
    found = nearest(layer, in_shape)
    assert [changes(layer, near) for near in found] == expected
    for near in found:
        assert len(near.out_shape(in_shape)) == 3 and inexact(near, in_shape) is None


def test_two_settings_change_where_one_is_not_enough():
    found = nearest(Conv(8, 9, stride=4), (6, 11, 3))
    assert [changes(Conv(8, 9, stride=4), near) for near in found][0].count("=") == 2
    assert inexact(found[0], (6, 11, 3)) is None


def test_a_pool_whose_stride_is_its_window_stays_one():
    assert nearest(MaxPool(3, 2), (32, 32, 3))[0] == MaxPool(2)
