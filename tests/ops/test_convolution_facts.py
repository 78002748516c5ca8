"""Every number the CS231n notes print about convolution, by every method."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import ops
from jconv.geometry import volume


@pytest.fixture
def conv(method, compiled):
    """ops.conv by one method, compiled whole: eagerly each of im2col's many steps would be a
    program of its own.
    """
    return lambda x, kernel, **settings: compiled(
        lambda x, k: ops.conv(x, k, method=method, **settings)
    )(x, kernel)


def line(*values):
    """One image of one row and one channel."""
    return jnp.asarray(values, jnp.float32).reshape(1, -1, 1)


@pytest.mark.parametrize("stride, expected", [(1, [-2, 2, 1, 2, 1]), (2, [-2, 1, 1])])
def test_stride_figure(stride, expected, conv):
    y = conv(
        line(1, 2, -1, 1, -3),
        line(1, 0, -1).reshape(3, 1, 1),
        stride=stride,
        padding=1,
        rounding="exact",
    )
    np.testing.assert_array_equal(y.ravel(), expected)


@pytest.mark.parametrize(
    "stride, dx, dw, db",
    [(1, [1, 0, 0, 0, -1], [3, 0, -1], 5), (2, [0, 0, 0, 0, 0], [3, -3, 3], 3)],
    ids=["stride1", "stride2"],
)
def test_backward(stride, dx, dw, db, method, pull, compiled):
    f = lambda x, w, b: ops.conv(x, w, stride=stride, padding=1, method=method) + b
    operands = line(1, 2, -1, 1, -3), line(1, 0, -1).reshape(3, 1, 1), jnp.zeros((1, 1, 1))
    ct = jnp.ones((1, 5 if stride == 1 else 3, 1))
    gradients = compiled(lambda operands: pull(f, *operands, ct=ct)[1])(operands)
    for actual, expected in zip(gradients, (dx, dw, db), strict=True):
        np.testing.assert_array_equal(actual.ravel(), np.ravel(expected))


def test_input_gradient_is_full_convolution_with_the_flipped_filter(normal, close, pull):
    x, kernel, ct = normal(1, 7, 1), normal(3, 1, 1), normal(1, 3, 1)
    _, (dx, dk) = pull(lambda x, k: ops.conv(x, k, stride=2), x, kernel, ct=ct)
    spread = np.zeros(5)
    spread[::2] = ct.ravel()
    # numpy flips one operand, so this is correlation with the flip
    close(dx.ravel(), np.convolve(spread, kernel.ravel()), 1e-6)
    # and the filter's gradient has no flip
    close(dk.ravel(), np.correlate(x.ravel(), spread), 1e-6)


def a3():
    x, y, d = np.ogrid[:11, :11, :4]
    image = (7 * x + 3 * y + 5 * d) % 11 - 5
    x, y, d, k = np.ogrid[:5, :5, :4, :2]
    return image, (2 * x + 5 * y + 3 * d + k) % 7 - 3  # both indexed [x, y, ...]


def test_the_numpy_example_of_the_notes(conv):
    image, kernel = (jnp.asarray(a.swapaxes(0, 1), jnp.float32) for a in a3())  # rows first
    v = conv(image[None], kernel, stride=2, rounding="exact")[0] + jnp.array([[[1.0, -2.0]]])
    v = np.asarray(v).swapaxes(0, 1)  # V[x, y, d]
    assert v.shape == (4, 4, 2)
    printed = {
        (0, 0, 0): 1,
        (1, 0, 0): -209,
        (2, 0, 0): 87,
        (3, 0, 0): 185,
        (0, 0, 1): -196,
        (1, 0, 1): -158,
    }
    printed |= {
        (2, 0, 1): 221,
        (3, 0, 1): 39,
        (0, 1, 1): 221,
        (2, 3, 1): -189,
        (3, 3, 0): -30,
        (3, 3, 1): 135,
    }
    assert {at: v[at] for at in printed} == printed
    assert v.sum() == 138
    x, (w0, w1) = a3()[0], np.moveaxis(a3()[1], -1, 0)
    assert v[1, 0, 0] == (x[2:7, :5, :] * w0).sum() + 1
    assert v[2, 3, 1] == (x[4:9, 6:11, :] * w1).sum() - 2


def a4():
    x, y, d = np.ogrid[:5, :5, :3]
    image = (x**2 + 2 * y + d * y) % 3
    x, y, d, k = np.ogrid[:3, :3, :3, :2]
    return image, (x + 2 * y + d * (k + 1) + k * x * y) % 3 - 1


def test_demo(conv):
    image, kernel = (jnp.asarray(a.swapaxes(0, 1), jnp.float32) for a in a4())
    out = conv(image[None], kernel, stride=2, padding=1, rounding="exact")[0] + jnp.array(
        [[[1.0, 0.0]]]
    )
    assert out.shape == (3, 3, 2)
    assert volume(kernel.shape) + 2 == 56
    np.testing.assert_array_equal(out[..., 0], [[5, -2, -1], [1, 1, -2], [-1, 1, 5]])
    np.testing.assert_array_equal(out[..., 1], [[2, 3, 2], [0, 3, -3], [2, -3, 2]])


def test_alexnet_conv1():
    shapes = (
        jax.ShapeDtypeStruct((1, 227, 227, 3), jnp.float32),
        jax.ShapeDtypeStruct((11, 11, 3, 96), jnp.float32),
    )
    y = jax.eval_shape(lambda x, k: ops.conv(x, k, stride=4, rounding="exact"), *shapes)
    assert y.shape == (1, 55, 55, 96)
    assert (volume(y.shape), volume(shapes[1].shape[:-1]), volume(shapes[1].shape)) == (
        290_400,
        363,
        34_848,
    )


def test_a_depth_column_sees_one_region(rng, compiled):
    x = jnp.zeros((1, 13, 11, 3))
    # all filters of the column at row 2, column 1
    column = lambda x: ops.conv(x, kernel, stride=2)[0, 2, 1].sum()
    kernel = jnp.asarray(rng.uniform(1, 2, (5, 3, 3, 7)), jnp.float32)
    seen = np.argwhere(np.asarray(compiled(jax.grad(column))(x))[0])
    assert len(seen) == 5 * 3 * 3
    assert (*seen.min(axis=0), *seen.max(axis=0)) == (4, 2, 0, 8, 4, 2)


def test_a_slice_is_the_convolution_of_one_filter(normal, conv, close):
    x, kernel = normal(2, 7, 5, 3), normal(3, 2, 3, 5)
    close(conv(x, kernel, stride=2)[..., 3:4], conv(x, kernel[..., 3:4], stride=2), 1e-6)


def test_tied_local_weights_are_a_convolution(normal, compiled, method, close, pull):
    x, kernel, ct = normal(2, 7, 5, 3), normal(3, 2, 3, 5), normal(2, 4, 6, 5)
    settings = dict(stride=(2, 1), padding=(1, 1), method=method)
    tied = jnp.broadcast_to(kernel, (4, 6, *kernel.shape))
    local = compiled(
        lambda x, k: pull(lambda x, k: ops.local_conv(x, k, size=(3, 2), **settings), x, k, ct=ct)
    )
    shared = compiled(lambda x, k: pull(lambda x, k: ops.conv(x, k, **settings), x, k, ct=ct))
    y, (dx, dk) = local(x, tied)
    close((y, (dx, dk.sum(axis=(0, 1)))), shared(x, kernel), 1e-5)


def test_one_by_one_is_a_dot_product_per_pixel(normal, conv, close):
    x, kernel = normal(2, 32, 31, 3), normal(1, 1, 3, 5)
    close(conv(x, kernel), np.asarray(x) @ np.asarray(kernel[0, 0]), 1e-6)


@pytest.mark.parametrize(
    "notes, expected", [(0, [321, 432, 543, 654, 765]), (1, [531, 642, 753]), (2, [741])]
)
def test_dilation_counts_from_one(notes, expected, conv):
    w = jnp.array([1.0, 10.0, 100.0]).reshape(3, 1, 1)
    y = conv(line(*range(1, 8)), w, dilation=notes + 1)
    np.testing.assert_array_equal(y.ravel(), expected)


@pytest.mark.parametrize("dilations, size", [((1, 1), 5), ((2, 2), 9), ((1, 2, 4), 15)])
def test_receptive_field_of_stacks(dilations, size, compiled):
    def stack(x):
        for d in dilations:
            x = ops.conv(x, jnp.ones((3, 3, 1, 1)), padding=d, dilation=d)
        return x[0, 10, 10, 0]

    seen = np.argwhere(np.asarray(compiled(jax.grad(stack))(jnp.ones((1, 21, 21, 1))))[0, ..., 0])
    assert tuple(np.ptp(seen, axis=0) + 1) == (size, size)


def test_a_convolution_is_a_mostly_empty_matrix(compiled):
    kernel = jnp.arange(1.0, 55.0).reshape(3, 3, 3, 2)
    f = lambda x: ops.conv(x.reshape(1, 5, 5, 3), kernel, stride=2, padding=1).ravel()
    matrix = np.asarray(compiled(jax.jacfwd(f))(jnp.zeros(75)))
    np.testing.assert_array_equal(matrix, compiled(jax.jacrev(f))(jnp.zeros(75)))
    assert matrix.shape == (18, 75)
    assert np.count_nonzero(matrix) == 294
    assert len(np.unique(matrix[matrix != 0])) == 54


def test_dense_is_a_convolution_as_large_as_its_input(normal, conv, close):
    x, weights = normal(2, 7, 7, 5), normal(7 * 7 * 5, 11)
    y = conv(x, weights.reshape(7, 7, 5, 11))
    close(y.reshape(2, 11), np.asarray(x).reshape(2, -1) @ np.asarray(weights), 1e-5)
    vgg = (
        jax.ShapeDtypeStruct((1, 7, 7, 512), jnp.float32),
        jax.ShapeDtypeStruct((7, 7, 512, 4096), jnp.float32),
    )
    assert jax.eval_shape(ops.conv, *vgg).shape == (1, 1, 1, 4096)
    assert volume(vgg[1].shape) == volume(vgg[0].shape) * 4096 == 102_760_448


def test_groups_are_contiguous_blocks(normal, conv, close):
    x, kernel = normal(2, 7, 5, 6), normal(3, 3, 2, 9)
    parts = [
        ops.conv(x[..., 2 * g : 2 * g + 2], kernel[..., 3 * g : 3 * g + 3], method="lax")
        for g in range(3)
    ]
    close(conv(x, kernel, groups=3), jnp.concatenate(parts, axis=-1), 1e-6)
