"""Data sets that are published as one archive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from ...errors import InputError
from ..archive import Wanted, read_archive, read_files
from ..download import Remote, data_folder, fetch
from ..request import Request

NAMES = 10_000  # bytes at most of a file of class names


class Archive(NamedTuple):
    remote: Remote
    folder: str  # that it unpacks to
    files: Mapping[str, Wanted]  # by their names in that folder
    total: int  # bytes of all its members


def read_published(name: str, archive: Archive, request: Request) -> tuple[Path, dict[str, bytes]]:
    """Where the data set lies, and its files by name: from the archive, or from the folder that it
    was unpacked into, either itself or in `request.path`. Raises InputError.
    """
    base = data_folder(name, request.path)
    first = next(iter(archive.files))
    for folder in (base, base / archive.folder):
        if (folder / first).is_file():
            return folder, read_files(folder, archive.files)
    packed = base if base.is_file() else base / archive.remote.name
    if not packed.is_file():
        fetch([archive.remote], base, request)
    request.progress(f"unpacking {packed}")
    inside = {f"{archive.folder}/{file}": wanted for file, wanted in archive.files.items()}
    found = read_archive(packed, inside, archive.total)
    return packed, {PurePosixPath(file).name: data for file, data in found.items()}


def class_names(where: Path, name: str, data: bytes, count: int) -> tuple[str, ...]:
    """The lines of a file of so many names."""
    names = data.decode("utf-8", "replace").split()
    if len(names) != count:
        raise InputError(
            f"{where}: {name} has {len(names)} names of classes, {count} were expected"
        )
    return tuple(names)


def channels_last(planes: np.ndarray) -> np.ndarray:
    """(N, 3, H, W) -> (N, H, W, 3)"""
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
