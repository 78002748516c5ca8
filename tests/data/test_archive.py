import gzip
import io
import tarfile

import numpy as np
import pytest

from jconv.data import archive
from jconv.data.archive import Wanted, read_archive, read_files
from jconv.errors import InputError

DATA = bytes(np.random.default_rng(1).integers(0, 256, 3000, np.uint8))
WANTED = {"set/a.bin": Wanted(3000), "set/names.txt": Wanted(10, exact=False)}
TOTAL = 3010


def member(name, data=b"", **settings):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in settings.items():
        setattr(info, key, value)
    return info, io.BytesIO(data)


GOOD = (
    member("set", type=tarfile.DIRTYPE),
    member("set/readme.html", b"of no use"),
    member("./set/a.bin", DATA),
    member("set/names.txt", b"ant\nbee\n"),
)


def written(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as file:
        for info, data in members:
            data.seek(0)
            file.addfile(info, data)
    return path


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_the_wanted_members_are_read(tmp_path, mode):
    path = written(tmp_path / "set.tar.gz", GOOD, mode)
    assert read_archive(path, WANTED, TOTAL) == {
        "set/a.bin": DATA,
        "set/names.txt": b"ant\nbee\n",
    }
    assert [p.name for p in tmp_path.iterdir()] == ["set.tar.gz"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (member("/etc/passwd", b"x"), "/etc/passwd: leads out of the folder"),
        (member("set/../../x", b"x"), r"set/../../x: leads out of the folder"),
        (member("set/link", type=tarfile.SYMTYPE, linkname="/etc"), "set/link: is a link"),
        (member("set/link", type=tarfile.LNKTYPE, linkname="x"), "set/link: is a link"),
        (member("set/pipe", type=tarfile.FIFOTYPE), "set/pipe: is a link or a device"),
        (member("set/a.bin", DATA), "set/a.bin: is there twice"),
    ],
)
def test_members_that_should_not_be_there_are_named(tmp_path, more, text):
    path = written(tmp_path / "set.tar.gz", [*GOOD, more])
    with pytest.raises(InputError, match=f"set.tar.gz: {text}"):
        read_archive(path, WANTED, TOTAL)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (member("set/a.bin", DATA[1:]), "set/a.bin: has 2,999 bytes, 3,000 were expected"),
        (member("set/a.bin", DATA + b"x"), "set/a.bin: has 3,001 bytes, 3,000 were"),
        (member("set/names.txt", b"x" * 11), "names.txt: has 11 bytes, at most 10 were"),
        (member("other/b.bin", DATA), "holds no set/names.txt"),
    ],
)
def test_sizes_are_those_published(tmp_path, changed, text):
    kept = [m for m in GOOD if m[0].name.removeprefix("./") != changed[0].name]
    kept = kept[:-1] if changed[0].name == "other/b.bin" else kept
    with pytest.raises(InputError, match=text):
        read_archive(written(tmp_path / "set.tar.gz", [*kept, changed]), WANTED, TOTAL)


def test_a_bomb_is_refused_before_it_fills_memory(tmp_path):
    path = written(tmp_path / "set.tar.gz", [member("set/big", bytes(2**21)), *GOOD])
    with pytest.raises(InputError, match="unpacks to more than .* bytes, twice what is published"):
        read_archive(path, WANTED, TOTAL)


def test_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_MEMBERS", 3)
    with pytest.raises(InputError, match="names.txt: is one of more than 3 members"):
        read_archive(written(tmp_path / "set.tar.gz", GOOD), WANTED, TOTAL)


@pytest.mark.parametrize("kept", [0, 5, 300, -9, -1])
def test_a_cut_archive_is_named(tmp_path, kept):
    path = written(tmp_path / "set.tar.gz", GOOD)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(
        InputError, match=r"set.tar.gz: the archive is cut or damaged \(.+\); fetch"
    ):
        read_archive(path, WANTED, TOTAL)


def test_a_cut_archive_that_is_not_compressed_is_named(tmp_path):
    path = written(tmp_path / "set.tar", GOOD, "w")
    path.write_bytes(path.read_bytes()[:2500])
    with pytest.raises(InputError, match="set.tar: the archive is cut or damaged"):
        read_archive(path, WANTED, TOTAL)


@pytest.mark.parametrize("at", [3, 200, -6])
def test_a_damaged_archive_is_named(tmp_path, at):
    path = written(tmp_path / "set.tar.gz", GOOD)
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match="set.tar.gz: "):
        read_archive(path, WANTED, TOTAL)


def test_what_is_no_archive_is_named(tmp_path):
    (tmp_path / "page.tar.gz").write_bytes(gzip.compress(b"<html>not found</html>" * 50))
    with pytest.raises(InputError, match="page.tar.gz: the archive is cut or damaged"):
        read_archive(tmp_path / "page.tar.gz", WANTED, TOTAL)
    with pytest.raises(InputError, match="absent: cannot be read"):
        read_archive(tmp_path / "absent", WANTED, TOTAL)


def test_unpacked_files_are_held_to_the_same_sizes(tmp_path):
    (tmp_path / "a.bin").write_bytes(DATA)
    with pytest.raises(InputError, match=r"names.txt: cannot be read \(no such file"):
        read_files(tmp_path, WANTED)
    (tmp_path / "names.txt").write_bytes(b"ant")
    assert read_files(tmp_path, WANTED) == {"set/a.bin": DATA, "set/names.txt": b"ant"}
    (tmp_path / "a.bin").write_bytes(DATA[:7])
    with pytest.raises(InputError, match="a.bin: has 7 bytes, 3,000 were expected"):
        read_files(tmp_path, WANTED)
