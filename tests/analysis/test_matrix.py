"""A convolution as a big sparse matrix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import Conv, connections, conv_as_dense


def test_the_notes_demo():
    conv = Conv(2, 3, stride=2, padding=1)
    params, _ = conv.init(jax.random.key(0), (5, 5, 3))
    matrix = conv_as_dense(conv, params, (5, 5, 3))
    assert (
        matrix.shape,
        matrix.nnz,
        connections(conv, (5, 5, 3)),
        len(np.unique(matrix.data)),
    ) == ((18, 75), 294, 294, 54)


def test_alexnets_first_layer_by_arithmetic():
    assert connections(Conv(96, 11, stride=4), (227, 227, 3)) == 105_415_200


@pytest.mark.sweep(3)
@pytest.mark.parametrize(
    ("conv", "in_shape"),
    [
        (
            Conv(5, (3, 2), stride=(2, 1), padding=((1, 2), (0, 1)), dilation=(1, 2), bias=False),
            (7, 5, 3),
        ),
        (Conv(6, 3, groups=2, padding=1, bias=False), (5, 7, 4)),
        (Conv(4, 3, bias=False), (11, 2)),
        (Conv(3, 2, stride=2, bias=False), (4, 5, 6, 2)),
        (Conv(3, 3, mask=((0,), (1, 2), (0, 2)), bias=False), (5, 4, 3)),
        (Conv(3, 3, stride=2, rounding="ceil", bias=False), (6, 6, 2)),
    ],
    ids=["2d", "groups", "1d", "3d", "mask", "ceil"],
)
def test_it_is_the_convolution(conv, in_shape, rng, close):
    params, _ = conv.init(jax.random.key(0), in_shape)
    x = rng.standard_normal(in_shape).astype(np.float32)
    matrix = conv_as_dense(conv, params, in_shape)
    expected = conv.apply(params, {}, jnp.asarray(x)[None])[0][0]
    assert matrix.nnz == connections(conv, in_shape)
    close((matrix @ x.ravel()).reshape(expected.shape), expected, 1e-5)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_that_holds_pixels_reads_them(mode, rng, close):
    conv = Conv(3, 3, stride=2, padding=((2, 1), 1), padding_mode=mode, bias=False)
    params, _ = conv.init(jax.random.key(0), (5, 4, 2))
    x = jnp.asarray(rng.standard_normal((1, 5, 4, 2)), jnp.float32)
    matrix = conv_as_dense(conv, params, (5, 4, 2))
    close(matrix @ np.ravel(x), np.ravel(conv.apply(params, {}, x)[0]), 1e-5)
    matrix.eliminate_zeros()
    assert connections(conv, (5, 4, 2)) == matrix.nnz
