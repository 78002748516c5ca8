import shutil

import numpy as np
import pytest

from jconv.data import load
from jconv.data.prepare import prepare
from jconv.data.request import Request
from jconv.data.sources.folder import folder
from jconv.errors import InputError


@pytest.fixture
def records(images):
    """The folder of `images`, and one of the same as records."""
    path, _ = images
    out = path / "records"
    out.mkdir()
    prepare(folder(Request(path)), out)
    return path, out


@pytest.mark.parametrize("resident_bytes", [0, 2**30])
@pytest.mark.parametrize("in_shape", [None, (3, 4, 1)])
def test_it_is_the_folder_that_it_was_made_of(records, resident_bytes, in_shape):
    path, out = records
    data, expected = (
        load(name, place, in_shape, resident_bytes=resident_bytes, validation=0.6)
        for name, place in (("arrayrecord", out), ("folder", path))
    )
    assert data.class_names == expected.class_names == ("ant", "bee")
    for name in ("train", "test", "validation"):
        got, split = getattr(data, name), getattr(expected, name)
        assert isinstance(got.images, np.ndarray) == bool(resident_bytes)
        np.testing.assert_array_equal(got.images[:], split.images[:])
        np.testing.assert_array_equal(got.labels, split.labels)


def test_it_needs_a_path():
    with pytest.raises(InputError, match="data='arrayrecord' needs the folder's path: data_dir="):
        load("arrayrecord")


def test_a_single_class_is_taken_when_asked_for(images):
    path, _ = images
    for split in ("train", "test"):
        shutil.rmtree(path / split / "bee")
    (path / "records").mkdir()
    prepare(folder(Request(path, allow_single_class=True)), path / "records")
    with pytest.raises(InputError, match=r"records: holds one class, 'ant'; .*allow_single_class="):
        load("arrayrecord", path / "records")
    data = load("arrayrecord", path / "records", allow_single_class=True)
    assert data.class_names == ("ant",)
