import numpy as np
import pytest
from PIL import Image

from jconv.data import digits, folder, load
from jconv.errors import InputError


@pytest.fixture
def images(tmp_path, rng):
    """A folder of 7x5 colour images: three of each of two classes to train, two to test. Returns it and {relative name: pixels}."""
    pixels = {}
    for split, count in (("train", 3), ("test", 2)):
        for name in ("bee", "ant"):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(count):
                pixels[f"{split}/{name}/{i}.png"] = rng.integers(0, 256, (7, 5, 3), np.uint8)
    for path, array in pixels.items():
        Image.fromarray(array).save(tmp_path / path)
    return tmp_path, pixels


def test_digits_are_split_once_and_for_all():
    data = digits()
    assert data.train.images.shape == (1438, 32, 32, 1) and data.test.images.shape == (359, 32, 32, 1)
    assert data.train.images.dtype == data.test.images.dtype == np.uint8
    assert data.train.images.max() == 255 and data.train.images.min() == 0
    assert np.bincount(data.train.labels).tolist() == [142, 146, 142, 146, 145, 146, 145, 143, 139, 144]
    assert np.bincount(data.test.labels).tolist() == [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]
    assert data.test.labels[:10].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert data.class_names == tuple("0123456789")


def test_digits_fit_another_input():
    data = load("digits", in_shape=(13, 11, 3))
    assert data.train.images.shape == (1438, 13, 11, 3)


def test_a_folder_is_read_in_order_of_class_and_name(images):
    path, pixels = images
    data = folder(path)
    assert data.class_names == ("ant", "bee")
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1] and data.test.labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(data.train.images[4], pixels["train/bee/1.png"])
    np.testing.assert_array_equal(data.test.images[1], pixels["test/ant/1.png"])


def test_what_is_no_image_by_name_is_passed_over(images):
    path, _ = images
    (path / "train" / "ant" / "notes.txt").write_text("no image")
    (path / "train" / ".cache").mkdir()
    assert len(folder(path).train.labels) == 6


def test_sizes_must_agree_or_be_fitted(images, rng):
    path, _ = images
    Image.fromarray(rng.integers(0, 256, (9, 5, 3), np.uint8)).save(path / "train/bee/2.png")
    with pytest.raises(InputError, match=r"bee/2.png: is 9x5x3 but .*ant/0.png is 7x5x3; resize them to one size \(--resize\)"):
        folder(path)
    assert folder(path, (11, 13, 1)).train.images.shape == (6, 11, 13, 1)


def test_train_and_test_must_agree(images, rng):
    path, _ = images
    for file in (path / "test").glob("*/*.png"):
        Image.fromarray(rng.integers(0, 256, (9, 5), np.uint8)).save(file)
    with pytest.raises(InputError, match="images are 7x5x3 in train but 9x5x1 in test"):
        folder(path)


def test_an_unreadable_file_is_named(images):
    path, _ = images
    (path / "test" / "bee" / "1.png").write_bytes(b"\x89PNG and no more")
    with pytest.raises(InputError, match="test/bee/1.png: not a readable image"):
        folder(path)


def test_a_missing_half_is_named(images):
    path, _ = images
    (path / "test").rename(path / "validation")
    with pytest.raises(InputError, match="test: there is no such folder; expected .*test/CLASS/IMAGE files, and both train and test"):
        folder(path)


def test_an_empty_class_is_named(images):
    path, _ = images
    for split in ("train", "test"):
        (path / split / "cat").mkdir()
    with pytest.raises(InputError, match="train/cat: holds no images"):
        folder(path)


def test_a_class_of_one_half_only_is_named(images):
    path, _ = images
    (path / "test" / "cat").mkdir()
    with pytest.raises(InputError, match="class 'cat' is in test but not in train"):
        folder(path)


def test_a_folder_without_classes_is_named(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(InputError, match="train: holds no class folders"):
        folder(tmp_path)


def test_load_knows_its_words(images):
    path, _ = images
    assert load("folder", path).class_names == ("ant", "bee")
    with pytest.raises(InputError, match="data 'folder' needs the folder's path: --data-dir PATH"):
        load("folder")
    with pytest.raises(InputError, match="unknown data 'cifar'; use 'digits', 'folder'"):
        load("cifar")
