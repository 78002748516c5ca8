import numpy as np
import pytest
from PIL import Image, ImageOps

from jconv.data.image import UnreadableImage, cut, decoded, read_image, shape_of, to_array
from jconv.data.stored import Box
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


@pytest.fixture
def photo(tmp_path, rng):
    """A smooth JPEG file, 64 wide and 48 high, and its pixels."""
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    coarse.resize((64, 48), Image.Resampling.BICUBIC).save(tmp_path / "photo.jpg", quality=95)
    return tmp_path / "photo.jpg", np.asarray(Image.open(tmp_path / "photo.jpg").copy())


@pytest.mark.parametrize("in_shape", [(25, 33, 3), (48, 64, 1), (47, 20, 3), None])
def test_a_jpeg_file_not_twice_as_large_is_decoded_whole(photo, in_shape):
    path, pixels = photo
    expected = to_array(Image.fromarray(pixels), in_shape)
    np.testing.assert_array_equal(decoded(path, in_shape), expected)
    np.testing.assert_array_equal(read_image(path, in_shape), expected)


@pytest.mark.parametrize(
    ("in_shape", "box", "size"),
    [
        ((24, 32, 3), None, (32, 24)),
        ((13, 13, 3), None, (32, 24)),
        ((12, 13, 3), None, (16, 12)),
        ((6, 8, 1), None, (8, 6)),
        ((1, 1, 3), None, (8, 6)),
        ((12, 12, 3), Box(0.5, 0.5, 1, 1), (32, 24)),
        ((12, 12, 3), Box(0.5, 0, 0.8, 1), (64, 48)),
    ],
)
def test_a_large_jpeg_file_is_decoded_small_but_no_smaller_than_wanted(
    photo, in_shape, box, size, monkeypatch
):
    path, pixels = photo
    sizes = []
    transpose = ImageOps.exif_transpose
    monkeypatch.setattr(
        ImageOps, "exif_transpose", lambda i, **kw: (transpose(i, **kw), sizes.append(i.size))
    )
    got = decoded(path, in_shape, box and (lambda width, height: box))
    assert sizes == [size] and got.shape == in_shape
    whole = Image.fromarray(pixels)
    expected = cut(whole, in_shape, box) if box else to_array(whole, in_shape)
    assert (
        np.abs(got.astype(int) - expected).max() < 24 and np.abs(got - 1.0 * expected).mean() < 10
    )


def test_a_part_is_cut_out_and_resized(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    seen = []

    def box(width, height):
        seen.append((width, height))
        return Box(1 / 5, 2 / 7, 4 / 5, 1)

    part = decoded(tmp_path / "a.png", (5, 3, 3), box)
    assert seen == [(5, 7)]
    np.testing.assert_array_equal(part, pixels[2:, 1:4])
    gray = decoded(tmp_path / "a.png", (5, 3, 1), box)
    np.testing.assert_array_equal(gray, to_array(Image.fromarray(pixels[2:, 1:4]), (5, 3, 1)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shape", [(48, 64), (6, 8)])
def test_the_part_is_of_the_turned_image(photo, orientation, shape, tmp_path):
    path, _ = photo
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(path) as image:
        image.save(tmp_path / "turned.jpg", quality=95, exif=exif)
    with Image.open(tmp_path / "turned.jpg") as image:
        whole = to_array(ImageOps.exif_transpose(image))
    assert shape_of(tmp_path / "turned.jpg") == whole.shape
    height, width = shape[:: -1 if orientation > 4 else 1]
    seen = []

    def box(*size):
        seen.append(size)
        return Box(0, 0.25, 0.5, 1)

    got = decoded(tmp_path / "turned.jpg", (height * 3 // 4, width // 2, 3), box)
    assert seen == [whole.shape[1::-1]]
    expected = cut(Image.fromarray(whole), got.shape, Box(0, 0.25, 0.5, 1))
    assert np.abs(got.astype(int) - expected).max() < (1 if height * width == 48 * 64 else 40)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_the_shape_is_known_from_the_header(tmp_path, mode):
    image = Image.new(mode, (5, 7))
    path = tmp_path / ("image.tiff" if mode == "CMYK" else "image.png")
    image.save(path)
    assert shape_of(path) == read_image(path).shape


def test_what_a_decoder_raises_is_of_that_image(tmp_path, pixels, monkeypatch):
    def decoder(*args, **kwargs):
        raise IndexError("out of its table")

    Image.fromarray(pixels).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "open", decoder)
    with pytest.raises(UnreadableImage, match=r"a.png: not a readable image \(out of its table\)"):
        read_image(tmp_path / "a.png")
