"""Convolution by products of spectra, against im2col; what it multiplies, and what it sums in."""

import pytest

from jconv.ops.methods import fourier

CASES = [
    ((2, 11, 13, 3), (5, 6, 3, 4), dict(padding=((2, 1), (0, 5)))),
    ((3, 9, 40, 2), (1, 5, 2, 3), {}),  # tiles along one axis, a row at a time
    # tiles both ways, windows in the padding alone
    ((2, 31, 29, 2), (7, 2, 2, 3), dict(padding=((9, 8), (3, 4)))),
    ((1, 5, 7, 3), (5, 7, 3, 2), {}),  # one window
    ((2, 4, 3, 2), (6, 3, 2, 3), dict(padding=((5, 3), (1, 1)))),  # larger than the image
    ((2, 23, 3), (5, 3, 4), dict(padding=2)),
    ((2, 64, 2), (16, 2, 3), {}),
]


@pytest.mark.parametrize("cases", [CASES[::3], pytest.param(CASES, marks=pytest.mark.exhaustive)])
def test_equals_im2col(cases, like_im2col):
    like_im2col("fft", cases)


def test_an_empty_batch(like_im2col):
    like_im2col("fft", [((0, 7, 9, 3), (3, 5, 3, 4), {})])


@pytest.mark.parametrize(
    "operation, products", [("forward", 10), ("input_gradient", 10), ("kernel_gradient", 10)]
)
def test_is_products_alone(operation, products, lowered):
    """Two to transform each operand, two to come back, and of parts four at each frequency: no
    convolution.
    """
    text = lowered("fft", operation, (2, 31, 40, 2), (7, 5, 2, 3))
    assert (text.count("dot_general"), text.count("stablehlo.convolution")) == (products, 0)


@pytest.mark.parametrize(
    "out, window, tiles, length",
    [(56, 9, 4, 22), (24, 9, 2, 20), (10, 7, 1, 16), (1, 5, 1, 6), (500, 7, 4, 132), (9, 1, 3, 4)],
)
def test_tiles_cover_the_outputs_by_an_even_length(out, window, tiles, length):
    axis = fourier._axis(window, 0, out)
    assert (axis.tiles, axis.length) == (tiles, length)
    assert axis.tiles * axis.size >= out > (axis.tiles - 1) * axis.size


@pytest.mark.parametrize("operation", ["forward", "input_gradient", "kernel_gradient"])
def test_half_precision_is_transformed_in_float32(operation, wide_inside):
    wide_inside("fft", operation, (2, 12, 9, 8), (5, 5, 8, 4), padding=2)


@pytest.mark.parametrize(
    "x, k, settings, serves",
    [
        ((2, 9, 7, 3), (5, 2, 3, 4), {}, True),
        ((2, 9, 3), (5, 3, 4), {}, True),
        ((2, 9, 7, 3), (4, 4, 3, 4), {}, False),
        ((2, 9, 7, 3), (5, 2, 3, 4), dict(stride=(1, 2)), False),
        ((2, 9, 7, 3), (5, 2, 3, 4), dict(dilation=(2, 1)), False),
        ((2, 9, 7, 6), (5, 2, 3, 4), dict(groups=2), False),
        ((2, 9, 7, 5, 3), (5, 2, 1, 3, 4), {}, False),
    ],
)
def test_serves(x, k, settings, serves, convolution):
    needs = fourier.serves(k, convolution(x, k, **settings))
    assert needs == (
        ""
        if serves
        else "one or two spatial axes, 5 positions or more along one, "
        "stride and dilation 1, and one group"
    )
