import gzip
from pathlib import Path

import numpy as np
import pooch
import pytest
from PIL import Image

from jconv.data import UNIT, load
from jconv.data.image import to_array
from jconv.errors import InputError

NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def encoded(array):
    header = bytes((0, 0, 8, array.ndim)) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


@pytest.fixture
def arrays(rng):
    """{file name: array} of four images to train, three to test."""
    found = {}
    for count, (images, labels) in zip((4, 3), NAMES.values(), strict=True):
        found[images] = rng.integers(0, 256, (count, 7, 5), np.uint8)
        found[labels] = np.arange(9, 9 - count, -1, np.uint8)
    return found


@pytest.mark.parametrize("data", ["mnist", "fashion_mnist"])
@pytest.mark.parametrize(
    ("spelled", "pack"),
    [
        ("{}", bytes),
        ("{}.gz", gzip.compress),
        ("{}", gzip.compress),  # by its content, not its suffix
    ],
)
@pytest.mark.parametrize("point", [False, True])
def test_files_are_found_by_their_names(tmp_path, arrays, data, spelled, pack, point):
    for name, array in arrays.items():
        name = name.replace("-idx", ".idx") if point else name
        (tmp_path / spelled.format(name)).write_bytes(pack(encoded(array)))
    found = load(data, tmp_path)
    np.testing.assert_array_equal(found.train.images[..., 0], arrays[NAMES["train"][0]])
    np.testing.assert_array_equal(found.test.images[..., 0], arrays[NAMES["test"][0]])
    assert found.train.labels.tolist() == [9, 8, 7, 6] and found.train.labels.dtype == np.int32
    assert len(found.class_names) == 10 and found.pixels == UNIT and found.validation is None
    assert found.class_names[9] == {"mnist": "9", "fashion_mnist": "Ankle boot"}[data]


@pytest.fixture
def folder(tmp_path, arrays):
    for name, array in arrays.items():
        (tmp_path / name).write_bytes(encoded(array))
    return tmp_path


@pytest.mark.parametrize("resident_bytes", [0, 2**30])
def test_images_are_fitted(folder, arrays, resident_bytes):
    found = load("mnist", folder, (4, 9, 3), resident_bytes=resident_bytes)
    assert isinstance(found.train.images, np.ndarray) == bool(resident_bytes)
    image = Image.fromarray(arrays[NAMES["train"][0]][2])
    np.testing.assert_array_equal(found.train.images[:][2], to_array(image, (4, 9, 3)))


def test_images_as_they_are_stay_in_memory(folder):
    assert isinstance(load("mnist", folder, resident_bytes=0).train.images, np.ndarray)


def test_labels_and_images_must_agree(folder):
    path = folder / "t10k-labels-idx1-ubyte"
    path.write_bytes(encoded(np.zeros(2, np.uint8)))
    with pytest.raises(InputError, match="t10k-labels-idx1-ubyte: holds 2 labels, t10k-images-"):
        load("mnist", folder)
    path.write_bytes(encoded(np.array([0, 10, 11], np.uint8)))
    with pytest.raises(InputError, match="idx1-ubyte: label 1 is 10, 0 to 9 were expected"):
        load("mnist", folder)


def test_what_is_missing_is_fetched_when_asked_for(folder, arrays, monkeypatch):
    name = "t10k-labels-idx1-ubyte"
    (folder / name).unlink()
    with pytest.raises(InputError) as caught:
        load("mnist", folder)
    assert f"lacks {name}.gz; download=True" in str(caught.value)
    assert "(MD5 ec29112dd5afa0611ce80d1b7f02629c)" in str(caught.value)

    def retrieve(url, known_hash, fname, path):
        assert url == f"https://ossci-datasets.s3.amazonaws.com/mnist/{name}.gz"
        assert known_hash == "md5:ec29112dd5afa0611ce80d1b7f02629c"
        (Path(path) / fname).write_bytes(gzip.compress(encoded(arrays[name])))

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert load("mnist", folder, download=True).test.labels.tolist() == [9, 8, 7]
    monkeypatch.undo()
    assert load("mnist", folder, download=True).test.labels.tolist() == [9, 8, 7]  # it is there
