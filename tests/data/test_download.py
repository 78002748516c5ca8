from pathlib import Path

import pooch
import pytest

from jconv.data.download import Remote, data_folder, fetch
from jconv.data.request import Request
from jconv.errors import InputError

FILES = (Remote("http://a.test/set/one.gz", "0" * 32), Remote("http://a.test/set/two.gz", "1" * 32))


@pytest.fixture
def retrieved(monkeypatch):
    """What is asked of pooch, whose downloads are played; those in `failing` raise."""
    calls, failing = [], {}

    def retrieve(url, known_hash, fname, path):
        calls.append((url, known_hash, fname, Path(path)))
        Path(path).mkdir(parents=True, exist_ok=True)
        if url in failing:
            raise failing[url]
        (Path(path) / fname).write_bytes(b"whole")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    return calls, failing


def test_files_are_fetched_when_asked_for(tmp_path, retrieved):
    told, folder = [], tmp_path / "cache" / "set"
    fetch(FILES, folder, Request(download=True, progress=told.append))
    assert retrieved[0] == [
        ("http://a.test/set/one.gz", "md5:" + "0" * 32, "one.gz", folder),
        ("http://a.test/set/two.gz", "md5:" + "1" * 32, "two.gz", folder),
    ]
    assert told == ["downloading http://a.test/set/one.gz", "downloading http://a.test/set/two.gz"]


def test_otherwise_it_is_said_what_to_put_where(tmp_path, retrieved):
    with pytest.raises(InputError) as caught:
        fetch(FILES, tmp_path / "set", Request())
    text = str(caught.value)
    assert text.startswith(f"{tmp_path}/set: lacks one.gz, two.gz; download=True fetches")
    assert "http://a.test/set/two.gz (MD5 " + "1" * 32 + ")" in text
    assert not retrieved[0] and not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [OSError("no route\nto host"), ValueError("another MD5")])
def test_a_download_that_fails_leaves_nothing(tmp_path, retrieved, error):
    retrieved[1][FILES[0].url] = error
    with pytest.raises(
        InputError, match=r"one.gz: cannot be downloaded to .*set \((no route to|an)"
    ):
        fetch(FILES, tmp_path / "cache" / "set", Request(download=True))
    assert not list(tmp_path.iterdir())


def test_a_file_that_was_whole_stays(tmp_path, retrieved):
    retrieved[1][FILES[1].url] = OSError("no route")
    with pytest.raises(InputError, match="two.gz: cannot be downloaded"):
        fetch(FILES, tmp_path / "set", Request(download=True))
    assert [p.name for p in (tmp_path / "set").iterdir()] == ["one.gz"]


def test_pooch_itself_leaves_nothing_of_another_checksum(tmp_path):
    (tmp_path / "there").write_bytes(b"other bytes")
    remote = Remote((tmp_path / "there").as_uri(), "0" * 32)

    def downloader(url, output_file, pooch, check_only=False):
        Path(output_file).write_bytes(b"other bytes")

    with pytest.raises(ValueError, match="does not match"):
        pooch.retrieve(remote.url, f"md5:{remote.md5}", "got", tmp_path / "set", None, downloader)
    assert not list((tmp_path / "set").iterdir())


def test_the_place_is_the_path_or_the_cache(tmp_path, monkeypatch):
    assert data_folder("mnist", tmp_path) == tmp_path
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert data_folder("mnist", None) == tmp_path / "jconv" / "data" / "mnist"
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    for other in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", other)
        expected = tmp_path / "home" / ".cache" / "jconv" / "data" / "mnist"
        assert data_folder("mnist", None) == expected


def test_without_a_home_a_path_is_asked_for(monkeypatch):
    def home():
        raise RuntimeError("could not determine home directory")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", home)
    with pytest.raises(InputError, match="data='mnist': there is no home folder .*data_dir=PATH"):
        data_folder("mnist", None)
