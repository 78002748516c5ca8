import numpy as np
import pytest

from jconv.data.views import VIEWS, centred, mirrored_pair, ten_crop
from jconv.errors import InputError

IMAGES = np.arange(2 * 7 * 6 * 3, dtype=np.uint8).reshape(2, 7, 6, 3)


def test_the_middle_is_cut_out():
    np.testing.assert_array_equal(centred(IMAGES, (4, 3, 3)), IMAGES[:, 1:5, 1:4])
    np.testing.assert_array_equal(centred(IMAGES, (7, 6, 3)), IMAGES)
    assert centred(IMAGES, (4, 3, 3)).dtype == np.uint8


def test_ten_crops_are_the_middle_and_corners_and_their_mirror_images():
    found = np.asarray(ten_crop(IMAGES, (4, 3, 3)))
    crops = [
        IMAGES[:, 1:5, 1:4],
        IMAGES[:, :4, :3],
        IMAGES[:, :4, 3:],
        IMAGES[:, 3:, :3],
        IMAGES[:, 3:, 3:],
    ]
    for i, crop in enumerate(crops):
        np.testing.assert_array_equal(found[i], crop)
        np.testing.assert_array_equal(found[i + 5], crop[:, :, ::-1])
    with pytest.raises(InputError, match="views='ten-crop': the images are 7x6x3, as the net"):
        ten_crop(IMAGES, (7, 6, 3))


def test_a_pair_is_the_middle_and_its_mirror_image():
    first, second = np.asarray(mirrored_pair(IMAGES, (4, 3, 3)))
    np.testing.assert_array_equal(second, first[:, :, ::-1])


@pytest.mark.parametrize("name, count", [("centre", 1), ("mirrored", 2), ("ten-crop", 10)])
def test_views_by_name(name, count):
    assert VIEWS[name](IMAGES, (4, 3, 3)).shape == (count, 2, 4, 3, 3)


def test_images_that_do_not_fit():
    for in_shape, words in (
        ((8, 3, 3), "images are 7x6x3 but the net takes 8x3x3: at least that size"),
        ((4, 3, 1), "as many channels were expected; resize=True"),
    ):
        with pytest.raises(InputError, match=words):
            centred(IMAGES, in_shape)
    with pytest.raises(InputError, match="a single image is images"):
        centred(IMAGES[0], (4, 3, 3))
