"""The images of a source as a command takes them: those of a small data set in memory, those of a
large one looked at.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from warnings import warn

import numpy as np

from ..errors import InputError
from ..geometry import Shape
from .dataset import Dataset, Split
from .encoded import ArrayImages, EncodedImages, size
from .image import UnreadableImage
from .pixels import UNIT
from .request import Request
from .stored import StoredImages
from .validation import image_names, taken

BLOCK = 1024  # images between two words of progress
NAMED = 20  # images, or classes, at most in one error
SPLITS = ("train", "test", "validation")
Splits = dict[str, Split]


class Found(NamedTuple):
    images: np.ndarray | StoredImages
    wrong: dict[int, InputError]  # of the images that cannot be read, or have another size


def read(data: Dataset, request: Request) -> Dataset:
    """A source's data set, its images fitted to `request.in_shape` and, where all together take at
    most `request.resident_bytes`, in memory.

    Of more than that the headers are read, and with `skip_corrupt` every image is decoded once.
    Raises InputError naming all that cannot be read; with `skip_corrupt` those are left out, with a
    warning.
    """
    wanted = ("test",) if request.test_only else SPLITS
    present = {name: split for name in wanted if (split := getattr(data, name)) is not None}
    splits = {name: _fitted(split, name, request.in_shape) for name, split in present.items()}
    shape = _one_shape(splits, request)
    found = _found(splits, request)
    splits = {name: Split(found[name].images, split.labels) for name, split in splits.items()}
    if damaged := _damaged(found, request.skip_corrupt):
        splits = {name: _without(split, damaged[name]) for name, split in splits.items()}
        check_classes(splits, data.class_names)
    # statistics of colours say nothing of grays
    pixels = data.pixels if len(data.pixels.mean) in (1, shape[2]) else UNIT
    if request.test_only:
        return data._replace(train=splits["test"], test=splits["test"], pixels=pixels)
    return data._replace(**splits, pixels=pixels)


def listed(lines: Sequence[str]) -> str:
    """Some of these lines, and how many more there are."""
    more = [f"and {len(lines) - NAMED:,} more"] if len(lines) > NAMED else []
    return "\n".join([*lines[:NAMED], *more])


def each(count: int, work: Callable[[int], object], done: Callable[[int], object]) -> None:
    """work(0) to work(count - 1), by a thread a core; done(n) now and then."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoders release the interpreter lock
        for start in range(0, count, BLOCK):  # not all at once: a future takes a kilobyte
            stop = min(start + BLOCK, count)
            for _ in pool.map(work, range(start, stop)):
                pass
            done(stop)


def _fitted(split: Split, name: str, in_shape: Shape | None) -> Split:
    """Images of an array that have another shape, as images that are fitted when they are read."""
    images = split.images
    if isinstance(images, StoredImages) or in_shape in (None, images.shape[1:]):
        return split
    return split._replace(images=ArrayImages(images, image_names(split, name), in_shape))


def _one_shape(splits: Splits, request: Request) -> Shape:
    """That of every image. Raises InputError where it differs from split to split."""
    shapes = {name: shape for name, split in splits.items() if any(shape := split.images.shape[1:])}
    first, *others = shapes or {"train": (0, 0, 0)}
    for other in others:
        if shapes[other] != shapes[first]:
            raise InputError(
                f"{request.path}: images are {size(shapes[first])} in {first} but "
                f"{size(shapes[other])} in {other}; resize them to one size (resize=True)"
            )
    return shapes.get(first, (0, 0, 0))


def _found(splits: Splits, request: Request) -> dict[str, Found]:
    """The images of each split, read as far as they are to be, and those that cannot be."""
    resident = sum(math.prod(s.images.shape) for s in splits.values()) <= request.resident_bytes
    total = sum(len(split.labels) for split in splits.values())
    before, found = 0, {}
    for name, (images, labels) in splits.items():

        def done(count: int, before: int = before) -> None:
            word = "reading" if resident else "checking"
            request.progress(f"{word} the images: {before + count:,} of {total:,}")

        if not isinstance(images, StoredImages):
            found[name] = Found(images, {})
        elif resident:
            found[name] = _decoded(images, done)
        else:
            found[name] = _checked(images, request.skip_corrupt, done)
        before += len(labels)
    return found


def _decoded(images: StoredImages, done: Callable[[int], object]) -> Found:
    pixels, wrong = np.empty(images.shape, np.uint8), {}

    def fill(index: int) -> None:
        try:
            pixels[index] = images.read(index)
        except InputError as error:
            wrong[index] = error

    each(len(images), fill, done)
    return Found(pixels, wrong)


def _checked(images: StoredImages, whole: bool, done: Callable[[int], object]) -> Found:
    """The same images, their headers read; each decoded with `whole`."""
    wrong = {}
    if not isinstance(images, EncodedImages) or (images.checked and not whole):
        return Found(images, wrong)
    look = images.read if whole else images.check_header

    def check(index: int) -> None:
        try:
            look(index)
        except InputError as error:
            wrong[index] = error

    each(len(images), check, done)
    return Found(images, wrong)


def _damaged(found: dict[str, Found], skip: bool) -> dict[str, np.ndarray]:
    """The rows to leave out of each split; {} where there are none. Raises InputError naming them
    unless `skip`, and for images of other sizes.
    """
    errors = [wrong[i] for _, wrong in found.values() for i in sorted(wrong)]
    if not errors:
        return {}
    total = sum(len(images) for images, _ in found.values())
    counted = f"{len(errors):,} of {total:,} images"
    damaged = all(isinstance(error, UnreadableImage) for error in errors)
    lines = listed([str(error) for error in errors])
    if not (skip and damaged):
        last = (
            f"\n{counted} cannot be read; skip_corrupt=True leaves them out"
            if damaged and not skip
            else ""
        )
        raise InputError(lines + last)
    warn(f"{counted} cannot be read and are left out:\n{lines}", stacklevel=4)
    return {name: np.array(sorted(wrong), int) for name, (_, wrong) in found.items()}


def _without(split: Split, rows: np.ndarray) -> Split:
    """The split itself where no rows are left out: a set in memory is not copied."""
    if not len(rows):
        return split
    return taken(split, np.setdiff1d(np.arange(len(split.labels)), rows))


def check_classes(splits: Splits, class_names: Sequence[str]) -> None:
    """Raises InputError naming the classes of which nothing is left to train or to test."""
    empty = [
        f"{split}: class {name!r} has no image that can be read"
        for split in ("train", "test")
        if split in splits
        for name, count in zip(
            class_names,
            np.bincount(splits[split].labels, minlength=len(class_names)),
            strict=True,
        )
        if not count
    ]
    if empty:
        raise InputError(listed(empty))
