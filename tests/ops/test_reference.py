"""im2col and col2im: the CS231n notes' layout, and the reference twins of the convolutions against
plain loops.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import ops
from jconv.geometry import volume, window
from jconv.ops import reference

SETTINGS = dict(stride=(2, 1), padding=((1, 0), (2, 1)), dilation=(1, 2))


def test_alexnet_sizes():
    x_col = jax.eval_shape(
        lambda x: ops.im2col(x, 11, stride=4), jax.ShapeDtypeStruct((1, 227, 227, 3), jnp.float32)
    )
    assert x_col.shape == (1, 363, 3025)
    w = window((227, 227), 11, stride=4, rounding="exact")
    assert volume(w.out_sizes) == 3025
    values, pixels = volume(x_col.shape), 227 * 227 * 3
    assert (values, pixels, round(values / pixels, 3)) == (1_098_075, 154_587, 7.103)
    assert round(4 * values / 2**20, 2) == 4.19
    w_row, product = (
        (96, 363),
        jax.eval_shape(
            jnp.matmul, jnp.zeros((96, 363)), jax.ShapeDtypeStruct((363, 3025), jnp.float32)
        ),
    )
    assert (w_row[0], *w.out_sizes) == (96, 55, 55)
    assert product.shape == (96, 3025)


def test_a_column_is_a_receptive_field_in_the_order_of_the_kernel(normal, compiled):
    x = normal(2, 7, 5, 3)
    x_col = compiled(lambda x: ops.im2col(x, (3, 2), stride=(2, 1)))(x)
    assert x_col.shape == (2, 18, 3 * 4)
    for n, (i, j) in ((0, (0, 0)), (1, (2, 3)), (0, (1, 2))):
        np.testing.assert_array_equal(
            x_col[n, :, i * 4 + j], x[n, 2 * i : 2 * i + 3, j : j + 2].reshape(-1)
        )


def test_product_is_the_convolution(normal, close, compiled):
    x, kernel = normal(2, 7, 5, 3), normal(3, 2, 3, 11)
    x_col = np.asarray(compiled(lambda x: ops.im2col(x, (3, 2), stride=(2, 1)))(x))
    y = kernel.reshape(-1, 11).T @ x_col  # (N, K, positions)
    close(
        y.reshape(2, 11, 3, 4).transpose(0, 2, 3, 1),
        ops.conv(x, kernel, stride=(2, 1), method="lax"),
        1e-5,
    )


def test_columns_serve_pooling(normal, close, compiled):
    x = normal(2, 7, 5, 3)
    # (N, F*F, C, positions)
    x_col = np.asarray(compiled(lambda x: ops.im2col(x, 3, stride=2))(x)).reshape(2, 9, 3, 6)
    image = lambda pooled: np.moveaxis(pooled, 1, -1).reshape(2, 3, 2, 3)
    np.testing.assert_array_equal(image(x_col.max(axis=1)), ops.max_pool(x, 3, stride=2))
    close(image(x_col.mean(axis=1)), ops.avg_pool(x, 3, stride=2), 1e-6)


@pytest.mark.parametrize("rounding", ["floor", "ceil"])
def test_col2im_adds_every_column_back(rounding, loops, rng, compiled):
    sizes, size, c = (7, 5), (3, 2), 3
    w = window(sizes, size, **SETTINGS, rounding=rounding)
    cols = rng.integers(-9, 10, (2, volume(size) * c, volume(w.out_sizes))).astype(np.float32)
    expected = np.zeros((2, *sizes, c))
    columns = cols.reshape(2, *size, c, *w.out_sizes)
    for out, tap, at in loops.visits(
        sizes, size, SETTINGS["stride"], w.padding, SETTINGS["dilation"], rounding
    ):
        if loops.inside(at, sizes):
            expected[:, *at] += columns[:, *tap, :, *out]
    image = compiled(lambda a: ops.col2im(a, (*sizes, c), size, **SETTINGS, rounding=rounding))(
        cols
    )
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("size, stride, counts", [(3, 1, [1, 2, 3, 2, 1]), (2, 2, [1, 1, 1, 1, 0])])
def test_col2im_of_im2col_counts_the_windows_over_each_pixel(size, stride, counts, compiled):
    there_and_back = lambda x: ops.col2im(
        ops.im2col(x, size, stride=stride), (5, 1), size, stride=stride
    )
    np.testing.assert_array_equal(compiled(there_and_back)(jnp.ones((1, 5, 1))).ravel(), counts)


def test_twins_equal_loops(loops, rng, compiled, x64, close):
    x, kernel, local = (
        rng.standard_normal(shape) for shape in ((2, 7, 5, 4), (3, 2, 2, 6), (3, 6, 3, 2, 4, 3))
    )
    w = window((7, 5), (3, 2), **SETTINGS)
    y = rng.standard_normal((2, *w.out_sizes, 6))
    twins = lambda x, k, u, y: (
        reference.conv(x, k, w, 2),
        reference.conv_transpose(y, k, w, 2),
        reference.local_conv(x, u, w),
    )
    expected = (
        loops.conv(x, kernel, **SETTINGS | dict(padding=w.padding), groups=2),
        loops.conv_gradients(x, kernel, y, **SETTINGS | dict(padding=w.padding), groups=2)[0],
        loops.local_conv(x, local, size=(3, 2), **SETTINGS | dict(padding=w.padding)),
    )
    close(compiled(twins)(x, kernel, local, y), expected, 1e-12)


def test_error_of_a_window_that_does_not_fit():
    with pytest.raises(ValueError, match="a 7-wide window does not fit 5 pixels"):
        ops.im2col(jnp.zeros((1, 5, 1)), 7)
    with pytest.raises(ValueError, match="unknown rounding 'up'"):
        ops.col2im(jnp.zeros((1, 3, 3)), (5, 1), 3, rounding="up")
