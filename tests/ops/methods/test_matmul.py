"""Windows of one position as matrix products, against im2col."""

import pytest

from jconv.ops.methods import matmul

CASES = [
    ((2, 7, 5, 3), (1, 1, 3, 11), {}),
    ((3, 7, 5, 3), (1, 1, 3, 2), dict(stride=(2, 3))),
    # windows in the padding alone
    ((1, 7, 5, 3), (1, 1, 3, 5), dict(stride=2, padding=((0, 2), (3, 1)))),
    # and in the overhang
    ((5, 7, 4, 3), (1, 1, 3, 2), dict(stride=3, padding=((1, 0), (0, 0)), rounding="ceil")),
    # no window sees the image
    ((2, 8, 3), (1, 3, 5), dict(stride=9, padding=((4, 0),), dilation=2)),
    ((2, 13, 1), (1, 1, 1), dict(stride=4, rounding="ceil")),
    ((3, 5, 2, 7, 3), (1, 1, 1, 3, 2), dict(stride=(2, 1, 3), padding=((0, 1), (2, 0), (0, 0)))),
]


def test_equals_im2col(like_im2col):
    like_im2col("matmul", CASES)


def test_the_kernel_gradient_is_a_convolution_and_the_others_are_products(lowered):
    count = lambda operation: [
        lowered("matmul", operation, *CASES[0][:2]).count(word)
        for word in ("convolution", "dot_general")
    ]
    assert [count(operation) for operation in ("forward", "input_gradient", "kernel_gradient")] == [
        [0, 1],
        [0, 1],
        [1, 0],
    ]


@pytest.mark.parametrize(
    "k, groups, serves",
    [((1, 1, 3, 5), 1, True), ((1, 2, 3, 5), 1, False), ((1, 1, 3, 6), 2, False)],
)
def test_serves(k, groups, serves, convolution):
    needs = matmul.serves(k, convolution((2, 7, 5, 3 * groups), k, groups=groups))
    assert needs == ("" if serves else "a window of one position and one group")
