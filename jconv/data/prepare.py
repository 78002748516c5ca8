"""A folder of image files written as ArrayRecord files (records.py)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from warnings import warn

import numpy as np
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image, ImageOps

from ..errors import InputError
from ..files import write_text
from ..geometry import Shape
from .dataset import Dataset, Split
from .encoded import EncodedImages
from .image import UnreadableImage, eight_bits, naming
from .reading import check_classes, listed
from .records import INDEX, Index, Shard, SplitInfo, shard_name
from .validation import taken

BLOCK = 256  # images in memory at once
MIB = 2**20
Done = Callable[[str, int, int], object]  # told (split, images of it done, all of them)


class Settings(NamedTuple):
    """How images are stored."""

    size: int | None = None  # shorter side that larger images are made to have; None: as they are
    quality: int = 92  # of the JPEG files that those become
    shards: int | None = None  # files of a split; None: as many as `shard_bytes` makes
    shard_bytes: int = 256 * MIB
    skip_corrupt: bool = False


AS_THEY_ARE = Settings()


class Record(NamedTuple):
    encoded: bytes
    shape: Shape


class Written(NamedTuple):
    """A split and what became of it."""

    kept: Split
    info: SplitInfo
    wrong: list[str]  # what is said of the images that cannot be read


def prepare(
    data: Dataset,
    folder: Path,
    settings: Settings = AS_THEY_ARE,
    done: Done = lambda split, count, total: None,
) -> Index:
    """Write a data set whose images are EncodedImages into an empty folder. Every image is decoded
    once, to see that it can be.

    Raises InputError naming those that cannot be read, or with `skip_corrupt` leaves them out with
    a warning, and where files cannot be written. The folder is then empty again.
    """
    present = {"train": data.train, "test": data.test, "validation": data.validation}
    splits = {name: split for name, split in present.items() if split is not None}
    try:
        written = {
            name: _write(name, split, folder, settings, done) for name, split in splits.items()
        }
        if wrong := [line for found in written.values() for line in found.wrong]:
            total = sum(len(split.labels) for split in splits.values())
            counted = f"{len(wrong):,} of {total:,} images cannot be read"
            if not settings.skip_corrupt:
                raise InputError(f"{listed(wrong)}\n{counted}; skip_corrupt=True leaves them out")
            warn(f"{counted} and are left out:\n{listed(wrong)}", stacklevel=2)
            check_classes({name: w.kept for name, w in written.items()}, data.class_names)
        kept = {name: getattr(settings, name) for name in ("size", "quality")}
        index = Index(data.class_names, {name: w.info for name, w in written.items()}, kept)
        write_text(folder / INDEX, index.text())
    except BaseException:
        for file in folder.iterdir():
            file.unlink()
        raise
    return index


def _write(name: str, split: Split, folder: Path, settings: Settings, done: Done) -> Written:
    """One split's files."""
    images, total = split.images, len(split.labels)
    if not isinstance(images, EncodedImages):
        raise TypeError(f"{name}: images of files were expected, not {type(images).__name__}")
    shards = _Shards(folder, name, settings, total)
    rows, shapes, wrong = [], set(), []
    record = lambda row: _record(images, row, settings)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, total, BLOCK):
            block = range(start, min(start + BLOCK, total))
            for row, made in zip(block, pool.map(record, block), strict=True):
                if isinstance(made, str):
                    wrong.append(made)
                elif settings.skip_corrupt or not wrong:  # else all is looked at, and no more
                    shards.write(made.encoded, row)
                    shapes.add(made.shape)
                    rows.append(row)
            done(name, block.stop, total)
    kept = taken(split, np.array(rows, int))
    info = SplitInfo(shards.finished(), shapes.pop() if len(shapes) == 1 else None)
    np.save(folder / f"{name}-labels.npy", kept.labels.astype(np.int32))
    names = [images.names[row] for row in rows]
    write_text(folder / f"{name}-names.json", json.dumps(names) + "\n")
    return Written(kept, info, wrong)


def _record(images: EncodedImages, row: int, settings: Settings) -> Record | str:
    """What is stored of an image, or why it cannot be read."""
    try:
        with naming(images.place(row)):
            file = images.encoded(row)
            encoded = Path(file).read_bytes() if isinstance(file, str) else file.read()
            with Image.open(BytesIO(encoded)) as image:
                ImageOps.exif_transpose(image, in_place=True)
                pixels = eight_bits(image)
            if settings.size is not None and min(pixels.size) > settings.size:
                pixels = _smaller(pixels, settings.size)
                encoded = _jpeg(pixels, settings.quality)
    except UnreadableImage as error:
        return str(error)
    return Record(encoded, (pixels.height, pixels.width, len(pixels.getbands())))


def _smaller(image: Image.Image, shorter: int) -> Image.Image:
    scale = shorter / min(image.size)
    width, height = (max(shorter, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


class _Shards:
    """The files of one split, which get their names once it is known how many there are."""

    def __init__(self, folder: Path, split: str, settings: Settings, total: int):
        self.folder, self.split, self.settings, self.total = folder, split, settings, total
        self.counts: list[int] = []
        self.bytes = self.place = 0  # of images in the last file; among the files wanted
        self.writer: ArrayRecordWriter | None = None

    def write(self, encoded: bytes, row: int) -> None:
        place = row * min(self.settings.shards or 1, self.total) // self.total
        full = self.settings.shards is None and self.bytes >= self.settings.shard_bytes
        try:
            writer = self.writer
            if writer is None or full or place != self.place:
                writer = self._next(place)
            writer.write(encoded)
        except RuntimeError as error:
            raise self._failed(error) from None
        self.counts[-1] += 1
        self.bytes += len(encoded)

    def finished(self) -> tuple[Shard, ...]:
        try:
            self._close()
        except RuntimeError as error:
            raise self._failed(error) from None
        shards = []
        for number, count in enumerate(self.counts):
            path = self.folder / shard_name(self.split, number, len(self.counts))
            os.replace(self._unfinished(number), path)
            shards.append(Shard(count, path.stat().st_size))
        return tuple(shards)

    def _next(self, place: int) -> ArrayRecordWriter:
        self._close()
        self.counts.append(0)
        self.bytes, self.place = 0, place
        # a group of one: records are read one by one, in any order
        self.writer = ArrayRecordWriter(str(self._unfinished(len(self.counts) - 1)), "group_size:1")
        return self.writer

    def _unfinished(self, number: int) -> Path:
        return self.folder / f"{self.split}-{number:05}.arrayrecord.unfinished"

    def _close(self) -> None:
        if self.writer is not None:
            self.writer.close()

    def _failed(self, error: RuntimeError) -> InputError:
        return InputError(
            f"{self.folder}: cannot be written ({error}); free some space, or write elsewhere"
        )
