import re
import shutil

import numpy as np
import pytest
from PIL import Image

from jconv.data import load
from jconv.errors import InputError


def test_a_folder_is_read_in_order_of_class_and_name(images):
    path, pixels = images
    data = load("folder", path)
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
        assert len(load("folder", path).train.labels) == 6


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
    assert (
        load("folder", path).class_names == ("ant", "bee")
        and len(load("folder", path).train.labels) == 6
    )


@pytest.mark.parametrize(
    "suffix, kind",
    [(".jfif", "JPEG"), (".tga", "TGA"), (".ICO", "ICO"), (".pcx", "PCX"), (".jp2", "JPEG2000")],
)
def test_every_format_that_pillow_reads_is_an_image(images, rng, suffix, kind):
    path, _ = images
    Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(
        path / "train" / "ant" / f"more{suffix}", kind
    )
    assert len(load("folder", path, (7, 5, 3)).train.labels) == 7


def test_all_files_that_cannot_be_read_are_named_at_once(images):
    path, _ = images
    for name in ("0.png", "x.png", "y.jpg"):
        (path / "train" / "ant" / name).write_bytes(b"not an image")
    with pytest.raises(
        InputError, match=r"(?s)ant/0.png: not a readable.*ant/x.png: not.*ant/y.jpg: not"
    ):
        load("folder", path)


def test_a_single_class_is_refused(images):
    path, _ = images
    for split in ("train", "test"):
        shutil.rmtree(path / split / "bee")
    with pytest.raises(
        InputError, match="holds one class, 'ant', so that there is nothing to tell apart"
    ):
        load("folder", path)


def test_sizes_must_agree_or_be_fitted(images, rng):
    path, _ = images
    Image.fromarray(rng.integers(0, 256, (9, 5, 3), np.uint8)).save(path / "train/bee/2.png")
    with pytest.raises(
        InputError,
        match=r"bee/2.png: is 9x5x3 but .*ant/0.png is 7x5x3; resize them to one size "
        r"\(resize=True\)",
    ):
        load("folder", path)
    assert load("folder", path, (11, 13, 1)).train.images.shape == (6, 11, 13, 1)


def test_train_and_test_must_agree(images, rng):
    path, _ = images
    for file in (path / "test").glob("*/*.png"):
        Image.fromarray(rng.integers(0, 256, (9, 5), np.uint8)).save(file)
    with pytest.raises(InputError, match="images are 7x5x3 in train but 9x5x1 in test"):
        load("folder", path)


def test_an_unreadable_file_is_named(images):
    path, _ = images
    (path / "test" / "bee" / "1.png").write_bytes(b"\x89PNG and no more")
    with pytest.raises(InputError, match="test/bee/1.png: not a readable image"):
        load("folder", path)


def test_a_missing_half_is_named(images):
    path, _ = images
    shutil.rmtree(path / "test")
    with pytest.raises(
        InputError,
        match="test: there is no such folder; expected .*test/CLASS/IMAGE files, and both train "
        "and test",
    ):
        load("folder", path)


def test_an_empty_class_is_named(images):
    path, _ = images
    for split in ("train", "test"):
        (path / split / "cat").mkdir()
    with pytest.raises(InputError, match="train/cat: holds no images"):
        load("folder", path)


def test_a_class_of_one_half_only_is_named(images):
    path, _ = images
    (path / "test" / "cat").mkdir()
    with pytest.raises(InputError, match="class 'cat' is in test but not in train"):
        load("folder", path)


