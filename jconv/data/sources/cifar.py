"""CIFAR-10 and CIFAR-100, in their binary form: no pickle is read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..archive import Wanted
from ..dataset import Dataset, Split, check_labels
from ..download import Remote
from ..pixels import PixelScale
from ..request import Request
from .published import (
    NAMES,
    Archive,
    channels_last,
    class_names,
    read_published,
)

URL = "https://www.cs.toronto.edu/~kriz/"
SIDE = 32
# of the training images of CIFAR-10; the numbers of fb.resnet.torch
PIXELS = PixelScale((125.3 / 255, 123.0 / 255, 113.9 / 255), (63.0 / 255, 62.1 / 255, 66.7 / 255))


class Form(NamedTuple):
    """A data set's files, whose rows are labels, the last of which counts, and red, green and blue
    planes.
    """

    remote: Remote
    folder: str
    train: tuple[str, ...]
    test: str
    names: str
    rows: int  # of a file of training images
    test_rows: int
    labels: int  # bytes of a row
    classes: int

    @property
    def row(self) -> int:
        """Bytes of one image with its labels."""
        return self.labels + 3 * SIDE * SIDE


CIFAR10 = Form(
    Remote(f"{URL}cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),
    "cifar-10-batches-bin",
    tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
    "test_batch.bin",
    "batches.meta.txt",
    rows=10_000,
    test_rows=10_000,
    labels=1,
    classes=10,
)
CIFAR100 = Form(
    Remote(f"{URL}cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),
    "cifar-100-binary",
    ("train.bin",),
    "test.bin",
    "fine_label_names.txt",
    rows=50_000,
    test_rows=10_000,
    labels=2,  # the superclass, of 20, and the class
    classes=100,
)


def cifar10(request: Request) -> Dataset:
    """50,000 images of ten classes to train with and 10,000 to test, 32x32x3.

    Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """
    return read_cifar("cifar10", CIFAR10, request)


def cifar100(request: Request) -> Dataset:
    """50,000 images of a hundred classes to train with and 10,000 to test, 32x32x3.

    Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """
    return read_cifar("cifar100", CIFAR100, request)


def read_cifar(name: str, form: Form, request: Request) -> Dataset:
    """A data set of this form. Raises InputError naming the file that is missing or wrong."""
    files = {file: Wanted(form.rows * form.row) for file in form.train}
    files[form.test] = Wanted(form.test_rows * form.row)
    total = sum(wanted.size for wanted in files.values())
    files[form.names] = Wanted(NAMES, exact=False)
    archive = Archive(form.remote, form.folder, files, total)
    where, data = read_published(name, archive, request)
    train, test = ([data[file] for file in files] for files in (form.train, (form.test,)))
    for file in (*form.train, form.test):
        labels = np.frombuffer(data[file], np.uint8)[form.labels - 1 :: form.row]
        check_labels(labels, form.classes, f"{where}: {file}")
    return Dataset(
        _split(train, form),
        _split(test, form),
        class_names(where, form.names, data[form.names], form.classes),
        pixels=PIXELS,
    )


def _split(files: list[bytes], form: Form) -> Split:
    rows = np.concatenate([np.frombuffer(file, np.uint8) for file in files])
    rows = rows.reshape(-1, form.row)  # (N, labels + 3*32*32)
    images = channels_last(rows[:, form.labels :].reshape(-1, 3, SIDE, SIDE))
    return Split(images, rows[:, form.labels - 1].astype(np.int32))
