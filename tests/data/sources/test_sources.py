import numpy as np
import pytest

from jconv.data import load
from jconv.data.sources import SOURCES
from jconv.errors import InputError


def test_load_knows_its_words(images):
    path, _ = images
    assert load("folder", str(path)).class_names == ("ant", "bee")
    with pytest.raises(InputError, match="unknown data 'cifar'; use 'digits', 'mnist'"):
        load("cifar")


@pytest.mark.parametrize("name", sorted(set(SOURCES) - {"digits", "folder", "arrayrecord"}))
def test_what_is_published_is_looked_for_in_the_cache(name, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InputError) as caught:
        load(name)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path}/jconv/data/{name}: lacks ")
    assert "download=True" in text and "http" in text and "(MD5 " in text
    assert not list(tmp_path.iterdir())


def test_a_share_of_arrays_is_held_out_by_index():
    data, whole = (
        load("digits", in_shape=(8, 8, 1), validation=0.2),
        load("digits", None, (8, 8, 1)),
    )
    assert len(data.train.labels) + len(data.validation.labels) == 1438
    assert 200 < len(data.validation.labels) < 380
    np.testing.assert_array_equal(data.test.images, whole.test.images)
    # the hashes of train/0 to train/11 begin with d6, cd, 7f, 64, ..., that of train/5 with 53
    np.testing.assert_array_equal(data.train.images[:12], whole.train.images[:12])
    data = load("digits", None, (8, 8, 1), validation=0x54 / 256)
    np.testing.assert_array_equal(data.validation.images[0], whole.train.images[5])


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_is_below_one(share):
    with pytest.raises(InputError, match="validation=.*: at least 0 and less than 1 was expected"):
        load("digits", in_shape=(8, 8, 1), validation=share)
