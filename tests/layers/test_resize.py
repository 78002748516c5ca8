import pytest

from jconv import (
    Conv,
    PixelShuffle,
    Sequential,
    ShapeError,
    Upsample,
    describe,
    from_json,
    net_field,
    pattern,
    summary,
    to_json,
)
from jconv.errors import LayerError


@pytest.mark.parametrize(
    "make, words",
    [
        (
            lambda: Upsample(),
            "give scale, how many times as many pixels, or sizes, how many: one of the two",
        ),
        (lambda: Upsample(2, sizes=4), "one of the two"),
        (lambda: Upsample(1.5), "scale=1.5, a whole number"),
        (lambda: Upsample(2, mode="cubic"), "unknown mode 'cubic'"),
        (lambda: Upsample(2, align_corners=True), 'align_corners=True is for mode="bilinear"'),
        (lambda: PixelShuffle(0), "factor=0, whole numbers of at least 1"),
    ],
)
def test_settings_that_cannot_be(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_shapes():
    assert Upsample((2, 3)).out_shape((4, 5, 6)) == (8, 15, 6)
    assert Upsample(sizes=7).out_shape((4, 6)) == (7, 6)
    assert PixelShuffle(3).out_shape((4, 5, 18)) == (12, 15, 2)
    with pytest.raises(
        ShapeError, match=r"factor\^axes = 9 does not divide the 6 channels; use a multiple of 9"
    ):
        PixelShuffle(3).out_shape((4, 5, 6))
    with pytest.raises(ShapeError, match="scale=.* has 2 entries but the input has 1"):
        Upsample((2, 3)).out_shape((4, 6))


@pytest.mark.exhaustive
def test_tables_fields_text_and_json_know_them():
    net = Sequential(Conv(8, 3, padding=1), Upsample(2, mode="bilinear"), PixelShuffle(2))
    assert summary(net, (6, 6, 1)).totals.macs == 36 * 9 * 8
    assert from_json(to_json(net)) == net
    assert pattern(describe(net)) == net


@pytest.mark.exhaustive
def test_a_field_is_told_where_there_is_one():
    with pytest.raises(LayerError, match="^upsample1: "):
        net_field(Sequential(Upsample(2, mode="bilinear")), (6, 6, 1))  # neighbours see the same
    assert net_field(Sequential(Conv(8, 3), Upsample(1), PixelShuffle(1)), (6, 6, 1))[0].size == 3
