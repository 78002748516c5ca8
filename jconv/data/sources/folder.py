"""Image files in a folder for each class."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...geometry import Shape
from ..dataset import Dataset, Split

LEFTOVERS = {  # folders and files that systems leave among others', in small letters
    *("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"),
    *("$recycle.bin", "system volume information", "lost+found", "@eadir", "#recycle"),
}
NAMED = 20  # unreadable files at most in one error


def folder(path: Path | str, in_shape: Shape | None = None) -> Dataset:
    """The image files of path/train/CLASS/* and path/test/CLASS/*, in order of class and file name.

    Without `in_shape` all images must have one size; with it, each is cropped, resized and
    converted to it (see `to_array`). A file is an image if Pillow reads its suffix; of others there
    is a warning. Hidden files, and what macOS, Windows and disk stations leave behind, are passed
    over. Raises InputError for a missing or empty folder, less than two classes, classes that
    differ, sizes that differ, and files that cannot be read, all of them named.
    """
    path = Path(path)
    train, test = _class_folders(path / "train"), _class_folders(path / "test")
    if train.keys() != test.keys():
        name = min(train.keys() ^ test.keys())
        here, there = ("train", "test") if name in train else ("test", "train")
        raise InputError(
            f"{path}: class {name!r} is in {here} but not in {there}; both need the same class "
            "folders"
        )
    if len(train) < 2:
        raise InputError(
            f"{path}: holds one class, {min(train)!r}, so that there is nothing to tell apart; at "
            "least two were expected"
        )
    splits = [_read_split(list(classes.values()), in_shape) for classes in (train, test)]
    shapes = [split.images.shape[1:] for split in splits]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"{path}: images are {_size(shapes[0])} in train but {_size(shapes[1])} in test; "
            "resize them to one size (resize=True)"
        )
    return Dataset(splits[0], splits[1], tuple(train))


def _class_folders(path: Path) -> dict[str, Path]:
    if not path.is_dir():
        raise InputError(
            f"{path}: there is no such folder; expected {path}/CLASS/IMAGE files, and both train "
            "and test"
        )
    found = {p.name: p for p in sorted(path.iterdir()) if p.is_dir() and not _is_leftover(p)}
    if not found:
        raise InputError(f"{path}: holds no class folders; expected {path}/CLASS/IMAGE files")
    return found


def _is_leftover(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower() in LEFTOVERS


def _read_split(classes: list[Path], in_shape: Shape | None) -> Split:
    files, labels, others = [], [], Counter()
    for label, folder_path in enumerate(classes):
        found, left_out = _images_in(folder_path)
        files += found
        labels += [label] * len(found)
        others += left_out
    if others:
        counted = ", ".join(
            f"{suffix or 'without a suffix'} ({count})" for suffix, count in others.most_common()
        )
        warnings.warn(
            f"{classes[0].parent}: files that are no images by their suffix are left out: "
            f"{counted}",
            stacklevel=4,
        )
    return Split(_read(files, in_shape), np.asarray(labels, np.int32))


def _images_in(path: Path) -> tuple[list[Path], Counter[str]]:
    """The images of one class, and how many other files there are of each suffix."""
    from ..image import suffixes

    files = [p for p in sorted(path.iterdir()) if p.is_file() and not _is_leftover(p)]
    found = [p for p in files if p.suffix.lower() in suffixes()]
    others = Counter(p.suffix.lower() for p in files if p.suffix.lower() not in suffixes())
    if not found:
        raise InputError(
            f"{path}: holds no "
            f"images{f', but {sum(others.values())} files of other suffixes' if others else ''}; "
            "add some (.png, .jpg, or "
            "whatever Pillow reads), or remove the folder"
        )
    return found, others


def _read(files: list[Path], in_shape: Shape | None) -> np.ndarray:
    """(N, H, W, C) uint8. Raises InputError naming every file that cannot be read, or that has
    another size.
    """
    from ..image import read_image

    wrong: dict[Path, str] = {}

    def read(path: Path) -> np.ndarray | None:
        try:
            return read_image(path, in_shape)
        except InputError as error:
            wrong[path] = str(error)

    # the first that can be read has the size that all must have
    readable = ((i, image) for i, path in enumerate(files) if (image := read(path)) is not None)
    start, first = next(readable, (len(files), np.empty((0, 0, 0), np.uint8)))
    images = np.empty((len(files), *first.shape), np.uint8)
    images[start : start + 1] = first

    def fill(i: int) -> None:  # in place, so that the data set is never held twice
        image = read(files[i])
        if image is not None and image.shape == first.shape:
            images[i] = image
        elif image is not None:
            size, other = _size(image.shape), f"{files[start]} is {_size(first.shape)}"
            wrong[files[i]] = (
                f"{files[i]}: is {size} but {other}; resize them to one size (resize=True)"
            )

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoders release the interpreter lock
        for _ in pool.map(fill, range(start + 1, len(files))):
            pass
    if wrong:
        lines = [wrong[path] for path in files if path in wrong]
        raise InputError(
            "\n".join(
                lines[:NAMED] + ([f"and {len(lines) - NAMED:,} more"] if len(lines) > NAMED else [])
            )
        )
    return images


def _size(shape: Shape) -> str:
    return "x".join(map(str, shape))
