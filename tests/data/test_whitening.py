import jax.numpy as jnp
import numpy as np
import pytest

from jconv import Conv
from jconv.data import channel_statistics, whitening_kernel


@pytest.fixture
def images(rng):
    """Smooth, so that a patch's values go together, and of channels that do, too."""
    noise = rng.standard_normal((11, 9, 8, 3))
    smooth = noise + np.roll(noise, 1, 1) + np.roll(noise, 1, 2) + noise.mean(-1, keepdims=True)
    return (smooth / smooth.std()).astype(np.float32)


def patches(images, k):
    """(N*(H-k+1)*(W-k+1), k*k*C) float64"""
    n, height, width, _ = images.shape
    found = []
    for i in range(n):
        for y in range(height - k + 1):
            for x in range(width - k + 1):
                found.append(images[i, y : y + k, x : x + k].reshape(-1))
    return np.array(found, np.float64)


@pytest.mark.parametrize("k", [2, 3])
def test_the_eigenvectors_of_the_patches_second_moments_and_their_negatives(images, k):
    kernel = np.asarray(whitening_kernel(jnp.asarray(images), k, eps=0.01))
    assert kernel.shape == (k, k, 3, 2 * k * k * 3)
    flat = kernel.reshape(k * k * 3, -1).astype(np.float64)
    half = k * k * 3
    np.testing.assert_array_equal(flat[:, half:], -flat[:, :half])
    p = patches(images, k)
    moments = np.zeros((half, half))
    for a in range(half):
        for b in range(half):
            moments[a, b] = (p[:, a] * p[:, b]).mean()
    values = np.linalg.eigvalsh(moments)[::-1]
    np.testing.assert_allclose(moments @ flat[:, :half], flat[:, :half] * values, atol=1e-4)
    np.testing.assert_allclose((flat[:, :half] ** 2).sum(0), 1 / (values + 0.01), rtol=1e-4)


def test_what_the_convolution_gives_is_white(images):
    kernel = whitening_kernel(jnp.asarray(images), eps=0.0)
    y, _ = Conv(24, 2, bias=False).apply({"kernel": kernel}, {}, jnp.asarray(images))
    y = np.asarray(y, np.float64)[..., :12].reshape(-1, 12)
    np.testing.assert_allclose(y.T @ y / len(y), np.eye(12), atol=1e-4)


def test_channel_statistics(rng):
    images = rng.integers(0, 256, (13, 7, 5, 3), np.uint8) // np.array([1, 2, 5], np.uint8)
    mean, std = channel_statistics(jnp.asarray(images))
    np.testing.assert_allclose(mean, images.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(std, images.std((0, 1, 2)), rtol=1e-5)