def test_a_folder_without_classes_is_named(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(InputError, match="train: holds no class folders"):
        load("folder", tmp_path)


def test_a_folder_without_a_path_or_files_is_an_error(tmp_path):
    with pytest.raises(InputError, match="data='folder' needs the folder's path: data_dir=PATH"):
        load("folder")
    with pytest.raises(InputError, match="absent/train: there is no such folder"):
        load("folder", tmp_path / "absent")


def test_all_empty_classes_are_named_at_once(images):
    path, _ = images
    for name in ("cat", "dog"):
        (path / "train" / name).mkdir()
        (path / "test" / name).mkdir()
    (path / "train" / "cat" / "a.txt").write_text("")
    with pytest.raises(
        InputError,
        match=r"train/cat: holds no images, but 1 files of other(?s:.*)train/dog: holds no",
    ):
        load("folder", path)


@pytest.mark.parametrize("name", ["val", "validation"])
def test_val_tests_where_there_is_no_test_and_validates_where_there_is(images, name):
    path, pixels = images
    (path / "test").rename(path / name)
    data = load("folder", path)
    np.testing.assert_array_equal(data.test.images[1], pixels["test/ant/1.png"])
    assert data.validation is None

    shutil.copytree(path / "train", path / "test")
    data = load("folder", path)
    assert len(data.test.labels) == 6
    np.testing.assert_array_equal(data.validation.images[1], pixels["test/ant/1.png"])
    with pytest.raises(InputError, match="validation=0.5: these images have a validation split"):
        load("folder", path, validation=0.5)


def test_val_and_validation_are_one_too_many(images):
    path, _ = images
    (path / "val").mkdir()
    (path / "validation").mkdir()
    with pytest.raises(InputError, match="holds both val and validation; remove one"):
        load("folder", path)


def test_classes_of_validation_must_agree_too(images):
    path, _ = images
    (path / "val" / "ant").mkdir(parents=True)
    with pytest.raises(InputError, match="class 'bee' is in train but not in val; both need"):
        load("folder", path)


@pytest.fixture
def flat(tmp_path, rng):
    """CLASS/*, 20 images of each of two classes."""
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        for i in range(20):
            Image.fromarray(rng.integers(0, 256, (4, 3), np.uint8)).save(
                tmp_path / name / f"{i}.png"
            )
    return tmp_path


def test_of_classes_alone_a_share_tests(flat):
    with pytest.raises(
        InputError, match=r"folders of classes but no train and test; .*\(validation=0.1\)"
    ):
        load("folder", flat)
    before = load("folder", flat, validation=0.3, resident_bytes=0)
    assert before.validation is None and len(before.train) + len(before.test) == 4
    names = {*before.train.images.names, *before.test.images.names}
    assert len(names) == 40 and 4 < len(before.test.labels) < 20

    shutil.copy(flat / "ant" / "0.png", flat / "ant" / "00.png")
    after = load("folder", flat, validation=0.3, resident_bytes=0)
    assert {*after.test.images.names} - {"ant/00.png"} == {*before.test.images.names}


def test_a_share_that_leaves_a_class_without_images_is_refused(flat):
    with pytest.raises(
        InputError,
        match="validation=1e-06: of the 20 images of class 'ant' none is held out; choose a larger",
    ):
        load("folder", flat, validation=1e-6)
    with pytest.raises(InputError, match="none is left to train on; choose a smaller share"):
        load("folder", flat, validation=1 - 1e-9)


def test_the_share_is_the_same_in_memory_and_not(images):
    path, _ = images
    resident = load("folder", path, validation=0.6)
    stored = load("folder", path, validation=0.6, resident_bytes=0)
    assert len(resident.validation.labels) + len(resident.train.labels) == 6
    for a, b in zip(resident[:2] + resident[3:4], stored[:2] + stored[3:4], strict=True):
        assert isinstance(a.images, np.ndarray) and not isinstance(b.images, np.ndarray)
        np.testing.assert_array_equal(a.images, b.images[:])
        np.testing.assert_array_equal(a.labels, b.labels)


def test_one_class_is_taken_when_asked_for(images):
    path, _ = images
    for split in ("train", "test"):
        shutil.rmtree(path / split / "bee")
    with pytest.raises(InputError, match=r"\(allow_single_class=True takes one\)"):
        load("folder", path)
    assert load("folder", path, allow_single_class=True).class_names == ("ant",)


@pytest.mark.parametrize("resident_bytes", [0, 2**30])
def test_damaged_files_are_counted_and_left_out_when_asked_for(images, resident_bytes):
    path, pixels = images
    for i in range(25):
        (path / "train" / "ant" / f"x{i}.png").write_bytes(b"not an image")
    (path / "test" / "bee" / "0.png").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        load("folder", path, resident_bytes=resident_bytes)
    lines = str(caught.value).splitlines()
    assert len(lines) == 22 and lines[-2] == "and 6 more"
    assert lines[-1] == "26 of 35 images cannot be read; skip_corrupt=True leaves them out"

    with pytest.warns(
        UserWarning, match=r"26 of 35 images cannot be read and are left out:\n.*x0.png"
    ):
        data = load("folder", path, resident_bytes=resident_bytes, skip_corrupt=True)
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1] and data.test.labels.tolist() == [
        0,
        0,
        1,
    ]
    np.testing.assert_array_equal(data.test.images[:][2], pixels["test/bee/1.png"])


def test_of_a_stored_set_the_headers_are_read_and_with_skip_corrupt_all(images):
    path, _ = images
    file = path / "train" / "bee" / "0.png"
    file.write_bytes(file.read_bytes()[:-30])  # within the pixels
    data = load("folder", path, resident_bytes=0)
    with pytest.raises(InputError, match="train/bee/0.png: not a readable image"):
        data.train.images[:]
    with pytest.warns(UserWarning, match="1 of 10 images cannot be read"):
        data = load("folder", path, resident_bytes=0, skip_corrupt=True)
    assert data.train.images[:].shape == (5, 7, 5, 3)


def test_a_class_of_damaged_files_only_is_named(images):
    path, _ = images
    for file in (path / "test" / "bee").iterdir():
        file.write_bytes(b"")
    with (
        pytest.warns(UserWarning),
        pytest.raises(InputError, match="test: class 'bee' has no image"),
    ):
        load("folder", path, skip_corrupt=True)


@pytest.mark.parametrize("skip_corrupt", [False, True])
def test_sizes_of_a_stored_set_must_agree_too(images, rng, skip_corrupt):
    path, _ = images
    Image.fromarray(rng.integers(0, 256, (9, 5, 3), np.uint8)).save(path / "train/bee/2.png")
    with pytest.raises(InputError, match=r"bee/2.png: is 9x5x3 but .*ant/0.png is 7x5x3"):
        load("folder", path, resident_bytes=0, skip_corrupt=skip_corrupt)


def test_progress_is_told(images):
    path, _ = images
    for resident_bytes, word in ((2**30, "reading"), (0, "checking")):
        told = []
        load("folder", path, resident_bytes=resident_bytes, progress=told.append)
        assert told == [f"{word} the images: 6 of 10", f"{word} the images: 10 of 10"]


def test_more_than_resident_bytes_are_not_read(images):
    path, _ = images
    total = 10 * 7 * 5 * 3
    assert isinstance(load("folder", path, resident_bytes=total).train.images, np.ndarray)
    stored = load("folder", path, resident_bytes=total - 1).train.images
    assert re.search("FileImages", type(stored).__name__) and stored.shape == (6, 7, 5, 3)
