import sys

import pytest

from jconv.errors import InputError
from jconv.train.log import open_log


def test_nothing_is_logged_without_a_word(tmp_path):
    with open_log("none", tmp_path) as log:
        assert log is None
    assert list(tmp_path.iterdir()) == []


def test_rows_become_events(tmp_path):
    pytest.importorskip("tensorboardX")
    with open_log("tensorboard", tmp_path) as log:
        log({"epoch": 1, "step": 44, "train_loss": 0.25, "seconds": 3.0})
    (file,) = (tmp_path / "tensorboard").iterdir()
    data = file.read_bytes()
    assert b"train_loss" in data and b"seconds" in data and b"epoch" not in data


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)  # as if it were not installed
    with pytest.raises(InputError, match="tensorboardX is missing; pip install 'jconv.log.'"):
        with open_log("tensorboard", tmp_path):
            pass
