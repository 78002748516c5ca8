"""Convolution with fewer products, against im2col; how many there are, and what they are summed
in.
"""

import re

import numpy as np
import pytest

from jconv.ops.methods import winograd

CASES = [
    ((2, 8, 5, 3), (3, 3, 3, 4), dict(padding=1)),  # two blocks of four rows
    # and six rows
    ((2, 7, 5, 3), (3, 2, 3, 4), dict(stride=(1, 2), padding=((1, 0), (0, 2)), dilation=(1, 2))),
    # nine
    ((3, 7, 11, 2), (3, 5, 2, 3), dict(stride=(1, 3), padding=((2, 2), (2, 0)), rounding="ceil")),
    ((2, 3, 4, 2), (3, 1, 2, 5), {}),  # one
    ((1, 4, 5, 3), (3, 2, 3, 2), dict(padding=((4, 5), (1, 1)))),  # windows in the padding alone
    ((1, 4, 5, 3), (2, 2, 3, 2), dict(padding=((1, 1), (2, 3)))),
    ((5, 1, 3, 2), (3, 3, 2, 3), dict(padding=((2, 3), (0, 0)))),
    ((2, 11, 5, 3), (2, 3, 3, 4), dict(padding=((1, 0), (0, 1)))),  # five rows a block
    ((2, 9, 5, 3), (4, 3, 3, 2), dict(padding=((1, 3), (0, 1)))),  # three
    ((3, 6, 5, 2), (5, 2, 2, 3), dict(padding=((2, 1), (0, 1)))),  # two
    ((2, 5, 7, 3, 2), (3, 2, 3, 2, 3), dict(stride=(1, 2, 1), padding=((1, 1), (0, 1), (2, 0)))),
    ((1, 4, 3, 4, 2), (3, 3, 1, 2, 3), dict(padding=((0, 1), (1, 1), (0, 0)), dilation=(1, 1, 2))),
    ((2, 7, 3, 4, 2), (5, 2, 3, 2, 3), dict(padding=((3, 2), (1, 0), (1, 1)))),
]


@pytest.mark.parametrize("taps", [2, 3, 4, 5])
def test_the_matrices_convolve(taps, rng):
    t = winograd.transforms(taps)
    x, k = rng.standard_normal(6), rng.standard_normal(taps)
    np.testing.assert_allclose(
        t.outputs @ ((t.kernel @ k) * (t.inputs @ x)), np.correlate(x, k), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("cases", [CASES[::3], pytest.param(CASES, marks=pytest.mark.exhaustive)])
def test_equals_im2col(cases, like_im2col):
    like_im2col("winograd", cases)


def test_an_empty_batch(like_im2col):
    like_im2col("winograd", [((0, 7, 5, 3), (3, 2, 3, 4), {})])


@pytest.mark.parametrize(
    "operation, image",
    [("forward", "4x9x2"), ("input_gradient", "4x9x5"), ("kernel_gradient", "2x2x9x2")],
)
def test_six_convolutions_of_a_quarter_of_the_rows(operation, image, lowered):
    """Two images of eight rows come of two blocks of four each: sixteen rows of output, six times
    four of products, not three times 16.
    """
    text = lowered("winograd", operation, (2, 8, 9, 2), (3, 3, 2, 5), padding=1)
    operands = re.findall(r"stablehlo\.convolution.* : \(tensor<(.*?)xf32>", text)
    assert operands == [image] * 6


def test_rounding_is_that_of_float32(rng, convolution, compiled):
    """1.3e-6 of the largest value was measured, and twice that with the points 0, 1, -1, 2 and
    -2.
    """
    geometry = convolution((1, 32, 8, 256), (3, 1, 256, 64))
    x, k = (
        rng.standard_normal(shape).astype(np.float32)
        for shape in ((1, 32, 8, 256), (3, 1, 256, 64))
    )
    y = compiled(lambda x, k: winograd.forward(x, k, geometry=geometry, precision=None))(x, k)
    true = sum(x[:, i : i + 30].astype(np.float64) @ k[i, 0].astype(np.float64) for i in range(3))
    assert np.abs(y - true).max() / np.abs(true).max() < 2e-6


@pytest.mark.parametrize("operation", ["forward", "input_gradient", "kernel_gradient"])
def test_half_precision_sums_in_float32(operation, wide_inside):
    """The sums before a product would round what cancels after it."""
    wide_inside("winograd", operation, (2, 8, 6, 96), (3, 3, 96, 64), padding=1)


@pytest.mark.parametrize(
    "x, k, settings, serves",
    [
        ((2, 7, 5, 3), (3, 1, 3, 4), {}, True),
        ((2, 7, 5, 3), (3, 3, 3, 4), dict(stride=(1, 2), dilation=(1, 2)), True),
        ((2, 7, 5, 3), (2, 3, 3, 4), {}, True),
        ((2, 7, 5, 3), (5, 3, 3, 4), {}, True),
        ((2, 7, 5, 3), (1, 3, 3, 4), {}, False),
        ((2, 7, 5, 3), (6, 3, 3, 4), {}, False),
        ((2, 7, 5, 3), (3, 3, 3, 4), dict(stride=(2, 1)), False),
        ((2, 7, 5, 3), (3, 3, 3, 4), dict(dilation=(2, 1)), False),
        ((2, 7, 5, 6), (3, 3, 3, 4), dict(groups=2), False),
        ((2, 7, 3), (3, 3, 4), {}, False),
    ],
)
def test_serves(x, k, settings, serves, convolution):
    needs = winograd.serves(k, convolution(x, k, **settings))
    assert needs == (
        ""
        if serves
        else "two or three spatial axes, a window of two to five rows with stride and dilation 1, "
        "and one group"
    )
