"""A data set that `jconv prepare` has written as a few large files."""

from __future__ import annotations

from pathlib import Path

from ...errors import InputError
from ..dataset import Dataset
from ..request import Request


def arrayrecord(request: Request) -> Dataset:
    """The images of a folder of ArrayRecord files, not read yet.

    Raises InputError naming a file that is missing, cut, or disagrees with dataset.json.
    """
    from ..records import read_records

    if request.path is None:
        raise InputError("data='arrayrecord' needs the folder's path: data_dir=PATH")
    data = read_records(Path(request.path), request.in_shape)
    names = data.class_names
    if len(names) < 2 and not request.allow_single_class:
        raise InputError(
            f"{request.path}: holds one class, {', '.join(names)!r}; at least two were expected "
            "(allow_single_class=True takes one)"
        )
    return data
