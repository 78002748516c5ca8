import json
import pickle

import numpy as np
import pytest
from PIL import Image

from jconv.data import Box, Dataset, Split
from jconv.data.encoded import FileImages
from jconv.data.prepare import Settings, prepare
from jconv.data.records import read_records
from jconv.errors import InputError

NAMES = [f"ant/{i}.png" for i in range(7)]


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (7, 5, 3, 3), np.uint8)


@pytest.fixture
def records(tmp_path, pixels):
    """A folder of seven images of five to train with and two to test, in two files each."""
    (tmp_path / "files" / "ant").mkdir(parents=True)
    for name, image in zip(NAMES, pixels, strict=True):
        Image.fromarray(image).save(tmp_path / "files" / name)
    split = lambda names: Split(
        FileImages(tmp_path / "files", names), np.arange(len(names), dtype=np.int32) % 2
    )
    out = tmp_path / "records"
    out.mkdir()
    prepare(Dataset(split(NAMES[:5]), split(NAMES[5:]), ("even", "odd")), out, Settings(shards=2))
    return out


def test_records_are_read_one_by_one(records, pixels):
    data = read_records(records, None)
    images = data.train.images
    assert images.shape == (5, 5, 3, 3) and list(images.names) == NAMES[:5] and images.checked
    for row in (4, 0, 2):
        np.testing.assert_array_equal(images.read(row), pixels[row])
    np.testing.assert_array_equal(images[:], pixels[:5])
    np.testing.assert_array_equal(data.test.images[:], pixels[5:])
    assert data.train.labels.tolist() == [0, 1, 0, 1, 0] and data.class_names == ("even", "odd")
    part = images.read(3, lambda width, height: Box(0, 0, 1, 1))
    np.testing.assert_array_equal(part, pixels[3])


def test_some_of_them_again_and_again(records, pixels):
    images = read_records(records, None).train.images
    some = images.taken(np.array([4, 1, 3])).taken(np.array([2, 0]))
    assert list(some.names) == [NAMES[3], NAMES[4]]
    np.testing.assert_array_equal(some[:], pixels[[3, 4]])


def test_they_go_to_other_processes_without_their_readers(records, pixels):
    images = read_records(records, None).train.images
    images.read(0)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(images))[:], pixels[:5])


def test_a_damaged_record_is_named(records, pixels):
    path = records / "train-00000-of-00002.arrayrecord"
    data = bytearray(path.read_bytes())
    data[data.find(b"PNG") + 20] ^= 0xFF
    path.write_bytes(data)
    images = read_records(records, None).train.images
    with pytest.raises(InputError, match=r"records/train: ant/0.png: not a readable image \(Corr"):
        images.read(0)
    np.testing.assert_array_equal(images.read(1), pixels[1])


def rewritten(change):
    def rewrite(folder):
        index = json.loads((folder / "dataset.json").read_text())
        change(index)
        (folder / "dataset.json").write_text(json.dumps(index))

    return rewrite


SHARD = "train-00001-of-00002.arrayrecord"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda f: (f / "dataset.json").unlink(), "dataset.json: there is no such file; a folder"),
        (lambda f: (f / "dataset.json").write_text("{"), "dataset.json: cannot be read"),
        (lambda f: (f / "dataset.json").write_text("[]"), "is of version None, 1 was expected"),
        (rewritten(lambda i: i.update(version=2)), "is of version 2, 1 was expected"),
        (rewritten(lambda i: i.pop("class_names")), "dataset.json: lacks or garbles 'class_names'"),
        (rewritten(lambda i: i["splits"].pop("test")), "its splits are train, with files of each"),
        (rewritten(lambda i: i["splits"].update(splits=3)), "dataset.json: lacks or garbles"),
        (rewritten(lambda i: i["splits"]["test"].update(shards=[])), "its splits are train, test"),
        (lambda f: (f / SHARD).unlink(), f"{SHARD}: there is no such file"),
        (
            lambda f: (f / SHARD).write_bytes((f / SHARD).read_bytes()[:1000]),
            f"{SHARD}: has 1,000 bytes, [0-9,]+ were written",
        ),
        (
            lambda f: (f / SHARD).write_bytes(bytes((f / SHARD).stat().st_size)),
            f"{SHARD}: cannot be read",
        ),
        (
            rewritten(lambda i: i["splits"]["train"]["shards"][1].update(records=3)),
            f"{SHARD}: holds 2 records, 3 were written",
        ),
        (lambda f: (f / "test-labels.npy").unlink(), "test-labels.npy: cannot be read"),
        (lambda f: (f / "test-labels.npy").write_bytes(b""), "test-labels.npy: cannot be read"),
        (
            lambda f: np.save(f / "test-labels.npy", np.zeros(3, np.int32)),
            r"test-labels.npy: holds int32 of shape \(3,\), int32 of \(2,\) were expected",
        ),
        (
            lambda f: np.save(f / "test-labels.npy", np.array([0, 2], np.int32)),
            "test-labels.npy: label 1 is 2, 0 to 1 were expected",
        ),
        (lambda f: (f / "test-names.json").write_text("["), "test-names.json: cannot be read"),
        (lambda f: (f / "test-names.json").write_text("[]"), "a list of 2 names was expected"),
    ],
)
def test_what_disagrees_is_named(records, change, text):
    change(records)
    with pytest.raises(InputError, match=text):
        read_records(records, None)


def test_images_of_several_sizes_are_fitted(records):
    rewritten(lambda index: index["splits"]["train"].update(shape=None))(records)
    with pytest.raises(InputError, match=r"the images of train have several sizes; .*resize=True"):
        read_records(records, None)
    assert read_records(records, (4, 4, 1)).train.images[:].shape == (5, 4, 4, 1)
