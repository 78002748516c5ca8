"""Where labelled images come from, a file each.

A source is a function that returns a Dataset; it stands in SOURCES as a function of (path,
in_shape), of which it uses what it needs, and the commands know it by its word there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...errors import InputError, unknown
from ...geometry import Shape
from ..dataset import Dataset
from .digits import digits as load_digits
from .folder import folder as load_folder


def _folder(path: Path | None, in_shape: Shape | None) -> Dataset:
    if path is None:
        raise InputError("data='folder' needs the folder's path: data_dir=PATH")
    return load_folder(path, in_shape)


SOURCES: dict[str, Callable[[Path | None, Shape | None], Dataset]] = {
    "digits": lambda path, in_shape: load_digits(in_shape),
    "folder": _folder,
}


def load(source: str, folder_path: Path | None = None, in_shape: Shape | None = None) -> Dataset:
    """The data set a word of SOURCES names, with its path where it has one; images of `in_shape`,
    or of their own size. Raises InputError.
    """
    if source not in SOURCES:
        raise InputError(unknown("data", source, tuple(SOURCES)))
    return SOURCES[source](folder_path, in_shape)
