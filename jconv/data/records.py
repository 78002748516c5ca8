"""A data set as ArrayRecord files: a few large files instead of a million small ones.

A folder holds, for each split, SPLIT-00000-of-00004.arrayrecord and so on, whose records are image
files in order; SPLIT-labels.npy, (N,) int32; SPLIT-names.json, what the images are called; and,
written last, dataset.json with what else there is to know. `prepare` (prepare.py) writes it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from array_record.python.array_record_data_source import ArrayRecordDataSource
from array_record.python.array_record_module import ArrayRecordReader

from ..errors import InputError
from ..geometry import Shape
from .dataset import Dataset, Split, check_labels
from .encoded import EncodedImages

INDEX = "dataset.json"
VERSION = 1


class Shard(NamedTuple):
    """One file of records."""

    records: int
    bytes: int


class SplitInfo(NamedTuple):
    shards: tuple[Shard, ...]
    shape: Shape | None  # (H, W, C) of every image, if they have one


class Index(NamedTuple):
    """What dataset.json holds."""

    class_names: tuple[str, ...]
    splits: dict[str, SplitInfo]
    settings: dict[str, Any]  # what the images were prepared with

    def text(self) -> str:
        splits = {
            name: {
                "count": sum(shard.records for shard in info.shards),
                "shape": info.shape,
                "shards": [shard._asdict() for shard in info.shards],
            }
            for name, info in self.splits.items()
        }
        written = {"version": VERSION, "class_names": self.class_names, "splits": splits}
        return json.dumps({**written, "settings": self.settings}, indent=1) + "\n"


@dataclass  # not frozen: its protocol has attributes that can be set
class Instruction:
    """A file to be read whole, as ArrayRecordDataSource takes it: it need not be opened to be
    counted.
    """

    filename: str
    take: int
    examples_in_shard: int
    skip: int = 0


class RecordImages(EncodedImages):
    """The records of a split. Its files are opened when they are first read, in each process."""

    checked = True

    def __init__(
        self,
        shards: dict[Path, int],
        names: Sequence[str],
        own_shape: Shape | None,
        in_shape: Shape | None = None,
    ):
        """shards: records by file; own_shape: of every image, if they have one."""
        self.prefix = str(next(iter(shards))).rpartition("-of-")[0].rpartition("-")[0]
        self.rows = np.arange(len(names))
        self.source = ArrayRecordDataSource(
            [Instruction(str(path), count, count) for path, count in shards.items()]
        )
        super().__init__(names, in_shape, own_shape)

    def taken(self, rows: np.ndarray) -> RecordImages:
        some = copy(self)
        some.names, some.rows = [self.names[int(row)] for row in rows], self.rows[rows]
        return some

    def encoded(self, index: int) -> BytesIO:
        return BytesIO(self.source[int(self.rows[index])])

    def place(self, index: int) -> str:
        return f"{self.prefix}: {self.names[index]}"


def shard_name(split: str, number: int, count: int) -> str:
    return f"{split}-{number:05}-of-{count:05}.arrayrecord"


def read_records(folder: Path, in_shape: Shape | None) -> Dataset:
    """The data set in a folder, its images not read yet. Raises InputError naming a file that is
    missing, cut, or disagrees with dataset.json.
    """
    index = _read_index(folder / INDEX)
    splits = {
        name: _split(folder, name, info, len(index.class_names), in_shape)
        for name, info in index.splits.items()
    }
    return Dataset(splits["train"], splits["test"], index.class_names, splits.get("validation"))


def _read_index(path: Path) -> Index:
    again = "prepare the data set again (jconv prepare)"
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{path}: there is no such file; a folder that `jconv prepare` has written to the end "
            "was expected"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); {again}") from None
    version = read.get("version") if isinstance(read, dict) else None
    if version != VERSION:
        raise InputError(f"{path}: is of version {version}, {VERSION} was expected; {again}")
    try:
        splits = {
            name: SplitInfo(
                tuple(Shard(int(s["records"]), int(s["bytes"])) for s in info["shards"]),
                tuple(map(int, info["shape"])) if info["shape"] else None,
            )
            for name, info in read["splits"].items()
        }
        index = Index(tuple(map(str, read["class_names"])), splits, dict(read["settings"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: lacks or garbles {error}; {again}") from None
    known = {"train", "test"} <= splits.keys() <= {"train", "test", "validation"}
    if not (known and all(info.shards for info in splits.values())):
        raise InputError(
            f"{path}: its splits are {', '.join(splits) or 'none'}, with files of each; train and "
            f"test were expected; {again}"
        )
    return index


def _split(folder: Path, name: str, info: SplitInfo, classes: int, in_shape: Shape | None) -> Split:
    if in_shape is None and info.shape is None:
        raise InputError(
            f"{folder}: the images of {name} have several sizes; resize them to one (resize=True)"
        )
    paths = [
        folder / shard_name(name, number, len(info.shards)) for number in range(len(info.shards))
    ]
    for path, shard in zip(paths, info.shards, strict=True):
        _check_shard(path, shard)
    count = sum(shard.records for shard in info.shards)
    labels = _read_labels(folder / f"{name}-labels.npy", count, classes)
    names = _read_names(folder / f"{name}-names.json", count)
    counts = {path: shard.records for path, shard in zip(paths, info.shards, strict=True)}
    return Split(RecordImages(counts, names, info.shape, in_shape), labels)


def _check_shard(path: Path, shard: Shard) -> None:
    again = "copy it again, or prepare the data set again"
    try:
        size = path.stat().st_size
        if size != shard.bytes:
            raise InputError(f"{path}: has {size:,} bytes, {shard.bytes:,} were written; {again}")
        reader = ArrayRecordReader(str(path))
        count = reader.num_records()
        reader.close()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; {again}") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); {again}") from None
    if count != shard.records:
        raise InputError(
            f"{path}: holds {count:,} records, {shard.records:,} were written; {again}"
        )


def _read_labels(path: Path, count: int, classes: int) -> np.ndarray:
    try:
        labels = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error}); prepare the data set again") from None
    if labels.shape != (count,) or labels.dtype != np.int32:
        raise InputError(
            f"{path}: holds {labels.dtype} of shape {labels.shape}, int32 of ({count},) were "
            "expected; prepare the data set again"
        )
    check_labels(labels, classes, path)
    return labels


def _read_names(path: Path, count: int) -> list[str]:
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); prepare the data set again") from None
    if not isinstance(names, list) or len(names) != count:
        raise InputError(
            f"{path}: a list of {count:,} names was expected; prepare the data set again"
        )
    return names
