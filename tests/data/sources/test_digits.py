from importlib import import_module

import numpy as np
import pytest

from jconv.data import digits, load

source = import_module("jconv.data.sources.digits")


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


@pytest.mark.exhaustive
def test_the_file_is_read_as_scikit_learn_reads_it(monkeypatch):
    read = digits()
    monkeypatch.setattr(source, "FILE", "where/it/is/not")
    for split, other in ((read.train, digits().train), (read.test, digits().test)):
        assert (split.images == other.images).all() and (split.labels == other.labels).all()
