"""Published files: where they lie on this machine, and how they get there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError
from .request import Request


class Remote(NamedTuple):
    """A file that is published."""

    url: str
    md5: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


def data_folder(name: str, path: Path | None) -> Path:
    """Where a published data set lies: `path`, or jconv/data/NAME in the user's cache. Raises
    InputError where there is no home to have one.
    """
    if path is not None:
        return Path(path)
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(cache):  # its specification: others are ignored
        return Path(cache) / "jconv" / "data" / name
    try:
        return Path.home() / ".cache" / "jconv" / "data" / name
    except RuntimeError:
        raise InputError(
            f"data={name!r}: there is no home folder to keep its files in; name one: data_dir=PATH"
        ) from None


def fetch(files: Sequence[Remote], folder: Path, request: Request) -> None:
    """Files that are missing, downloaded into a folder and held to their checksums. Raises
    InputError unless `request.download`, and where that fails: then no part of a file is left.
    """
    if not request.download:
        lines = [f"  {file.url} (MD5 {file.md5})" for file in files]
        raise InputError(
            f"{folder}: lacks {', '.join(file.name for file in files)}; download=True fetches what "
            "is missing, or put it there yourself, from\n" + "\n".join(lines)
        )
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        for file in files:
            request.progress(f"downloading {file.url}")
            _retrieve(file, folder)
    except BaseException:
        for place in made:
            with suppress(OSError):  # a file that was whole lies in it
                place.rmdir()
        raise


def _retrieve(file: Remote, folder: Path) -> None:
    import pooch

    try:
        # under another name until its checksum is right
        pooch.retrieve(file.url, f"md5:{file.md5}", file.name, folder)
    except (OSError, ValueError) as error:  # of the network, too; another checksum
        cause = " ".join(str(error).split())
        raise InputError(
            f"{file.url}: cannot be downloaded to {folder} ({cause}); try again, or put the file "
            f"there yourself (MD5 {file.md5})"
        ) from None
