import numpy as np
import pytest

from jconv.data import UNIT
from jconv.data.request import Request
from jconv.data.sources.stl10 import PUBLISHED, Counts, stl10
from jconv.errors import InputError

COUNTS = Counts(3, 2, 5)


@pytest.fixture
def folder(tmp_path, rng):
    """The unpacked files of three images to train, two to test, and the first three."""
    path = tmp_path / "stl10_binary"
    path.mkdir()
    for name, count in (("test", 2), ("train", 3)):
        images = rng.integers(0, 256, (count, 96, 96, 3), np.uint8)
        (path / f"{name}_X.bin").write_bytes(images.transpose(0, 3, 2, 1).tobytes())
        (path / f"{name}_y.bin").write_bytes(bytes([10, 1, 4][:count]))
    (path / "class_names.txt").write_text("\n".join(f"class{i}" for i in range(1, 11)))
    return tmp_path, images


def test_columns_come_first_and_labels_begin_with_one(folder):
    path, images = folder
    data = stl10(Request(path), COUNTS)
    np.testing.assert_array_equal(data.train.images, images)
    assert data.train.labels.tolist() == [9, 0, 3] and data.test.labels.tolist() == [9, 0]
    assert data.class_names[9] == "class10" and data.pixels == UNIT


@pytest.mark.parametrize("label", [0, 11])
def test_other_labels_are_named(folder, label):
    path, _ = folder
    (path / "stl10_binary" / "test_y.bin").write_bytes(bytes([3, label]))
    with pytest.raises(InputError, match=f"test_y.bin: label 1 is {label}, 1 to 10 were expected"):
        stl10(Request(path), COUNTS)


def test_the_published_counts_are_expected(folder):
    path, _ = folder
    assert PUBLISHED == (5_000, 8_000, 100_000)
    with pytest.raises(InputError, match="train_X.bin: has 82,944 bytes, 138,240,000 were"):
        stl10(Request(path))
