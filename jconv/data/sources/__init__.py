"""Where labelled images come from, a file each.

A source is a function from a Request (request.py) to a Dataset, and an entry of SOURCES, whose word
the commands know it by. It gives images of its own as an array of their own size, and files as
StoredImages that are not read yet; the rest is the same for all and done by `load`: a share held
out for validation, images fitted to a shape, small data sets read into memory, damaged images named
or left out. A new source is a file here and a line in SOURCES:

    def mine(request: Request) -> Dataset:
        files = located(REMOTES, data_folder("mine", request.path), request)  # ../download.py
        ...
        return Dataset(Split(images, labels), Split(test_images, test_labels), class_names)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...errors import InputError, unknown
from ...geometry import Shape
from ..dataset import Dataset
from ..request import DEFAULT, Request
from ..validation import held_out
from .arrayrecord import arrayrecord as read_arrayrecord
from .cifar import cifar10, cifar100
from .digits import digits as read_digits
from .folder import folder as read_folder
from .mnist import fashion_mnist
from .mnist import mnist as read_mnist
from .stl10 import stl10 as read_stl10

SOURCES: dict[str, Callable[[Request], Dataset]] = {
    "digits": read_digits,
    "mnist": read_mnist,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "stl10": read_stl10,
    "folder": read_folder,
    "arrayrecord": read_arrayrecord,
}


def load(
    name: str,
    path: Path | str | None = None,
    in_shape: Shape | None = None,
    *,
    download: bool = False,
    skip_corrupt: bool = False,
    allow_single_class: bool = False,
    validation: float = 0.0,
    resident_bytes: int = 2**30,
    test_only: bool = False,
    progress: Callable[[str], object] = DEFAULT.progress,
) -> Dataset:
    """The data set that a word of SOURCES names; images of `in_shape`, or of their own size.

    path: the folder that it lies in, or its archive (cifar10, cifar100, stl10). Without it what is
    published is looked for in jconv/data/NAME in the user's cache, $XDG_CACHE_HOME or ~/.cache.
    download: fetch the files of mnist, fashion_mnist, cifar10, cifar100 and stl10 that are missing.
    skip_corrupt: leave out images that cannot be read, with a warning, instead of raising.
    allow_single_class: take a folder of one class.
    validation: share of the training images, 0 to 1, to hold out as Dataset.validation: drawn by a
    hash of their names, so that adding images moves none. Of a folder without test images it is
    what tests.
    test_only: the test images are all that is wanted. Those to train with need not be there: the
    test images stand for them; and a folder of classes alone is all test images.
    resident_bytes: images that take more, all together as uint8, are StoredImages, not arrays.
    progress: told now and then what is being done.

    Raises InputError naming what is missing, damaged or disagrees.
    """
    if name not in SOURCES:
        raise InputError(unknown("data", name, tuple(SOURCES)))
    request = Request(
        Path(path) if path is not None else None,
        in_shape,
        download,
        skip_corrupt,
        allow_single_class,
        validation,
        resident_bytes,
        test_only,
        progress,
    )
    from ..reading import read

    data = SOURCES[name](request)
    return read(data if test_only else held_out(data, validation), request)
