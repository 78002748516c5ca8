"""Every size, count and receptive field the CS231n notes print, by arithmetic alone."""

import pytest

from jconv.errors import ShapeError
from jconv.geometry import ReceptiveField, pool_window, same_padding, volume, window


def one(w, f, s=1, p=0, d=1, rounding="exact"):
    """The output size along one axis."""
    return window((w,), f, stride=s, padding=p, dilation=d, rounding=rounding).out_sizes[0]


@pytest.mark.parametrize(
    "settings, out",
    [
        pytest.param((7, 3, 1, 0), 5),
        pytest.param((7, 3, 2, 0), 3),
        pytest.param((5, 3, 1, 1), 5),
        pytest.param((5, 3, 2, 1), 3),
        pytest.param((5, 3, 1, 0), 3),
        pytest.param((227, 11, 4, 0), 55),
        pytest.param((31, 3, 1, 1), 31),
        pytest.param((11, 5, 2, 0), 4),
        pytest.param((5, 3, 2, 1), 3),
        pytest.param((7, 3, 1, 0, 2), 3, id="one-gap"),
        pytest.param((7, 3, 1, 0, 3), 1, id="two-gaps"),
        pytest.param((224, 2, 2, 0), 112),
        pytest.param((33, 3, 2, 0), 16, id="one-more-pixel"),
        pytest.param((224, 11, 4, ((1, 2),)), 55, id="three-pixels-in-all"),
        pytest.param((32, 3, 2, ((0, 1),)), 16, id="one-pixel-in-all"),
    ],
)
def test_size(settings, out):
    assert one(*settings) == out


@pytest.mark.parametrize(
    "settings, value",
    [
        pytest.param((7, 3, 3, 0), "2.33333"),
        pytest.param((5, 3, 3, 1), "2.33333"),
        pytest.param((10, 3, 2, 0), "4.5"),
        pytest.param((224, 11, 4, 0), "54.25"),
        pytest.param((224, 11, 4, 3), "55.75"),
        pytest.param((32, 3, 2, 0), "15.5"),
        pytest.param((32, 3, 2, 1), "16.5", id="padded"),
    ],
)
def test_strict_rule_refuses(settings, value):
    with pytest.raises(
        ShapeError, match=rf"\+ 1 = {value} is not an integer; .*use rounding=\"floor\" or \"ceil\""
    ):
        one(*settings)


def test_three_policies():
    cropped, padded = (window((10,), 3, stride=2, rounding=word) for word in ("floor", "ceil"))
    assert (cropped.out_sizes, cropped.unused, cropped.dropped, cropped.overhang) == (
        (4,),
        (1,),
        (1,),
        (0,),
    )
    assert (padded.out_sizes, padded.unused, padded.dropped, padded.overhang) == (
        (5,),
        (0,),
        (0,),
        (1,),
    )
    with pytest.raises(
        ShapeError, match=r"\(10 - 3 \+ 0\)/2 \+ 1 = 4.5 .* sizes that fit are 9 and 11"
    ):
        one(10, 3, 2)


@pytest.mark.parametrize("size, f, s", [pytest.param(224, 11, 4), pytest.param(32, 3, 2)])
def test_no_symmetric_padding_fits(size, f, s):
    for p in range(f):
        with pytest.raises(ShapeError, match="is not an integer"):
            one(size, f, s, p)


def test_cuda_convnet_rounds_up():
    assert one(224, 11, 4, rounding="ceil") == 55


def test_same_padding():
    assert [same_padding(f) for f in (1, 3, 5, 7)] == [0, 1, 2, 3]
    assert all(one(13, f, 1, same_padding(f, d), d) == 13 for f in (1, 3, 5) for d in (1, 2, 3))
    assert same_padding(2, dilation=2) == 1
    with pytest.raises(
        ShapeError,
        match=r"a 4-wide window has no whole-numbered symmetric padding \(F - 1\)/2 = "
        r'1.5.*padding="SAME"',
    ):
        same_padding(4)


def test_alexnet_counts():
    w = window((227, 227), 11, stride=4, rounding="exact")
    neurons, weights = volume(w.out_sizes) * 96, volume(w.size) * 3
    assert (neurons, weights) == (290_400, 363)
    assert neurons * (weights + 1) == 105_705_600
    assert 96 * weights == 34_848
    assert 96 * (weights + 1) == 34_944
    assert neurons * (weights + 1) == 96 * (weights + 1) * volume(w.out_sizes)


def test_alexnet_nonzeros():
    w = window((227, 227), 11, stride=4)
    assert volume(w.out_sizes) * 96 * volume(w.size) * 3 == 105_415_200


def test_receptive_field():
    fields = [ReceptiveField()]
    for _ in range(3):
        fields.append(fields[-1].through(3))
    assert [field.size for field in fields[1:]] == [3, 5, 7]
    assert ReceptiveField().through(7).size == 7


@pytest.mark.parametrize("dilations, size", [((1, 1), 5), ((2, 2), 9), ((1, 2, 4), 15)])
def test_dilated_receptive_field(dilations, size):
    field = ReceptiveField()
    for d in dilations:
        field = field.through(3, dilation=d, lo=d)
    assert field == ReceptiveField(size, 1, -(size // 2))


def test_receptive_fields_of_vgg16_and_alexnet():
    vgg = ReceptiveField()
    for convs in (2, 2, 3, 3, 3):
        for _ in range(convs):
            vgg = vgg.through(3, lo=1)
        conv, vgg = vgg, vgg.through(2, 2)
    assert (conv.size, vgg.size, vgg.jump, vgg.through(7).size) == (196, 212, 32, 404)
    alexnet = ReceptiveField()
    for f, s in ((11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2), (6, 1)):
        alexnet = alexnet.through(f, s)
    assert alexnet.size == 355


@pytest.mark.parametrize(
    "w, f, s, p, floor, ceil",
    [
        pytest.param(4, 3, 2, 0, 1, 2),
        pytest.param(3, 2, 2, 1, 2, 2, id="clipped"),
        pytest.param(112, 3, 2, 0, 55, 56, id="googlenet"),
        pytest.param(112, 3, 2, 1, 56, 57, id="caffe-zf"),
        pytest.param(29, 3, 2, 1, 15, 15, id="caffe-zf-2"),
        pytest.param(55, 3, 2, 0, 27, 27, id="C2f-odd"),
        pytest.param(56, 3, 2, 0, 27, 28, id="C2f-even"),
    ],
)
def test_pool_rounding_c2e(w, f, s, p, floor, ceil):
    pools = [pool_window((w,), f, s, p, rounding) for rounding in ("floor", "ceil")]
    assert [pool.out_sizes[0] for pool in pools] == [floor, ceil]
    assert pools[1].pads == ((p, max(p, (ceil - 1) * s + f - w - p)),)


def test_c2f_caffe_ceil_is_same_on_even_sizes_only():
    even, odd = (
        [pool_window((n,), 3, 2, padding, "ceil") for padding in (0, "SAME")] for n in (56, 55)
    )
    assert even[0].pads == even[1].pads == ((0, 1),)
    assert [w.out_sizes[0] for w in odd] == [27, 28]


def test_the_same_size_of_other_pixels():
    msra, torch = pool_window((112,), 3, 2, 0, "ceil"), pool_window((112,), 3, 2, 1, "floor")
    assert msra.out_sizes == torch.out_sizes == (56,)
    assert (msra.pads, torch.pads) == (((0, 1),), ((1, 1),))
