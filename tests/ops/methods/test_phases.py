"""Dilated convolution as a dense one between images of one residue, against im2col."""

import re

import pytest

from jconv.ops.methods import phases

CASES = [
    ((2, 7, 5, 3), (3, 3, 3, 4), dict(dilation=2, padding=2)),
    # no size is a multiple
    ((2, 13, 11, 3), (3, 2, 3, 5), dict(dilation=(3, 2), padding=((1, 2), (0, 3)))),
    ((1, 9, 12, 2), (3, 2, 2, 1), dict(dilation=(1, 4))),
    # further apart than the image is long
    ((3, 5, 4, 1), (2, 3, 1, 2), dict(dilation=(9, 2), padding=((5, 4), (0, 3)))),
    # windows in the padding alone
    ((2, 3, 7, 2), (2, 1, 2, 3), dict(dilation=(2, 5), padding=((7, 0), (0, 0)))),
    ((2, 17, 3), (4, 3, 5), dict(dilation=5)),
    ((2, 7, 8, 5, 2), (2, 3, 2, 2, 3), dict(dilation=(2, 1, 3), padding=1)),
]


def test_equals_im2col(like_im2col):
    like_im2col("phases", CASES)


def test_an_empty_batch(like_im2col):
    like_im2col("phases", [((0, 7, 5, 3), (3, 3, 3, 4), dict(dilation=2, padding=2))])


@pytest.mark.parametrize("operation", ["forward", "input_gradient", "kernel_gradient"])
def test_is_one_dense_convolution(operation, lowered):
    """Of the window that the kernel has: nothing is spread by the dilation, and none is the
    image.
    """
    text = lowered("phases", operation, *CASES[1][:2], **CASES[1][2])
    assert text.count("stablehlo.convolution") == 1
    assert not re.search(r"(lhs|rhs)_dilat\w+ = \[(?!1, 1\])", text)


@pytest.mark.parametrize(
    "groups, settings, serves",
    [
        (1, dict(dilation=2), True),
        (1, dict(dilation=(1, 2)), True),
        (1, {}, False),
        (1, dict(dilation=2, stride=2), False),
        (3, dict(dilation=2), False),
    ],
)
def test_serves(groups, settings, serves, convolution):
    k = (3, 2, 6 // groups, 6)
    needs = phases.serves(k, convolution((2, 7, 5, 6), k, groups=groups, **settings))
    assert needs == ("" if serves else "dilation, stride 1 and one group")
