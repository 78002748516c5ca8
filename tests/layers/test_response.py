import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import ContrastNorm, LocalResponseNorm

SEVEN = np.arange(1.0, 8)
CAFFE = [
    0.9997900514,
    1.9991004722,
    2.9975273798,
    3.9946084910,
    4.9898988613,
    5.9886849471,
    6.9884721890,
]
PAPER = [
    0.5942915817,
    1.1878710105,
    1.7801403936,
    2.3704185590,
    2.9580552328,
    3.5508567249,
    4.1451379370,
]
BETWEEN = [
    0.5945411318,
    1.1889396136,
    1.7830752045,
    2.3768100636,
    2.9700111584,
    3.5642536555,
    4.1587943687,
]
WITHIN = [
    [0.27470020, 0.35301159, 0.60801150],
    [0.47989361, 0.39500582, 0.57315837],
    [0.85894460, 0.65548121, 0.89826028],
]


def across(layer, values):
    """The answer over the channels of a single pixel."""
    return layer.apply({}, {}, jnp.asarray(values)[None, None, None])[0][0, 0, 0]


@pytest.mark.parametrize("method", ["auto", "lax", "im2col"])
@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (LocalResponseNorm(), CAFFE),
        (LocalResponseNorm(convention="torch"), CAFFE),
        (LocalResponseNorm(convention="paper"), PAPER),
        (LocalResponseNorm(k=2.0), BETWEEN),
        (LocalResponseNorm(alpha=5e-4, k=2.0), PAPER),  # the paper's alpha is five times Caffe's
    ],
)
def test_across_channels(layer, expected, method, x64):
    layer = LocalResponseNorm(**{**vars(layer), "method": method})
    np.testing.assert_allclose(across(layer, SEVEN), expected, rtol=1e-8)


def test_a_small_window(x64):
    y = across(LocalResponseNorm(3, alpha=1.0), np.arange(1.0, 5))
    np.testing.assert_allclose(
        y, [0.4792073282, 0.5445455905, 0.5082761270, 0.7490872564], rtol=1e-8
    )


@pytest.mark.parametrize("convention", ["caffe", "paper", "torch"])
def test_within_a_channel_whatever_the_convention(convention, x64):
    layer = LocalResponseNorm(3, alpha=0.9, within=True, convention=convention)
    y, _ = layer.apply({}, {}, jnp.arange(1.0, 10, dtype=jnp.float64).reshape(1, 3, 3, 1))
    np.testing.assert_allclose(y[0, ..., 0], WITHIN, rtol=1e-7)
    other, _ = LocalResponseNorm(3, alpha=0.9, within=True, k=2.0).apply(
        {}, {}, jnp.ones((1, 3, 3, 1))
    )
    np.testing.assert_allclose(other[0, 1, 1, 0], 2.9**-0.75, rtol=1e-7)  # cuda-convnet's minDiv


def test_c1e_the_gradient_across_channels(x64, rng):
    n, alpha, beta, k = 3, 0.7, 0.75, 1.0
    x, dy = (jnp.asarray(rng.standard_normal(6)) for _ in range(2))
    dx = jax.grad(lambda x: across(LocalResponseNorm(n, alpha, beta), x) @ dy)(x)
    near = abs(np.arange(6)[:, None] - np.arange(6)) <= n // 2
    s = k + alpha / n * near @ np.asarray(x) ** 2
    y = np.asarray(x) * s**-beta
    np.testing.assert_allclose(
        dx, dy * s**-beta - 2 * alpha * beta / n * x * (near @ (np.asarray(dy) * y / s)), rtol=1e-10
    )


def test_contrast_norm_divides_the_values_themselves_c1c(x64, rng):
    x = rng.standard_normal((5, 4))
    expected = np.empty_like(x)
    window = lambda a, i, j: a[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
    apart = np.array([[x[i, j] - window(x, i, j).mean() for j in range(4)] for i in range(5)])
    for i, j in np.ndindex(x.shape):
        expected[i, j] = x[i, j] * (2.0 + 0.9 / 9 * (window(apart, i, j) ** 2).sum()) ** -0.6
    for method in ("auto", "im2col"):
        y, _ = ContrastNorm(3, alpha=0.9, beta=0.6, k=2.0, method=method).apply(
            {}, {}, jnp.asarray(x)[None, ..., None]
        )
        np.testing.assert_allclose(y[0, ..., 0], expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            lambda: LocalResponseNorm(convention="theano"),
            "^LocalResponseNorm: unknown convention 'theano'; use 'paper', 'caffe', 'torch'$",
        ),
        (
            lambda: LocalResponseNorm(method="fast"),
            "^LocalResponseNorm: unknown method 'fast'; use 'auto', 'lax', 'im2col'$",
        ),
        (
            lambda: LocalResponseNorm(0),
            "^LocalResponseNorm: size=0, whole numbers of at least 1 were expected",
        ),
        (
            lambda: LocalResponseNorm(4),
            "^LocalResponseNorm: size=4 is even; Caffe's has a middle: use an odd size, or "
            'convention="torch"$',
        ),
        (lambda: ContrastNorm(method="fast"), "^ContrastNorm: unknown method 'fast'"),
        (
            lambda: ContrastNorm(0),
            "^ContrastNorm: size=0, whole numbers of at least 1 were expected",
        ),
    ],
)
def test_settings_that_cannot_be(build, words):
    with pytest.raises(ValueError, match=words):
        build()


def test_even_windows_where_they_mean_something():
    LocalResponseNorm(4, convention="torch")
    LocalResponseNorm(4, convention="paper")
    LocalResponseNorm(4, within=True)
