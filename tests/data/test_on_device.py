import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv.data import Draws, draw_epoch, standardized
from jconv.data.on_device import mirrored_and_shifted

COUNT, PIXELS = 401, 2


@pytest.fixture(scope="module")
def draw():
    return jax.jit(lambda seed, epoch: draw_epoch(jax.random.key(seed), epoch, COUNT, PIXELS))


def by_image(draws):
    """Whether each image, by its number, is mirrored."""
    return dict(
        zip(np.asarray(draws.rows).tolist(), np.asarray(draws.mirrored).tolist(), strict=True)
    )


def test_every_image_is_drawn_once_in_another_order_each_epoch(draw):
    orders = [np.asarray(draw(3, epoch).rows) for epoch in (0, 1)] + [np.asarray(draw(4, 0).rows)]
    assert all(sorted(order) == list(range(COUNT)) for order in orders)
    assert not any((orders[0] == other).all() for other in orders[1:])


def test_shifts_are_uniform_and_drawn_anew(draw):
    shifts = np.concatenate([np.asarray(draw(3, epoch).shifts) for epoch in range(10)])
    counts = np.unique(shifts, axis=0, return_counts=True)[1]
    assert len(counts) == (2 * PIXELS + 1) ** 2
    expected = len(shifts) / len(counts)
    assert abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_an_image_is_mirrored_in_every_other_epoch(draw):
    first, second, third, other = (
        by_image(draw(seed, epoch)) for seed, epoch in ((3, 0), (3, 1), (3, 2), (4, 0))
    )
    assert all(second[i] != first[i] for i in range(COUNT))
    assert third == first != other
    assert abs(sum(first.values()) - COUNT / 2) < 5 * np.sqrt(COUNT / 4)


def test_draws_are_pure_functions_of_key_and_epoch(draw):
    for a, b in zip(draw(3, 7), draw(3, 7), strict=True):
        np.testing.assert_array_equal(a, b)


def test_images_are_mirrored_then_shifted_and_reflected_at_their_edges(rng):
    images = rng.integers(0, 256, (7, 5, 6, 3), np.uint8)
    shifts = np.array(
        [(down, right) for down in (-4, -1, 0, 2) for right in (-5, 0, 1, 3)], np.int32
    )
    rows, mirrored = rng.integers(0, 7, 16).astype(np.int32), np.arange(16) % 3 == 0
    found = mirrored_and_shifted(
        jnp.asarray(images), Draws(*map(jnp.asarray, (rows, shifts, mirrored)))
    )
    assert found.dtype == np.uint8 and found.shape == (16, 5, 6, 3)
    for result, row, (down, right), mirror in zip(found, rows, shifts, mirrored, strict=True):
        image = images[row][:, ::-1] if mirror else images[row]
        padded = np.pad(image, ((4, 4), (5, 5), (0, 0)), mode="reflect")
        np.testing.assert_array_equal(result, padded[4 - down : 9 - down, 5 - right : 11 - right])


def test_no_draws_are_no_change(rng):
    images = jnp.asarray(rng.integers(0, 256, (3, 5, 6, 1), np.uint8))
    still = Draws(jnp.arange(3), jnp.zeros((3, 2), jnp.int32), jnp.zeros(3, bool))
    np.testing.assert_array_equal(mirrored_and_shifted(images, still), images)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_standardized(rng, dtype):
    images = rng.integers(0, 256, (3, 5, 6, 2), np.uint8)
    mean, std = np.array([120.0, 90.0], np.float32), np.array([60.0, 50.0], np.float32)
    found = standardized(jnp.asarray(images), jnp.asarray(mean), jnp.asarray(std), dtype)
    assert found.dtype == dtype
    expected = (images - mean.astype(np.float64)) / std
    np.testing.assert_allclose(
        found.astype(np.float32), expected, rtol=1e-5 if dtype == "float32" else 2**-8, atol=1e-6
    )
