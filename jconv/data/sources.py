"""Where labelled images come from: the embedded digits, or a folder of image files.

Images are (N, H, W, C) uint8, a quarter of the memory of float32; the training step divides them by 255 on the device.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputError, unknown
from ..geometry import Shape

SOURCES = ("digits", "folder")
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}


class Split(NamedTuple):
    """Labelled images, in order."""

    images: np.ndarray  # (N, H, W, C) uint8
    labels: np.ndarray  # (N,) int32


class Dataset(NamedTuple):
    train: Split
    test: Split
    class_names: tuple[str, ...]


def load(source: str, folder_path: Path | None = None, in_shape: Shape | None = None) -> Dataset:
    """The data set a word names: "digits", or "folder" with its path; `in_shape` as in `digits` and `folder`."""
    if source == "digits":
        return digits(in_shape)
    if source == "folder":
        if folder_path is None:
            raise InputError("data 'folder' needs the folder's path: --data-dir PATH")
        return folder(folder_path, in_shape)
    raise InputError(unknown("data", source, SOURCES))


def digits(in_shape: Shape | None = None) -> Dataset:
    """1,797 handwritten digits of 43 writers, 8x8 pixels of 17 grays, resized to 32x32x1 or to `in_shape`.

    Bilinear resizing: it stays within the range of the pixels and draws no ringing round the strokes, as a sharper kernel would.
    The split is fixed and draws nothing: of each five images of a class the middle one is for testing, so 1,438 train and 359
    test the net, whatever the seed of the training and the version of NumPy.
    Source: scikit-learn's `load_digits`, a copy of the test set of the UCI Optical Recognition of Handwritten Digits.
    """
    from PIL import Image
    from sklearn.datasets import load_digits

    from .image import to_array

    values, labels = (np.asarray(a) for a in load_digits(return_X_y=True))  # (1797, 64) with values 0 to 16, (1797,)
    pixels = np.round(values * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    images = np.stack([to_array(Image.fromarray(image), in_shape or (32, 32, 1)) for image in pixels])
    labels = labels.astype(np.int32)
    rank = np.zeros_like(labels)  # of an image among those of its class
    for label in range(10):
        rank[labels == label] = np.arange((labels == label).sum())
    test = rank % 5 == 2
    return Dataset(Split(images[~test], labels[~test]), Split(images[test], labels[test]), tuple("0123456789"))


def folder(path: Path | str, in_shape: Shape | None = None) -> Dataset:
    """The image files of path/train/CLASS/* and path/test/CLASS/*, in order of class and file name.

    Without `in_shape` all images must have one size; with it, each is cropped, resized and converted to it (see `to_array`).
    Raises InputError for a missing or empty folder, classes that differ, an unreadable file, sizes that differ.
    """
    path = Path(path)
    train, test = _class_folders(path / "train"), _class_folders(path / "test")
    if train.keys() != test.keys():
        name = min(train.keys() ^ test.keys())
        here, there = ("train", "test") if name in train else ("test", "train")
        raise InputError(f"{path}: class {name!r} is in {here} but not in {there}; both need the same class folders")
    splits = [_read_split(list(classes.values()), in_shape) for classes in (train, test)]
    shapes = [split.images.shape[1:] for split in splits]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"{path}: images are {_size(shapes[0])} in train but {_size(shapes[1])} in test; resize them to one size (--resize)"
        )
    return Dataset(splits[0], splits[1], tuple(train))


def _class_folders(path: Path) -> dict[str, Path]:
    if not path.is_dir():
        raise InputError(f"{path}: there is no such folder; expected {path}/CLASS/IMAGE files, and both train and test")
    found = {p.name: p for p in sorted(path.iterdir()) if p.is_dir() and not p.name.startswith(".")}
    if not found:
        raise InputError(f"{path}: holds no class folders; expected {path}/CLASS/IMAGE files")
    return found


def _read_split(classes: list[Path], in_shape: Shape | None) -> Split:
    from .image import read_image

    files, labels = [], []
    for label, folder_path in enumerate(classes):
        found = sorted(p for p in folder_path.iterdir() if p.suffix.lower() in SUFFIXES)
        if not found:
            raise InputError(f"{folder_path}: holds no images ({', '.join(sorted(SUFFIXES))}); add some or remove the folder")
        files += found
        labels += [label] * len(found)
    first = read_image(files[0], in_shape)
    images = np.empty((len(files), *first.shape), np.uint8)

    def fill(i: int) -> None:  # in place, so that the data set is never held twice
        image = read_image(files[i], in_shape)
        if image.shape != first.shape:
            raise InputError(
                f"{files[i]}: is {_size(image.shape)} but {files[0]} is {_size(first.shape)}; resize them to one size (--resize)"
            )
        images[i] = image

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoders release the interpreter lock
        for _ in pool.map(fill, range(len(files))):
            pass
    return Split(images, np.asarray(labels, np.int32))


def _size(shape: Shape) -> str:
    return "x".join(map(str, shape))
