import os

import pytest

from jconv.errors import InputError
from jconv.files import check_writable, new_folder, write_text


def test_a_failed_write_leaves_the_old_text_and_nothing_else(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    write_text(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_what_is_no_text_is_written_as_question_marks(tmp_path):
    write_text(tmp_path / "a.txt", "a\ud800b")
    assert (tmp_path / "a.txt").read_text() == "a?b"


def test_two_folders_of_one_name_are_two_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with new_folder(None, "net-120000") as one, new_folder(None, "net-120000") as two:
        assert one != two and one.is_dir() and two.is_dir()
        (one / "kept").write_text("")
    with pytest.raises(RuntimeError), new_folder(None, "net-120000") as three:
        raise RuntimeError("the work fails")
    assert not three.exists() and (one / "kept").exists()


@pytest.mark.parametrize(
    "path, words",
    [
        ("full", "full: already exists and is not empty; choose"),
        ("file", "file: is a file"),
        ("file/run", "choose"),
    ],
)
def test_a_folder_that_cannot_be_is_refused_before_the_work(tmp_path, path, words):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("")
    (tmp_path / "file").write_text("")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=words), new_folder(tmp_path / path, "unused"):
        raise AssertionError("no work was expected")
    assert sorted(tmp_path.rglob("*")) == before


def test_folders_made_for_work_that_fails_are_removed(tmp_path):
    with pytest.raises(KeyError), new_folder(tmp_path / "a" / "b", "unused"):
        raise KeyError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "path, words",
    [("", "is a folder; give the name of a file"), ("file/map.png", "cannot be written")],
)
def test_a_file_that_cannot_be_written_is_refused(tmp_path, path, words):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=rf"--out .*{words}"):
        check_writable(tmp_path / path, "--out")
    check_writable(tmp_path / "new" / "map.png", "--out")
    assert (tmp_path / "new").is_dir()
