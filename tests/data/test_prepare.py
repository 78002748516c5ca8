import json
import shutil

import numpy as np
import pytest
from PIL import Image

from jconv.data import Dataset, Split, load
from jconv.data import prepare as module
from jconv.data.image import read_image
from jconv.data.prepare import Settings, prepare
from jconv.data.records import read_records
from jconv.data.request import Request
from jconv.data.sources.folder import folder
from jconv.errors import InputError


@pytest.fixture
def photos(tmp_path, rng):
    """Files of two classes: of 21x33 and 9x9 pixels to train with, of 33x20 to test, and where to
    write.
    """
    for name, size in (
        *(("train/ant/wide.jpg", (33, 21)), ("train/bee/small.png", (9, 9))),
        *(("test/ant/tall.jpg", (20, 33)), ("test/bee/tall.jpg", (20, 33))),
    ):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True)
        coarse = Image.fromarray(rng.integers(0, 256, (3, 3, 3), np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(path)
    (tmp_path / "out").mkdir()
    return tmp_path / "photos", tmp_path / "out"


def stored(out, split):
    """The bytes of a split's images."""
    images = getattr(read_records(out, (4, 4, 3)), split).images
    return [images.encoded(row).read() for row in range(len(images))]


def test_files_stay_as_they_are(photos):
    path, out = photos
    index = prepare(folder(Request(path)), out)
    files = ("train/ant/wide.jpg", "train/bee/small.png")
    assert stored(out, "train") == [(path / name).read_bytes() for name in files]
    assert index.splits["train"].shape is None and index.splits["test"].shape == (33, 20, 3)
    assert sorted(p.name for p in out.iterdir()) == [
        "dataset.json",
        *("test-00000-of-00001.arrayrecord", "test-labels.npy", "test-names.json"),
        *("train-00000-of-00001.arrayrecord", "train-labels.npy", "train-names.json"),
    ]
    written = json.loads((out / "dataset.json").read_text())
    assert written["version"] == 1 and written["class_names"] == ["ant", "bee"]
    assert written["splits"]["test"]["count"] == 2 and written["settings"]["size"] is None


def test_larger_ones_are_made_smaller(photos):
    path, out = photos
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to view
    image = Image.open(path / "train/ant/wide.jpg")
    image.save(path / "train/ant/wide.jpg", exif=exif)
    index = prepare(folder(Request(path)), out, Settings(size=10, quality=95))
    assert index.splits["test"].shape == (16, 10, 3)
    wide, small = read_records(out, (16, 10, 3)).train.images[:]
    assert stored(out, "train")[1] == (path / "train/bee/small.png").read_bytes()
    expected = read_image(path / "train/ant/wide.jpg", (16, 10, 3))
    assert np.abs(wide.astype(int) - expected).mean() < 12


@pytest.mark.parametrize(
    ("settings", "records"),
    [
        (Settings(), [6]),
        (Settings(shards=2), [3, 3]),
        (Settings(shards=4), [2, 1, 2, 1]),
        (Settings(shards=50), [1] * 6),
        (Settings(shard_bytes=1), [1] * 6),
        (Settings(shard_bytes=200), [2, 2, 2]),
    ],
)
def test_a_split_has_as_many_files_as_wanted(tmp_path, settings, records):
    for split, count in (("train", 3), ("test", 1)):
        for name in ("ant", "bee"):
            (tmp_path / "files" / split / name).mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (5, 7), (i, 0, 0)).save(
                    tmp_path / "files" / split / name / f"{i}.bmp"
                )
    assert (tmp_path / "files" / "train" / "ant" / "0.bmp").stat().st_size == 166
    out = tmp_path / "out"
    out.mkdir()
    index = prepare(folder(Request(tmp_path / "files")), out, settings)
    assert [shard.records for shard in index.splits["train"].shards] == records
    reds = load("arrayrecord", out).train.images[:, 0, 0, 0]
    assert reds.tolist() == [0, 1, 2, 0, 1, 2]


def test_the_validation_split_is_written_too(photos):
    path, out = photos
    shutil.copytree(path / "test", path / "val")
    index = prepare(folder(Request(path)), out)
    assert list(index.splits) == ["train", "test", "validation"]
    assert len(read_records(out, (4, 4, 3)).validation.labels) == 2


def test_all_that_cannot_be_read_are_named_and_nothing_is_left(photos):
    path, out = photos
    for name in ("train/ant/a.png", "train/bee/b.png", "test/bee/c.png"):
        (path / name).write_bytes(b"no image")
    with pytest.raises(InputError) as caught:
        prepare(folder(Request(path)), out)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0][-9:] for line in lines[:3]] == [
        "ant/a.png",
        "bee/b.png",
        "bee/c.png",
    ]
    assert lines[3] == "3 of 7 images cannot be read; skip_corrupt=True leaves them out"
    assert not list(out.iterdir())

    told = []
    with pytest.warns(UserWarning, match="3 of 7 images cannot be read and are left out:\n"):
        prepare(
            folder(Request(path)),
            out,
            Settings(skip_corrupt=True),
            lambda *words: told.append(words),
        )
    assert [name[-8:] for name in read_records(out, (4, 4, 3)).train.images.names] == [
        "wide.jpg",
        "mall.png",
    ]
    assert told == [("train", 4, 4), ("test", 3, 3)]


def test_a_class_of_damaged_files_is_named(photos):
    path, out = photos
    (path / "train/bee/small.png").write_bytes(b"")
    with pytest.warns(UserWarning), pytest.raises(InputError, match="train: class 'bee' has no"):
        prepare(folder(Request(path)), out, Settings(skip_corrupt=True))
    assert not list(out.iterdir())


def test_a_full_disk_is_one_error(photos, monkeypatch):
    path, out = photos

    class Full:
        def __init__(self, *_):
            pass

        def write(self, _):
            raise RuntimeError("write() failed: No space left on device")

    monkeypatch.setattr(module, "ArrayRecordWriter", Full)
    with pytest.raises(InputError, match=r"out: cannot be written \(write\(\) failed: No space"):
        prepare(folder(Request(path)), out)
    assert not list(out.iterdir())


def test_arrays_are_no_files(tmp_path, rng):
    split = Split(rng.integers(0, 256, (2, 3, 3, 1), np.uint8), np.arange(2, dtype=np.int32))
    with pytest.raises(TypeError, match="train: images of files were expected, not ndarray"):
        prepare(Dataset(split, split, ("a", "b")), tmp_path)
