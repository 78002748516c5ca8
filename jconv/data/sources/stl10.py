"""STL-10, in its binary form; the images without labels are not read."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..archive import Wanted
from ..dataset import Dataset, Split, check_labels
from ..download import Remote
from ..request import Request
from .published import (
    NAMES,
    Archive,
    channels_last,
    class_names,
    read_published,
)

SIDE = 96
CLASSES = 10
REMOTE = Remote(
    "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz", "91f7769df0f17e558f3565bffb0c7dfb"
)


class Counts(NamedTuple):
    train: int = 5_000
    test: int = 8_000
    unlabeled: int = 100_000


PUBLISHED = Counts()


def stl10(request: Request, counts: Counts = PUBLISHED) -> Dataset:
    """5,000 images of ten classes to train with and 8,000 to test, 96x96x3.

    The archive has 2.6 GB and takes a while to go through; unpacked, as the folder stl10_binary, it
    is read at once. Raises InputError naming the file that is missing or wrong.
    Source: Coates, Lee & Ng 2011, "An analysis of single-layer networks in unsupervised feature
    learning".
    """
    row = 3 * SIDE * SIDE  # bytes
    files = {
        "train_X.bin": Wanted(counts.train * row),
        "train_y.bin": Wanted(counts.train),
        "test_X.bin": Wanted(counts.test * row),
        "test_y.bin": Wanted(counts.test),
        "class_names.txt": Wanted(NAMES, exact=False),
    }
    archive = Archive(REMOTE, "stl10_binary", files, sum(counts) * row)
    where, data = read_published("stl10", archive, request)
    return Dataset(
        _split(data, "train", where),
        _split(data, "test", where),
        class_names(where, "class_names.txt", data["class_names.txt"], CLASSES),
    )


def _split(data: dict[str, bytes], name: str, where: Path) -> Split:
    pixels, labels = (np.frombuffer(data[f"{name}_{letter}.bin"], np.uint8) for letter in "Xy")
    check_labels(labels, CLASSES, f"{where}: {name}_y.bin", first=1)
    planes = pixels.reshape(-1, 3, SIDE, SIDE).swapaxes(2, 3)  # they lie column by column
    return Split(channels_last(planes), labels.astype(np.int32) - 1)
