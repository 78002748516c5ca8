"""Convolution with fewer products, against im2col; how many there are, and what they are summed in."""

import re

import pytest

from jconv.ops import winograd

CASES = [
    ((2, 8, 5, 3), (3, 3, 3, 4), dict(padding=1)),  # an even number of rows
    ((2, 7, 5, 3), (3, 2, 3, 4), dict(stride=(1, 2), padding=((1, 0), (0, 2)), dilation=(1, 2))),  # and six
    ((3, 7, 11, 2), (3, 5, 2, 3), dict(stride=(1, 3), padding=((2, 2), (2, 0)), rounding="ceil")),  # nine
    ((2, 3, 4, 2), (3, 1, 2, 5), {}),  # one
    ((1, 4, 5, 3), (3, 2, 3, 2), dict(padding=((4, 5), (1, 1)))),  # windows in the padding alone
    ((5, 1, 3, 2), (3, 3, 2, 3), dict(padding=((2, 3), (0, 0)))),
    ((2, 5, 7, 3, 2), (3, 2, 3, 2, 3), dict(stride=(1, 2, 1), padding=((1, 1), (0, 1), (2, 0)))),
    ((1, 4, 3, 4, 2), (3, 3, 1, 2, 3), dict(padding=((0, 1), (1, 1), (0, 0)), dilation=(1, 1, 2))),
]


def test_equals_im2col(like_im2col):
    like_im2col("winograd", CASES)


def test_an_empty_batch(like_im2col):
    like_im2col("winograd", [((0, 7, 5, 3), (3, 2, 3, 4), {})])


@pytest.mark.parametrize("operation, image", [("forward", "6x9x2"), ("input_gradient", "6x9x5"), ("kernel_gradient", "2x9x6")])
def test_four_convolutions_of_half_the_rows(operation, image, lowered):
    """Two images of six rows come of three pairs of rows each: twelve rows of output, four times six of products."""
    text = lowered("winograd", operation, (2, 6, 9, 2), (3, 3, 2, 5), padding=1)
    operands = re.findall(r"stablehlo\.convolution.* : \(tensor<(.*?)xf32>", text)
    assert operands == [image] * 4


@pytest.mark.parametrize("operation", ["forward", "input_gradient", "kernel_gradient"])
def test_half_precision_sums_in_float32(operation, wide_inside):
    """The sums before a product would round what cancels after it."""
    wide_inside("winograd", operation, (2, 8, 6, 96), (3, 3, 96, 64), padding=1)


@pytest.mark.parametrize(
    "x, k, settings, serves",
    [
        ((2, 7, 5, 3), (3, 1, 3, 4), {}, True),
        ((2, 7, 5, 3), (3, 3, 3, 4), dict(stride=(1, 2), dilation=(1, 2)), True),
        ((2, 7, 5, 3), (2, 3, 3, 4), {}, False),
        ((2, 7, 5, 3), (3, 3, 3, 4), dict(stride=(2, 1)), False),
        ((2, 7, 5, 3), (3, 3, 3, 4), dict(dilation=(2, 1)), False),
        ((2, 7, 5, 6), (3, 3, 3, 4), dict(groups=2), False),
        ((2, 7, 3), (3, 3, 4), {}, False),
    ],
)
def test_serves(x, k, settings, serves, convolution):
    needs = winograd.serves(k, convolution(x, k, **settings))
    assert needs == ("" if serves else "two or three spatial axes, a window of three rows with stride and dilation 1, and one group")
