import numpy as np

from jconv.data import shift


def test_every_image_moves_as_a_whole_and_zeros_come_in(rng):
    images = rng.integers(1, 256, (199, 7, 5, 3), np.uint8)
    moved = shift(images, 2, np.random.default_rng(11))
    assert moved.shape == images.shape and moved.dtype == np.uint8
    top, left = np.random.default_rng(11).integers(0, 5, (2, 199, 1))[..., 0]
    for image, result, y, x in zip(images, moved, top, left, strict=True):
        expected = np.zeros_like(image)
        for row in range(7):
            for column in range(5):
                if 0 <= row + y - 2 < 7 and 0 <= column + x - 2 < 5:
                    expected[row, column] = image[row + y - 2, column + x - 2]
        np.testing.assert_array_equal(result, expected)
    assert len(set(zip(top, left, strict=True))) == 25  # every move of up to two pixels occurs


def test_no_pixels_is_no_change(rng):
    images = rng.integers(0, 256, (3, 7, 5, 1), np.uint8)
    np.testing.assert_array_equal(shift(images, 0, rng), images)
