import pickle

import numpy as np
import pytest
from PIL import Image

from jconv.data.encoded import ArrayImages, FileImages
from jconv.data.image import to_array
from jconv.data.stored import Box
from jconv.errors import InputError

NAMES = ["ant/0.png", "ant/1.png", "bee/0.png"]


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (3, 7, 5, 3), np.uint8)


@pytest.fixture
def folder(tmp_path, pixels):
    for name, image in zip(NAMES, pixels, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / name)
    return tmp_path


def test_files_are_read_as_they_are(folder, pixels):
    images = FileImages(folder, NAMES)
    assert images.shape == (3, 7, 5, 3) and len(images) == 3 and images.dtype == np.uint8
    np.testing.assert_array_equal(images.read(2), pixels[2])
    np.testing.assert_array_equal(images[:], pixels)
    np.testing.assert_array_equal(images[1:], pixels[1:])
    np.testing.assert_array_equal(images[np.array([2, 0])], pixels[[2, 0]])


def test_files_are_fitted(folder, pixels):
    images = FileImages(folder, NAMES, (3, 4, 1))
    assert images.shape == (3, 3, 4, 1)
    np.testing.assert_array_equal(images.read(1), to_array(Image.fromarray(pixels[1]), (3, 4, 1)))


@pytest.mark.parametrize("in_shape", [None, (5, 4, 3)])
def test_a_part_has_the_shape_of_the_whole(folder, pixels, in_shape):
    images = FileImages(folder, NAMES, in_shape)
    assert images.read(0, lambda width, height: Box(0.2, 0.3, 0.7, 0.9)).shape == images.in_shape
    whole = images.read(0, lambda width, height: Box(0, 0, 1, 1))
    if in_shape is None:
        np.testing.assert_array_equal(whole, pixels[0])


def test_some_of_them(folder, pixels):
    images = FileImages(folder, NAMES).taken(np.array([2, 1]))
    assert list(images.names) == ["bee/0.png", "ant/1.png"]
    np.testing.assert_array_equal(images[:], pixels[[2, 1]])


def test_they_go_to_other_processes_as_names(folder, pixels):
    packed = pickle.dumps(FileImages(folder, NAMES))
    assert len(packed) < 600
    np.testing.assert_array_equal(pickle.loads(packed)[:], pixels)


def test_the_first_that_can_be_opened_has_the_size_of_all(folder, pixels):
    (folder / NAMES[0]).write_bytes(b"")
    Image.fromarray(pixels[2, :6]).save(folder / NAMES[2])
    images = FileImages(folder, NAMES)
    assert images.in_shape == (7, 5, 3)
    for look in (images.read, images.check_header):
        with pytest.raises(InputError, match="ant/0.png: not a readable image"):
            look(0)
        with pytest.raises(InputError, match=r"bee/0.png: is 6x5x3 but .*ant/1.png is 7x5x3"):
            look(2)


def test_where_none_can_be_opened_they_have_no_size(tmp_path):
    assert FileImages(tmp_path, ["a.png"]).in_shape == (0, 0, 0)
    with pytest.raises(InputError, match="a.png: there is no such file"):
        FileImages(tmp_path, ["a.png"]).read(0)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_an_array_are_fitted_when_they_are_read(pixels, channels):
    pixels = pixels[..., :channels]
    images = ArrayImages(pixels, ["train/0", "train/1", "train/2"], (4, 9, 3))
    assert images.shape == (3, 4, 9, 3)
    image = Image.fromarray(pixels[1].squeeze())
    np.testing.assert_array_equal(images.read(1), to_array(image, (4, 9, 3)))
    some = images.taken(np.array([1]))
    assert list(some.names) == ["train/1"]
    np.testing.assert_array_equal(some[:][0], images.read(1))

    whole = ArrayImages(pixels, images.names, (4, 3, 3))
    part = whole.read(1, lambda width, height: Box(1 / width, 2 / height, 4 / width, 6 / height))
    np.testing.assert_array_equal(part, np.broadcast_to(pixels[1, 2:6, 1:4], (4, 3, 3)))
