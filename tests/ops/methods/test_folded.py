"""Three-dimensional convolution folded to two dimensions, against im2col."""

import re

import pytest

from jconv.ops.methods import folded

CASES = [  # stride 1 along the depth folds the output, any other the input
    ((2, 5, 7, 3, 2), (3, 2, 2, 2, 3), {}),
    (
        (1, 7, 5, 3, 2),
        (3, 2, 2, 2, 5),
        dict(stride=(1, 2, 3), padding=((2, 0), (0, 1), (1, 2)), dilation=(2, 1, 1)),
    ),
    # windows in the padding alone
    ((3, 5, 4, 3, 1), (2, 3, 1, 1, 2), dict(padding=((3, 0), (0, 3), (0, 0)))),
    ((2, 3, 4, 3, 2), (2, 1, 2, 2, 3), dict(padding=((0, 5), (0, 0), (4, 1)), dilation=(3, 1, 2))),
    # a window longer than the image
    ((1, 2, 3, 3, 2), (5, 2, 1, 2, 1), dict(padding=((2, 2), (0, 0), (0, 0)))),
    ((2, 7, 5, 3, 2), (3, 2, 2, 2, 3), dict(stride=(2, 1, 1), padding=((1, 0), (1, 0), (0, 0)))),
    (
        (1, 11, 3, 5, 2),
        (3, 2, 3, 2, 3),
        dict(stride=(3, 2, 2), padding=((0, 2), (0, 0), (1, 1)), dilation=(2, 1, 2)),
    ),
    ((3, 6, 5, 4, 1), (3, 2, 2, 1, 2), dict(stride=2, rounding="ceil")),  # overhang
    ((2, 5, 3, 3, 2), (2, 2, 2, 2, 3), dict(stride=(2, 1, 1), padding=((4, 3), (0, 0), (0, 0)))),
    ((2, 5, 3, 2, 1), (1, 2, 1, 1, 2), dict(stride=(3, 1, 1))),
    # no window sees the image
    ((1, 4, 3, 3, 1), (1, 1, 1, 1, 1), dict(stride=(9, 1, 1), padding=((4, 0), (0, 0), (0, 0)))),
]


def test_equals_im2col(like_im2col):
    like_im2col("fold", CASES)


def test_an_empty_batch(like_im2col):
    like_im2col(
        "fold", [((0, 5, 7, 3, 2), (3, 2, 2, 2, 3), dict(stride=(s, 1, 1))) for s in (1, 2)]
    )


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("operation", ["forward", "input_gradient", "kernel_gradient"])
def test_is_one_convolution_over_two_axes(operation, stride, lowered):
    text = lowered("fold", operation, (2, 5, 7, 3, 2), (3, 2, 2, 2, 3), stride=(stride, 1, 1))
    assert re.findall(r"dim_numbers = (\[.*?\]x\[.*?\]->\[.*?\])", text) == [
        "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]"
    ]


@pytest.mark.parametrize(
    "operation, channels", [("forward", "x7x3x{}xf32"), ("kernel_gradient", "tensor<{}x7x3x")]
)
def test_the_image_is_folded_only_under_a_stride(operation, channels, lowered):
    """A window three deep over two channels makes six of them; at stride 1 it is the output that is
    folded.
    """
    for stride, c in ((1, 2), (2, 6)):
        text = lowered("fold", operation, (2, 5, 7, 3, 2), (3, 2, 2, 2, 3), stride=(stride, 1, 1))
        assert channels.format(c) in re.search(
            r"stablehlo.convolution.* : \((tensor<.*?>),", text
        ).group(1)


@pytest.mark.parametrize(
    "x, k, groups", [((2, 7, 5, 3), (3, 3, 3, 6), 1), ((2, 5, 7, 3, 4), (3, 2, 2, 2, 6), 2)]
)
def test_serves_three_axes_and_one_group(x, k, groups, convolution):
    assert folded.serves(k, convolution(x, k, groups=groups)) == "three spatial axes and one group"
    assert folded.serves((3, 2, 2, 2, 6), convolution((2, 5, 7, 3, 2), (3, 2, 2, 2, 6))) == ""
