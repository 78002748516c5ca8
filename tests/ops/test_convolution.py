"""Convolution, transposed convolution and locally connected windows: plain loops, and every error's
words.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import ops
from jconv.errors import ShapeError

CONFIGURATIONS = [
    pytest.param((11,), (3,), dict(stride=(2,), padding=((2, 1),), dilation=(2,)), id="1d"),
    pytest.param(
        (7, 5), (3, 2), dict(stride=(1, 2), padding=((0, 1), (2, 0)), dilation=(2, 1)), id="2d"
    ),
    pytest.param(
        (5, 3, 2),
        (2, 3, 1),
        dict(stride=(2, 1, 1), padding=((1, 0), (1, 1), (0, 1)), dilation=(1, 1, 1)),
        id="3d",
    ),
    pytest.param(
        (7, 5),
        (2, 2),
        dict(stride=(3, 2), padding=((3, 2), (0, 4)), dilation=(1, 1)),
        id="wide-padding",
    ),
]


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("sizes, size, settings", CONFIGURATIONS)
def test_conv_equals_loops(sizes, size, settings, groups, loops, rng, compiled, x64, close, pull):
    x, kernel = (
        rng.standard_normal((2, *sizes, 2 * groups)),
        rng.standard_normal((*size, 2, 5 * groups)),
    )
    expected = loops.conv(x, kernel, **settings, groups=groups)
    ct = rng.standard_normal(expected.shape)
    dx, dk = loops.conv_gradients(x, kernel, ct, **settings, groups=groups)
    f = lambda x, k: ops.conv(x, k, **settings, groups=groups)
    transposed = lambda y, k: ops.conv_transpose(y, k, **settings, groups=groups, out_sizes=sizes)
    actual = compiled(lambda x, k, ct: (pull(f, x, k, ct=ct), transposed(ct, k)))(x, kernel, ct)
    close(actual, ((expected, (dx, dk)), dx), 1e-12)


@pytest.mark.parametrize("sizes, size, settings", CONFIGURATIONS)
def test_local_conv_equals_loops(sizes, size, settings, loops, rng, compiled, x64, close, method):
    out = loops.out_sizes(
        sizes, size, settings["stride"], settings["padding"], settings["dilation"]
    )
    x, kernel = rng.standard_normal((2, *sizes, 3)), rng.standard_normal((*out, *size, 3, 5))
    actual = compiled(lambda x, k: ops.local_conv(x, k, size=size, **settings, method=method))(
        x, kernel
    )
    close(actual, loops.local_conv(x, kernel, size=size, **settings), 1e-12)


@pytest.mark.parametrize("rounding, out", [("floor", 4), ("ceil", 5)])
def test_rounding_of_a_convolution_s21(
    rounding, out, normal, method, compiled, close_to_loops, loops
):
    x, kernel = normal(2, 10, 3), normal(3, 3, 5)
    y = compiled(lambda x, k: ops.conv(x, k, stride=2, rounding=rounding, method=method))(x, kernel)
    assert y.shape == (2, out, 5)
    expected = loops.conv(x, kernel, stride=(2,), padding=((0, out - 4),), dilation=(1,))
    close_to_loops(y, expected)


def test_ceil_under_padding_wider_than_the_window(normal, method, compiled, loops, close_to_loops):
    x, kernel = normal(2, 7, 3), normal(2, 3, 5)
    y = compiled(lambda x, k: ops.conv(x, k, stride=3, padding=4, rounding="ceil", method=method))(
        x, kernel
    )
    close_to_loops(y, loops.conv(x, kernel, stride=(3,), padding=((4, 4),), dilation=(1,)))


def test_integers_are_exact(rng, method, loops, compiled):
    x, kernel = rng.integers(-9, 10, (2, 7, 5, 4)), rng.integers(-9, 10, (3, 2, 2, 6))
    y = compiled(lambda x, k: ops.conv(x, k, groups=2, padding=1, method=method))(
        x.astype(np.int32), kernel.astype(np.int32)
    )
    assert y.dtype == jnp.int32
    ones = (1, 1)
    np.testing.assert_array_equal(
        y, loops.conv(x, kernel, stride=ones, padding=(ones, ones), dilation=ones, groups=2)
    )


@pytest.mark.parametrize("out_sizes", [None, (8, 9), (8, 11)])
def test_conv_transpose_out_sizes(out_sizes, normal, method, compiled, close):
    y, kernel = normal(2, 3, 4, 5), normal(4, 3, 7, 5)
    settings = dict(stride=(2, 3), padding=((1, 0), (1, 2)))
    x = compiled(
        lambda y, k: ops.conv_transpose(y, k, **settings, out_sizes=out_sizes, method=method)
    )(y, kernel)
    smallest = (7, 9)
    assert x.shape == (2, *(out_sizes or smallest), 7)
    ahead = jax.linear_transpose(lambda x: ops.conv(x, kernel, **settings, method="im2col"), x)
    close(x, compiled(lambda y: ahead(y)[0])(y), 1e-6)


def test_conv_transpose_same_multiplies_by_the_stride(method):
    up = lambda y, k: ops.conv_transpose(y, k, stride=(2, 3), padding="SAME", method=method)
    assert jax.eval_shape(up, jnp.zeros((1, 3, 5, 2)), jnp.zeros((4, 4, 7, 2))).shape == (
        1,
        6,
        15,
        7,
    )


@pytest.mark.parametrize("op", [ops.conv, ops.conv_transpose])
def test_precision_reaches_the_program_and_its_gradients(op, method):
    def highest(precision):
        x, kernel = jnp.zeros((1, 4, 3)), jnp.zeros((2, 3, 3))
        f = lambda x, k: jax.vjp(lambda x, k: op(x, k, precision=precision, method=method), x, k)
        return (
            jax.jit(lambda x, k: (v := f(x, k))[1](v[0]))
            .lower(x, kernel)
            .as_text()
            .count("HIGHEST")
        )

    assert [
        highest(p) for p in (None, ("highest", "default"), ["highest", "default"], "highest")
    ] == [0, 3, 3, 6]


# Errors
# --------------------------------------------------------------------------------------------------


X, K, L = jnp.zeros((2, 7, 5, 4)), jnp.zeros((3, 2, 4, 6)), jnp.zeros((5, 4, 3, 2, 4, 6))
BATCH = (
    "either {} lacks the batch axis, or the kernel was initialised for a shape with the batch axis"
)


@pytest.mark.parametrize(
    "call, words",
    [
        (
            lambda m: ops.conv(X[0], K, method=m),
            "x of shape (7, 5, 4) for a kernel of shape (3, 2, 4, 6): 4 axes",
        ),
        (lambda m: ops.conv(X[0], K, method=m), BATCH.format("x")),
        (
            lambda m: ops.conv(X[..., 0, 0], K[0, 0], method=m),
            "x of shape (2, 7) has 2 axes; the layout is (batch, *sizes, channels)",
        ),
        (
            lambda m: ops.conv(X, K[..., 0], method=m),
            "x of shape (2, 7, 5, 4) for a kernel of shape (3, 2, 4): 3 axes were expected",
        ),
        (
            lambda m: ops.conv(X, K[:, :, :3], method=m),
            "x of shape (2, 7, 5, 4) has 4 channels, but the kernel of shape (3, 2, 3, 6) reads 3",
        ),
        (lambda m: ops.conv(X, K[:, :, :3], method=m), "initialise for this input, or give it 3"),
        (
            lambda m: ops.conv(X.transpose(0, 3, 1, 2), K, method=m),
            "axis 1 has 4: if x is channels-first, move them last",
        ),
        (
            lambda m: ops.conv(X, K, groups=2, method=m),
            "has 4 channels, but the kernel of shape (3, 2, 4, 6) reads 8",
        ),
        (
            lambda m: ops.conv(X, K, groups=4, method=m),
            "4 groups do not divide 6 output channels; use a divisor of 6",
        ),
        (lambda m: ops.conv(X, K, groups=0, method=m), "0 groups do not divide 6 output channels"),
        (
            lambda m: ops.conv(X, K, dilation=4, method=m),
            "a 3-wide window dilated by 4 to 9 does not fit 7 pixels padded by (0, 0)",
        ),
        (
            lambda m: ops.conv(X, K, padding=(1, 2, 3), method=m),
            "padding=(1, 2, 3) has 3 entries but the input has 2 spatial axes",
        ),
        (lambda m: ops.conv_transpose(X[0], K, method=m), BATCH.format("y")),
        (
            lambda m: ops.conv_transpose(X, K, method=m),
            "y of shape (2, 7, 5, 4) has 4 channels, but the kernel of shape (3, 2, 4, 6) reads 6",
        ),
        (
            lambda m: ops.conv_transpose(X, K[..., :4], groups=3, method=m),
            "3 groups do not divide 4 output channels",
        ),
        (
            lambda m: ops.conv_transpose(X, K[..., :4], padding=5, method=m),
            "gives (-1, -4); use less padding",
        ),
        (
            lambda m: ops.conv_transpose(X, K[..., :4], stride=2, out_sizes=(17, 10), method=m),
            "out_sizes (17, 10) convolve to (8, 5), not to the input's (7, 5); leave them out for "
            "the smallest that do, or add fewer",
        ),
        (
            lambda m: ops.local_conv(X[0], L, size=(3, 2), method=m),
            "x of shape (7, 5, 4) for a kernel of shape (5, 4, 3, 2, 4, 6): x (N,",
        ),
        (
            lambda m: ops.local_conv(X[0], L, size=(3, 2), method=m),
            "either x lacks the batch axis, or the kernel is not one of local_conv's",
        ),
        (
            lambda m: ops.local_conv(X, K, size=(3, 2), method=m),
            "a kernel (*out, *window, C, features) were expected",
        ),
        (
            lambda m: ops.local_conv(X[:, 1:], L, size=(3, 2), method=m),
            "kernel of shape (5, 4, 3, 2, 4, 6) for one example of shape (6, 5, 4): (4, 4, 3, 2, "
            "4) and the features were expected; "
            "initialise for this input shape",
        ),
    ],
)
def test_shape_error(call, words, method):
    with pytest.raises(ShapeError, match=re.escape(words)):
        call(method)


@pytest.mark.parametrize(
    "call",
    [
        lambda **word: ops.conv(X, K, **word),
        lambda **word: ops.conv_transpose(X, K[..., :4], **word),
        lambda **word: ops.local_conv(X, L, size=(3, 2), **word),
    ],
)
def test_unknown_words(call):
    with pytest.raises(ValueError, match="unknown method 'gemm'; use 'auto', 'lax', 'im2col'"):
        call(method="gemm")
    with pytest.raises(
        ValueError, match="unknown padding 'FULL'; use 'SAME', 'VALID', or a whole number"
    ):
        call(padding="FULL")
    with pytest.raises(ValueError, match="padding=-1 is negative; crop the input instead"):
        call(padding=-1)
    with pytest.raises(ValueError, match="stride=0, whole numbers of at least 1 were expected"):
        call(stride=0)


def test_exact_rounding_refuses_s21():
    with pytest.raises(ShapeError, match=r"\(10 - 3 \+ 0\)/2 \+ 1 = 4.5 is not an integer"):
        ops.conv(jnp.zeros((2, 10, 3)), jnp.zeros((3, 3, 5)), stride=2, rounding="exact")


def test_unknown_rounding():
    with pytest.raises(ValueError, match="unknown rounding 'round'; use 'floor', 'ceil', 'exact'"):
        ops.conv(X, K, rounding="round")


def test_two_dtypes(method):
    half = X.astype(jnp.bfloat16)
    with pytest.raises(
        TypeError, match="x is bfloat16 but its kernel float32; cast one to the other's dtype"
    ):
        ops.conv(half, K, method=method)
    with pytest.raises(TypeError, match="y is bfloat16 but its kernel float32"):
        ops.conv_transpose(half, K[..., :4], method=method)
    with pytest.raises(TypeError, match="x is bfloat16 but its kernel float32"):
        ops.local_conv(half, L, size=(3, 2), method=method)
