"""Groups one after another, joined to blocks and in a loop, against im2col."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv.ops import conv
from jconv.ops.methods import grouped

CASES = [
    (
        (2, 7, 5, 6),
        (3, 2, 3, 10),
        dict(groups=2, stride=(2, 1), padding=((1, 0), (0, 2)), dilation=(1, 2)),
    ),
    (
        (3, 11, 13, 9),
        (2, 3, 3, 6),
        dict(groups=3, stride=3, padding=((0, 1), (2, 0)), rounding="ceil"),
    ),
    # windows in the padding alone
    ((1, 5, 7, 4), (2, 2, 2, 2), dict(groups=2, padding=((3, 0), (0, 4)))),
    ((2, 7, 5, 5), (3, 3, 1, 5), dict(groups=5, padding=1)),
    ((5, 13, 14), (3, 2, 21), dict(groups=7, stride=2, dilation=3, padding=((4, 1),))),
    (
        (1, 5, 3, 7, 4),
        (2, 3, 2, 2, 6),
        dict(groups=2, stride=(2, 1, 3), padding=((1, 0), (0, 2), (1, 1))),
    ),
    ((2, 3, 34), (2, 17, 32), dict(groups=2)),  # wide enough to stay apart
    ((2, 3, 20), (2, 5, 20), dict(groups=4)),  # one block of four
    ((3, 5, 32), (2, 4, 64), dict(groups=8, stride=2, padding=((0, 1),))),  # two blocks of four
    ((2, 3, 3, 48), (2, 1, 8, 48), dict(groups=6)),  # three blocks of two
]


@pytest.mark.parametrize("cases", [CASES[::3], pytest.param(CASES, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("method", ["split", "loop"])
def test_equals_im2col(method, cases, like_im2col):
    like_im2col(method, cases)


@pytest.mark.exhaustive
def test_a_loop_through_many_groups_equals_im2col(like_im2col):
    like_im2col(
        "loop",
        [
            ((2, 3, 74), (2, 2, 37), dict(groups=37)),
            ((1, 3, 2, 41), (2, 1, 1, 82), dict(groups=41)),
        ],
    )


@pytest.mark.parametrize(
    "c, k, groups, together",
    [
        (16, 16, 8, 1),
        (15, 16, 8, 2),
        (16, 15, 8, 2),  # of the features of a group, too
        (4, 64, 8, 4),
        (3, 5, 12, 6),
        (3, 5, 7, 7),  # nothing between one and all divides a prime
        (1, 1, 64, 16),
        (1, 1, 8, 8),
        (17, 19, 2, 1),
    ],
)
def test_blocks_have_sixteen_channels_where_they_can(c, k, groups, together, lowered):
    assert grouped.joined((3, 3, c, k * groups), groups) == together
    for operation in ("forward", "input_gradient", "kernel_gradient"):
        text = lowered("split", operation, (2, 5, c * groups), (3, c, k * groups), groups=groups)
        assert text.count("stablehlo.convolution") == groups // together
        assert "feature_group_count = 1" in text


@pytest.mark.parametrize("channels, convolutions", [(24, (12, 12, 12)), (22, (2, 2, 12))])
def test_groups_wide_enough_are_convolved_with_fewer_products(channels, convolutions, lowered):
    """Six shorter ones for each of the two groups (winograd.py)."""
    for operation, count in zip(
        ("forward", "input_gradient", "kernel_gradient"), convolutions, strict=True
    ):
        text = lowered(
            "split", operation, (2, 14, 14, 2 * channels), (3, 3, channels, 2 * channels), groups=2
        )
        assert text.count("stablehlo.convolution") == count


def test_groups_of_integers_are_exact(rng, compiled):
    """The sums of rows that leave products out have fractions."""
    x, k = (
        rng.integers(-9, 10, (2, 14, 14, 48)).astype(np.int32),
        rng.integers(-9, 10, (3, 3, 24, 48)).astype(np.int32),
    )
    y = compiled(lambda x, k: conv(x, k, groups=2, method="split"))(x, k)
    np.testing.assert_array_equal(
        y, compiled(lambda x, k: conv(x, k, groups=2, method="im2col"))(x, k)
    )


def test_per_example_gradients_are_not_regrouped(normal):
    """Kernel gradients of one image a group come and go with the examples first: no array is laid
    out with its examples last.
    """
    x, k = normal(16, 1, 9, 8, 3), normal(3, 2, 3, 5)
    gradients = jax.jit(jax.vmap(jax.grad(lambda k, x: jnp.sum(conv(x, k) ** 2)), (None, 0)))
    text = gradients.lower(k, x).compile().as_text()
    assert "jit(_gradients_of_groups)" in text and "f32[16,3,2,3,5]" in text
    assert not re.search(r"f32\[[\d,]*(48|80)\]", text)  # 16 times 3 channels in, 5 out


@pytest.mark.parametrize("groups", [2, 64])
def test_a_loop_holds_one_convolution_whatever_the_groups(groups, lowered):
    for operation, many in (("forward", 1), ("input_gradient", 1), ("kernel_gradient", 0)):
        text = lowered("loop", operation, (2, 5, 3 * groups), (3, 3, 5 * groups), groups=groups)
        assert text.count("stablehlo.convolution") == many
        assert text.count("stablehlo.while") == 1


@pytest.mark.parametrize("method", ["split", "loop"])
@pytest.mark.parametrize("operation", ["forward", "input_gradient"])
def test_groups_over_three_axes_are_folded_to_two(operation, method, lowered):
    text = lowered(method, operation, (2, 5, 7, 3, 4), (3, 2, 2, 2, 6), groups=2)
    assert re.findall(r"dim_numbers = (\[.*?\]x\[.*?\]->\[.*?\])", text) == [
        "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]"
    ]


# bytes of one group's columns: images, outputs, window, channels, float32
GROUP = 2 * 5 * 3 * 3 * 4


@pytest.mark.parametrize(
    "columns, at_once",
    [(100 * GROUP, 12), (6 * GROUP, 6), (6 * GROUP - 1, 4), (2 * GROUP, 2), (GROUP, 1), (1, 1)],
)
def test_a_loops_kernel_gradient_takes_as_many_groups_at_once_as_its_columns_fit(
    columns, at_once, lowered, monkeypatch
):
    monkeypatch.setattr(grouped, "COLUMNS", columns)
    text = lowered("loop", "kernel_gradient", (2, 7, 36), (3, 3, 60), groups=12)
    assert (
        re.search(
            r"dot_general .* : \(tensor<(\d+)x10x9xf32>, tensor<(\d+)x10x5xf32>\)", text
        ).groups()
        == (str(at_once),) * 2
    )


@pytest.mark.sweep(1)
@pytest.mark.parametrize("columns", [2**20, 2000, 1])
def test_a_loops_chunks_add_no_error(columns, like_im2col, monkeypatch):
    monkeypatch.setattr(grouped, "COLUMNS", columns)
    like_im2col(
        "loop",
        [
            ((2, 7, 12), (3, 2, 18), dict(groups=6, stride=2, padding=1)),
            ((1, 5, 4, 6), (2, 3, 1, 12), dict(groups=6)),
        ],
    )


def test_serves(convolution):
    assert grouped.serves((3, 3, 3, 6), convolution((2, 7, 5, 6), (3, 3, 3, 6), groups=2)) == ""
    assert (
        grouped.serves((3, 3, 6, 6), convolution((2, 7, 5, 6), (3, 3, 6, 6)))
        == "more than one group"
    )
