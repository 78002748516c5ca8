"""Integers: the exact answer of the im2col twin, whatever the shape, or a mean as a fraction.
Booleans are refused.
"""

import jax.numpy as jnp
import numpy as np
import pytest

from jconv import ops
from jconv.geometry import window
from jconv.ops.methods import METHODS
from jconv.ops.shapes import Geometry

SHAPES = [  # shapes that the plan has methods of its own for
    ((2, 16, 16, 32), (3, 3, 32, 32), dict(padding=1)),
    ((2, 14, 14, 16), (9, 9, 16, 16), dict(padding=4)),
    ((2, 8, 8, 8), (3, 3, 1, 8), dict(padding=1, groups=8)),
    ((2, 8, 8, 64), (1, 1, 64, 32), {}),
    ((2, 9, 9, 3), (3, 3, 3, 8), dict(stride=2)),
    ((2, 8, 8, 64), (3, 3, 2, 64), dict(groups=32, padding=1)),
    ((3, 20, 6), (3, 6, 4), dict(dilation=2)),
    ((2, 5, 6, 4, 6), (3, 3, 3, 6, 4), dict(padding=1)),
]
DTYPES = ("int32", "int8", "uint8", "int16")


def methods_for(x_shape, k_shape, settings):
    """Words for a layer as a whole, and every method that serves this shape."""
    settings = {"groups": 1, **settings}
    w = window(
        x_shape[1:-1],
        k_shape[:-2],
        **{name: value for name, value in settings.items() if name != "groups"},
    )
    geometry = Geometry(w, settings["groups"])
    return [
        "auto",
        "lax",
        *(
            word
            for word, method in METHODS.items()
            if word != "im2col" and not method.serves(k_shape, geometry)
        ),
    ]


@pytest.mark.sweep(1)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("x_shape", "k_shape", "settings"), SHAPES)
def test_convolutions(dtype, x_shape, k_shape, settings, rng, compiled):
    x, k = (jnp.asarray(rng.integers(0, 7, shape), dtype) for shape in (x_shape, k_shape))
    words = methods_for(x_shape, k_shape, settings)

    def by(word, x, k):
        y = ops.conv(x, k, method=word, **settings)
        back = ops.conv_transpose(y, k, method=word, out_sizes=x_shape[1:-1], **settings)
        return y, back

    expected, found = compiled(
        lambda x, k: (by("im2col", x, k), {word: by(word, x, k) for word in words})
    )(x, k)
    for word, results in found.items():
        for y, exact in zip(results, expected, strict=True):
            assert y.dtype == exact.dtype == dtype
            np.testing.assert_array_equal(y, exact, err_msg=word)


def test_large_integers_are_not_rounded():
    x, k = jnp.full((1, 8, 8, 3), 2**24 + 1, jnp.int32), jnp.ones((3, 3, 3, 4), jnp.int32)
    assert (ops.conv(x, k, stride=2) == 27 * (2**24 + 1)).all()


@pytest.mark.sweep(1)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", ["auto", "lax", "im2col"])
def test_means_are_fractions_and_maxima_integers(dtype, method):
    x = jnp.asarray(np.arange(12).reshape(1, 3, 4, 1), dtype)
    for y, expected in (
        (ops.avg_pool(x, 2, stride=1, method=method), [2.5, 3.5, 4.5, 6.5, 7.5, 8.5]),
        (ops.adaptive_avg_pool(x, (1, 2)), [4.5, 6.5]),
        (ops.global_avg_pool(x), [5.5]),
        (ops.resize(x[:, :1, :2], (1, 4), mode="bilinear", method=method), [0, 0.25, 0.75, 1]),
    ):
        assert y.dtype == jnp.float32
        np.testing.assert_allclose(np.ravel(y), expected, rtol=1e-6)
    for y, expected in (
        (ops.max_pool(x, 2, method=method), [5, 7]),
        (ops.max_pool(x, 2, stride=1, dilation=2, method=method), [10, 11]),
        (ops.adaptive_max_pool(x, (1, 2), method=method), [9, 11]),
        (ops.global_max_pool(x), [11]),
        (ops.resize(x[:, :1, :2], (1, 4), method=method), [0, 0, 1, 1]),
    ):
        assert y.dtype == dtype
        np.testing.assert_array_equal(np.ravel(y), expected)


@pytest.mark.parametrize(
    "run",
    [
        lambda x: ops.conv(x, x[:, :, :, :1]),
        lambda x: ops.dense(x[0, 0], x[0, 0].T),
        lambda x: ops.max_pool(x, 2),
        lambda x: ops.avg_pool(x, 2),
        lambda x: ops.lp_pool(x, 2),
        lambda x: ops.adaptive_avg_pool(x, (1, 1)),
        lambda x: ops.adaptive_max_pool(x, (1, 1)),
        ops.global_avg_pool,
        ops.global_max_pool,
        lambda x: ops.resize(x, (4, 4)),
        ops.local_response_norm,
        lambda x: ops.group_norm(x, 1, 1e-5),
    ],
)
def test_booleans_are_refused(run):
    with pytest.raises(
        TypeError,
        match=r"is bool, numbers were expected; .*\.astype\(jnp\.float32\) has ones and zeros",
    ):
        run(jnp.ones((2, 2, 2, 2), bool))
