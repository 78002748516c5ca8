"""Files of a published tar archive, read in memory: nothing is unpacked, and no name of its members
becomes a path.
"""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from ..errors import InputError
from ..files import cause
from .compressed import uncompressed

DAMAGED = "the archive is cut or damaged"
MOST_MEMBERS = 10_000
SLACK = 2**20  # bytes of headers and padding


class Wanted(NamedTuple):
    """What is known of a file."""

    size: int  # bytes
    exact: bool = True  # or at most


class _Bounded:
    """A file that ends in an error where it goes on for longer than it should: a small archive can
    unpack to anything.
    """

    def __init__(self, file: IO[bytes], most: int, path: Path):
        self.file, self.left, self.most, self.path = file, most, most, path

    def read(self, count: int) -> bytes:
        got = self.file.read(count)
        self.left -= len(got)
        if self.left < 0:
            raise InputError(
                f"{self.path}: unpacks to more than {self.most:,} bytes, twice what is published; "
                "fetch the archive again"
            )
        return got


def read_archive(path: Path, wanted: Mapping[str, Wanted], total: int) -> dict[str, bytes]:
    """The wanted members of a tar archive, compressed by gzip or not, of `total` bytes in all.

    Raises InputError naming the archive and the member: one that is missing, or of another size;
    one that is no file or folder, or whose name leads out of the archive's folder; more than 10,000
    members or twice the bytes; an archive that is cut or damaged.
    """
    try:
        with uncompressed(path, DAMAGED) as file:
            stream = _Bounded(file, 2 * total + SLACK, path)
            found = _members(stream, path, wanted)
            while stream.read(2**20):  # to the checksum at the end
                pass
    except tarfile.TarError as error:
        raise InputError(f"{path}: {DAMAGED} ({error}); fetch it again") from None
    if missing := sorted(set(wanted) - set(found)):
        raise InputError(f"{path}: holds no {', '.join(missing)}; another archive was expected")
    return found


def read_files(folder: Path, wanted: Mapping[str, Wanted]) -> dict[str, bytes]:
    """The wanted files of the folder that an archive was unpacked into, by the names of its
    members. Raises InputError naming a file that is missing or of another size.
    """
    found = {}
    for name, size in wanted.items():
        path = folder / PurePosixPath(name).name
        try:
            _check_size(str(path), path.stat().st_size, size)
            found[name] = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({cause(error)})") from None
    return found


def _members(stream: _Bounded, path: Path, wanted: Mapping[str, Wanted]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    file: Any = stream  # all that tarfile asks of one is `read`
    with tarfile.open(fileobj=file, mode="r|") as archive:
        for count, member in enumerate(archive, 1):
            where = f"{path}: {member.name}"
            if count > MOST_MEMBERS:
                raise InputError(f"{where}: is one of more than {MOST_MEMBERS:,} members")
            name = PurePosixPath(member.name)
            if name.is_absolute() or ".." in name.parts:
                raise InputError(f"{where}: leads out of the folder; fetch the archive again")
            if not (member.isreg() or member.isdir()):
                raise InputError(f"{where}: is a link or a device, only files were expected")
            if member.isdir() or str(name) not in wanted:
                continue
            if str(name) in found:
                raise InputError(f"{where}: is there twice; fetch the archive again")
            _check_size(where, member.size, wanted[str(name)])
            opened = archive.extractfile(member)
            found[str(name)] = opened.read() if opened else b""
    return found


def _check_size(where: str, size: int, wanted: Wanted) -> None:
    if size > wanted.size or (wanted.exact and size != wanted.size):
        most = "" if wanted.exact else "at most "
        raise InputError(
            f"{where}: has {size:,} bytes, {most}{wanted.size:,} were expected; fetch it again"
        )
