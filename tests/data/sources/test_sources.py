import shutil

import numpy as np
import pytest
from PIL import Image

from jconv.data import digits, folder, load
from jconv.errors import InputError


@pytest.fixture
def images(tmp_path, rng):
    """A folder of 7x5 colour images: three of each of two classes to train, two to test. Returns it
    and {relative name: pixels}.
    """
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
    assert data.train.images.shape == (1438, 32, 32, 1) and data.test.images.shape == (
        359,
        32,
        32,
        1,
    )
    assert data.train.images.dtype == data.test.images.dtype == np.uint8
    assert data.train.images.max() == 255 and data.train.images.min() == 0
    assert np.bincount(data.train.labels).tolist() == [
        142,
        146,
        142,
        146,
        145,
        146,
        145,
        143,
        139,
        144,
    ]
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
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1] and data.test.labels.tolist() == [
        0,
        0,
        1,
        1,
    ]
    np.testing.assert_array_equal(data.train.images[4], pixels["train/bee/1.png"])
    np.testing.assert_array_equal(data.test.images[1], pixels["test/ant/1.png"])


def test_what_is_no_image_by_its_name_is_left_out_with_a_word(images):
    path, _ = images
    for name in ("notes.txt", "more.TXT", "LICENSE"):
        (path / "train" / "ant" / name).write_text("no image")
    with pytest.warns(
        UserWarning,
        match=r"train: files that are no images by their suffix are left out: .txt \(2\), without "
        r"a suffix \(1\)",
    ):
        assert len(folder(path).train.labels) == 6


@pytest.mark.parametrize(
    "left",
    [
        "a/._0.png",
        "a/.DS_Store",
        "a/Thumbs.db",
        "a/desktop.ini",
        "__MACOSX/a/._0.png",
        ".cache/0.png",
        "@eaDir/0.png",
        "a/sub/0.png",
    ],
)
def test_what_systems_leave_behind_is_passed_over(images, left):
    path, _ = images
    file = path / "train" / left.replace("a/", "ant/", 1)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"\0\5\x16\7 of macOS or Windows")
    assert folder(path).class_names == ("ant", "bee") and len(folder(path).train.labels) == 6


@pytest.mark.parametrize(
    "suffix, kind",
    [(".jfif", "JPEG"), (".tga", "TGA"), (".ICO", "ICO"), (".pcx", "PCX"), (".jp2", "JPEG2000")],
)
def test_every_format_that_pillow_reads_is_an_image(images, rng, suffix, kind):
    path, _ = images
    Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(
        path / "train" / "ant" / f"more{suffix}", kind
    )
    assert len(folder(path, (7, 5, 3)).train.labels) == 7


def test_all_files_that_cannot_be_read_are_named_at_once(images):
    path, _ = images
    for name in ("0.png", "x.png", "y.jpg"):
        (path / "train" / "ant" / name).write_bytes(b"not an image")
    with pytest.raises(
        InputError, match=r"(?s)ant/0.png: not a readable.*ant/x.png: not.*ant/y.jpg: not"
    ):
        folder(path)


def test_a_single_class_is_refused(images):
    path, _ = images
    for split in ("train", "test"):
        shutil.rmtree(path / split / "bee")
    with pytest.raises(
        InputError, match="holds one class, 'ant', so that there is nothing to tell apart"
    ):
        folder(path)


def test_sizes_must_agree_or_be_fitted(images, rng):
    path, _ = images
    Image.fromarray(rng.integers(0, 256, (9, 5, 3), np.uint8)).save(path / "train/bee/2.png")
    with pytest.raises(
        InputError,
        match=r"bee/2.png: is 9x5x3 but .*ant/0.png is 7x5x3; resize them to one size "
        r"\(resize=True\)",
    ):
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
    with pytest.raises(
        InputError,
        match="test: there is no such folder; expected .*test/CLASS/IMAGE files, and both train "
        "and test",
    ):
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
    with pytest.raises(InputError, match="data='folder' needs the folder's path: data_dir=PATH"):
        load("folder")
    with pytest.raises(InputError, match="unknown data 'cifar'; use 'digits', 'folder'"):
        load("cifar")
