"""Depthwise convolution by shifts, and its kernel gradient in blocks of rows, against im2col."""

import jax.numpy as jnp
import pytest

from jconv.ops.methods import METHODS, depthwise

CASES = [
    (
        (2, 7, 5, 3),
        (3, 2, 1, 3),
        dict(groups=3, stride=(2, 1), padding=((1, 0), (0, 2)), dilation=(1, 2)),
    ),
    # three outputs a channel
    (
        (3, 11, 13, 2),
        (2, 3, 1, 6),
        dict(groups=2, stride=3, padding=((0, 1), (2, 0)), rounding="ceil"),
    ),
    # windows in the padding alone
    ((1, 5, 7, 2), (2, 2, 1, 4), dict(groups=2, padding=((3, 0), (0, 4)))),
    ((2, 8, 3), (1, 1, 3), dict(groups=3, stride=9, padding=((4, 0),))),  # all of them
    ((5, 13, 7), (3, 1, 7), dict(groups=7, stride=2, dilation=3, padding=((4, 1),))),
    (
        (3, 5, 3, 7, 2),
        (2, 3, 2, 1, 2),
        dict(groups=2, stride=(2, 1, 3), padding=((1, 0), (0, 2), (1, 1))),
    ),
    ((2, 7, 3, 5), (7, 3, 1, 5), dict(groups=5, padding=((3, 3), (1, 1)))),
    ((2, 3, 5, 2), (3, 5, 1, 2), dict(groups=2)),  # one output
    # a single channel
    ((3, 11, 7, 1), (3, 2, 1, 5), dict(stride=(2, 1), padding=((1, 2), (0, 1)), dilation=(2, 3))),
    ((2, 7, 1), (3, 1, 1), dict(stride=2)),  # with a single output
]
ROWS = [  # so many images of so many rows: up to ten at a time, images four
    ((images, rows, 2), (1, 1, 2), dict(groups=2))
    for images, rows in (
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 5),
        (5, 6),
        (6, 7),
        (7, 8),
        (8, 9),
        (9, 10),
        (1, 11),
        (12, 13),
        (2, 14),
        (1, 16),
        (3, 17),
    )
]
LONG = [
    # 13 rows under a stride
    ((3, 26, 2, 2), (3, 1, 1, 4), dict(groups=2, stride=2, padding=((1, 1), (0, 0)))),
    # 20 rows under a dilation
    ((2, 23, 2, 2), (3, 2, 1, 2), dict(groups=2, dilation=(3, 1), padding=((0, 3), (0, 0)))),
    # 18 rows
    (
        (4, 34, 3, 3),
        (2, 2, 1, 3),
        dict(groups=3, stride=(2, 1), padding=((2, 0), (1, 0)), rounding="ceil"),
    ),
]


@pytest.mark.parametrize("cases", [CASES[::3], pytest.param(CASES, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("method", ["shift", "chunked"])
def test_equals_im2col(method, cases, like_im2col):
    like_im2col(method, cases)


@pytest.mark.sweep(1)
@pytest.mark.parametrize("cases", [ROWS, LONG], ids=["rows", "long"])
def test_chunks_of_every_size_equal_im2col(cases, like_im2col):
    like_im2col("chunked", cases)


@pytest.mark.parametrize(
    "images, rows, at_once, of_rows",
    [
        (8, 16, 4, 8),
        (6, 5, 3, 5),
        (7, 12, 1, 6),
        (4, 11, 4, 7),
        (4, 56, 4, 7),
        (4, 20, 4, 10),
        (1, 1, 1, 1),
    ],
)
def test_a_chunk_is_some_rows_of_a_few_images(images, rows, at_once, of_rows, lowered):
    text = lowered("chunked", "kernel_gradient", (images, rows, 2), (1, 1, 2), groups=2)
    # of x, and of y
    assert (
        text.count(f"sizes = [{at_once}, 1, 2]")
        == text.count("stablehlo.dynamic_slice")
        == 2 * of_rows
    )
    assert text.count("stablehlo.while") == 1


def test_the_kernel_gradient_pads_y_as_the_input_gradient_does_and_x_not_at_all(lowered):
    x, k, settings = (4, 14, 8, 2), (3, 5, 1, 2), dict(groups=2, padding=((1, 1), (3, 0)))
    pads = {
        operation: _pads(lowered("chunked", operation, x, k, **settings))
        for operation in ("input_gradient", "kernel_gradient")
    }
    assert pads["kernel_gradient"] == ["tensor<4x16x12x2xf32>"]
    assert pads["input_gradient"][0] == "tensor<4x16x12x2xf32>"


@pytest.mark.parametrize(
    "settings", [dict(stride=2), dict(padding=((1, 1), (3, 0)))], ids=["stride", "wide padding"]
)
def test_it_pads_none_where_the_input_gradient_spreads_or_cuts_y(settings, lowered):
    assert not _pads(
        lowered("chunked", "kernel_gradient", (4, 14, 8, 2), (3, 3, 1, 2), groups=2, **settings)
    )


def _pads(text: str) -> list[str]:
    return [line.rpartition("-> ")[2] for line in text.splitlines() if "stablehlo.pad" in line]


@pytest.mark.parametrize("operation", ["forward", "input_gradient", "kernel_gradient"])
def test_shifting_holds_neither_a_loop_nor_a_convolution(operation, lowered):
    text = lowered("shift", operation, (2, 7, 5, 3), (3, 2, 1, 6), groups=3)
    assert "stablehlo.while" not in text
    assert "stablehlo.convolution" not in text


@pytest.mark.parametrize("method", ["shift", "chunked"])
def test_an_empty_batch(method, like_im2col):
    like_im2col(method, [((0, 7, 5, 3), (3, 2, 1, 6), dict(groups=3))])


@pytest.mark.parametrize("method", ["shift", "chunked"])
def test_half_precision_sums_in_float32(method, convolution, rng, compiled, close):
    """Products of one sign: a sum in bfloat16 stops growing at some hundred times its terms."""
    shape, k = (4, 8192, 2), (1, 1, 2)
    x, y = (jnp.asarray(rng.uniform(0.5, 1.5, shape), jnp.bfloat16) for _ in range(2))
    run = lambda x, y: METHODS[method].kernel_gradient(
        x, y, geometry=convolution(shape, k, groups=2), precision=None
    )
    half, exact = compiled(
        lambda x, y: (run(x, y), run(x.astype(jnp.float32), y.astype(jnp.float32)))
    )(x, y)
    assert half.dtype == jnp.bfloat16
    close(half, exact, 2**-7)


def test_serves(convolution):
    assert depthwise.serves((3, 3, 1, 6), convolution((2, 7, 5, 3), (3, 3, 1, 6), groups=3)) == ""
    assert depthwise.serves((3, 3, 1, 6), convolution((2, 7, 5, 1), (3, 3, 1, 6))) == ""
    assert (
        depthwise.serves((3, 3, 2, 6), convolution((2, 7, 5, 6), (3, 3, 2, 6), groups=3))
        == "one input channel a group"
    )
