"""Convolution over im2col's columns, against im2col; its sums in half precision."""

import jax.numpy as jnp
import pytest

from jconv.ops.methods import METHODS, columns

CASES = [
    ((2, 7, 5, 3), (3, 2, 3, 11), dict(stride=(2, 1), padding=((1, 0), (0, 2)), dilation=(1, 2))),
    ((3, 11, 13, 1), (5, 3, 1, 2), dict(stride=3, padding=((0, 1), (2, 0)), rounding="ceil")),
    ((1, 5, 7, 2), (2, 2, 2, 5), dict(padding=((3, 0), (0, 4)))),  # windows in the padding alone
    ((2, 8, 3), (2, 3, 5), dict(stride=9, padding=((4, 0),))),
    ((2, 3, 5, 2), (3, 5, 2, 7), {}),  # one position
    ((3, 4, 5, 3, 2), (2, 3, 2, 2, 3), dict(stride=(2, 1, 3), padding=((0, 1), (2, 0), (1, 1)))),
]


def test_equals_im2col(like_im2col):
    like_im2col("columns", CASES)


def test_an_empty_batch(like_im2col):
    like_im2col("columns", [((0, 7, 5, 3), (3, 2, 3, 4), {})])


def test_products_out_and_back_and_the_convolution_of_direct(lowered):
    count = lambda operation: [
        lowered("columns", operation, *CASES[0][:2]).count(word)
        for word in ("convolution", "dot_general")
    ]
    assert [count(operation) for operation in ("forward", "input_gradient", "kernel_gradient")] == [
        [0, 1],
        [0, 1],
        [1, 0],
    ]


@pytest.mark.exhaustive
@pytest.mark.parametrize("method", ["columns", "shift", "chunked"])
def test_half_precision_sums_in_float32(method, convolution, rng, compiled, close):
    """Products of one sign: a sum in bfloat16 stops growing at some hundred times its terms."""
    x, k, y = (2, 320, 1), (320, 1, 1), (2, 639, 1)
    geometry = convolution(x, k, padding=((319, 319),))
    a = [jnp.asarray(rng.uniform(0.5, 1.5, shape), jnp.bfloat16) for shape in (x, k, y)]
    by = METHODS[method]
    run = lambda x, k, y: [
        f(b, k, geometry=geometry, precision=None)
        for f, b in ((by.forward, x), (by.input_gradient, y))
    ]
    half, exact = compiled(lambda *a: (run(*a), run(*(b.astype(jnp.float32) for b in a))))(*a)
    assert {a.dtype for a in half} == {jnp.dtype(jnp.bfloat16)}
    close(half, exact, 2**-7)


@pytest.mark.parametrize(
    "k, groups, serves",
    [((3, 1, 3, 5), 1, True), ((1, 1, 3, 5), 1, False), ((3, 3, 3, 6), 2, False)],
)
def test_serves(k, groups, serves, convolution):
    needs = columns.serves(k, convolution((2, 7, 5, 3 * groups), k, groups=groups))
    assert needs == ("" if serves else "a window of several positions and one group")
