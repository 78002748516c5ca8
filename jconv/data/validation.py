"""A share of the images held out of training, drawn by their names.

Adding or removing images moves none of the others from one part to the other.
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from ..errors import InputError
from .dataset import Dataset, Split
from .stored import StoredImages


def is_held_out(name: str, share: float) -> bool:
    """Whether the first 64 bits of the name's SHA-256, as a fraction of 2^64, are below `share`."""
    digest = sha256(name.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def held_out(data: Dataset, share: float) -> Dataset:
    """The data set with a share of its training images, 0 to 1, as `validation`; as `test` where
    it has no test images.

    Images are drawn by name (`StoredImages.names`), those of an array by "train/INDEX". Raises
    InputError for a share that leaves a class without images on either side.
    """
    if not 0 <= share < 1:  # NaN neither
        raise InputError(f"validation={share:g}: at least 0 and less than 1 was expected")
    if share == 0:
        return data
    if data.validation is not None:
        raise InputError(
            f"validation={share:g}: these images have a validation split of their own; leave it out"
        )
    names = image_names(data.train)
    chosen = np.fromiter((is_held_out(name, share) for name in names), bool, len(names))
    _check_classes(data, chosen, share)
    kept, held = (taken(data.train, np.flatnonzero(rows)) for rows in (~chosen, chosen))
    if len(data.test.labels):
        return data._replace(train=kept, validation=held)
    return data._replace(train=kept, test=held)


def image_names(split: Split, name: str = "train") -> list[str]:
    if isinstance(split.images, StoredImages):
        return list(split.images.names)
    return [f"{name}/{index}" for index in range(len(split.labels))]


def taken(split: Split, rows: np.ndarray) -> Split:
    """The examples of these rows, in their order."""
    images = split.images
    some = images.taken(rows) if isinstance(images, StoredImages) else images[rows]
    return Split(some, split.labels[rows])


def _check_classes(data: Dataset, chosen: np.ndarray, share: float) -> None:
    classes = len(data.class_names)
    everything = np.bincount(data.train.labels, minlength=classes)
    held = np.bincount(data.train.labels[chosen], minlength=classes)
    for name, total, out in zip(data.class_names, everything, held, strict=True):
        if total and out in (0, total):
            left = "is held out" if out == 0 else "is left to train on"
            fix = "larger" if out == 0 else "smaller"
            raise InputError(
                f"validation={share:g}: of the {total:,} images of class {name!r} none {left}; "
                f"choose a {fix} share, or add images"
            )
