import numpy as np
import pytest
from PIL import Image

from jconv.data.image import read_image, to_array
from jconv.errors import InputError


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (7, 5, 3), np.uint8)


def test_colour_and_gray_files_come_back_as_they_were_written(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "colour.png")
    Image.fromarray(pixels[:, :, 0]).save(tmp_path / "gray.png")
    np.testing.assert_array_equal(read_image(tmp_path / "colour.png"), pixels)
    np.testing.assert_array_equal(read_image(tmp_path / "gray.png"), pixels[:, :, :1])


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    values = np.array([[0, 300, 256 * 77, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png")[:, :, 0], [[0, 1, 77, 255]])


def test_transparent_pixels_are_white(pixels):
    alpha = np.full((7, 5, 1), 255, np.uint8)
    alpha[2, 3] = 0
    image = to_array(Image.fromarray(np.concatenate([pixels, alpha], axis=2)))
    assert image.shape == (7, 5, 3)
    assert (image[2, 3] == 255).all()
    np.testing.assert_array_equal(image[:2], pixels[:2])


def test_a_palette_becomes_colour(pixels):
    image = Image.fromarray(pixels).quantize(7)
    np.testing.assert_array_equal(to_array(image), np.asarray(image.convert("RGB")))


def test_a_photo_is_turned_as_its_camera_says(tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees clockwise to view
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "turned.png"), np.rot90(pixels, -1))


def test_fitting_crops_about_the_centre_and_changes_size_and_channels():
    wide = np.zeros((11, 41, 3), np.uint8)
    # the central square and what bilinear weights reach; the rest is cut off
    wide[:, 12:29] = (200, 100, 50)
    colour, gray = (
        to_array(Image.fromarray(wide), (5, 5, 3)),
        to_array(Image.fromarray(wide), (5, 5, 1)),
    )
    assert (colour == (200, 100, 50)).all() and colour.shape == (5, 5, 3)
    assert gray.shape == (5, 5, 1)
    assert (gray == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)).all()
    repeated = to_array(Image.fromarray(gray[:, :, 0]), (5, 5, 3))
    np.testing.assert_array_equal(repeated, np.repeat(gray, 3, axis=2))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="absent.png: there is no such file"):
        read_image(tmp_path / "absent.png")


@pytest.mark.parametrize("kept", [0, 20, 60])
def test_a_damaged_file_is_named(tmp_path, pixels, kept):
    path = tmp_path / "cut.png"
    Image.fromarray(pixels).save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(
        InputError, match=r"cut.png: not a readable image \(.+\); remove the file or write it again"
    ):
        read_image(path)


def test_floating_point_pixels_are_refused(tmp_path, rng):
    Image.fromarray(rng.random((7, 5), np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(InputError, match="float.tiff: .*floating-point numbers of no set range"):
        read_image(tmp_path / "float.tiff")
