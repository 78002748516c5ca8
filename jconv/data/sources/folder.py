"""Image files in a folder for each class."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import InputError
from ...geometry import Shape
from ..dataset import Dataset, Split
from ..request import Request
from ..validation import taken

LEFTOVERS = {  # folders and files that systems leave among others', in small letters
    *("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"),
    *("$recycle.bin", "system volume information", "lost+found", "@eadir", "#recycle"),
}
HELD_OUT = ("val", "validation")  # names of a third split's folder


class Listing(NamedTuple):
    """The files of a split or class."""

    names: list[str]  # CLASS/NAME, in order
    others: Counter[str]  # files that are no images, by suffix


def folder(request: Request) -> Dataset:
    """The image files of train/CLASS/* and test/CLASS/* in a folder, in order of class and file
    name, not read yet.

    With `request.test_only` train/ need not be there, and of CLASS/* all are test images. val/ or
    validation/ is the validation split, or where there is no test/ the test split. A folder
    of classes alone, CLASS/*, has no test images: those that `request.validation` holds out are.

    Without `in_shape` all images must have one size; with it, each is cropped, resized and
    converted to it (see `to_array`). A file is an image if Pillow reads its suffix; of others there
    is a warning. Hidden files, and what macOS, Windows and disk stations leave behind, are passed
    over. Raises InputError for a missing or empty folder, less than two classes and classes that
    differ.
    """
    if request.path is None:
        raise InputError("data='folder' needs the folder's path: data_dir=PATH")
    path = Path(request.path)
    places = _split_folders(path)
    if request.test_only:
        places = {"test": places.get("test", path)}
    elif "test" not in places and not request.validation:
        raise InputError(
            f"{path}: holds folders of classes but no train and test; hold out a share of each "
            "class to test with (validation=0.1)"
        )
    classes = {split: _class_folders(place, places) for split, place in places.items()}
    names = _same_classes(path, places, classes)
    if len(names) < 2 and not request.allow_single_class and not request.test_only:
        raise InputError(
            f"{path}: holds one class, {names[0]!r}, so that there is nothing to tell apart; at "
            "least two were expected (allow_single_class=True takes one)"
        )
    splits = {
        split: _listed(place, classes[split], request.in_shape) for split, place in places.items()
    }
    train = splits.get("train", splits.get("test"))
    assert train is not None
    test = splits.get("test") or taken(train, np.arange(0))
    return Dataset(train, test, tuple(names), splits.get("validation"))


def _split_folders(path: Path) -> dict[str, Path]:
    """Where each split lies; of a folder of classes alone, `train`."""
    held = [name for name in HELD_OUT if (path / name).is_dir()]
    if len(held) > 1:
        raise InputError(f"{path}: holds both {' and '.join(held)}; remove one, or rename it")
    test = (path / "test").is_dir()
    if path.is_dir() and not ((path / "train").is_dir() or test or held):
        return {"train": path}
    if not held:
        return {"train": path / "train", "test": path / "test"}
    if not test:
        return {"train": path / "train", "test": path / held[0]}
    return {"train": path / "train", "test": path / "test", "validation": path / held[0]}


def _class_folders(place: Path, places: dict[str, Path]) -> list[str]:
    """The names of a split's classes."""
    both = ", and both train and test" if len(places) > 1 else ""
    if not place.is_dir():
        raise InputError(
            f"{place}: there is no such folder; expected {place}/CLASS/IMAGE files{both}"
        )
    with os.scandir(place) as entries:
        found = sorted(e.name for e in entries if e.is_dir() and not _is_leftover(e.name))
    if not found:
        raise InputError(f"{place}: holds no class folders; expected {place}/CLASS/IMAGE files")
    return found


def _same_classes(path: Path, places: dict[str, Path], classes: dict[str, list[str]]) -> list[str]:
    """Their names. Raises InputError naming a class that not every split has."""
    if "train" not in classes:
        return classes["test"]
    for split, names in classes.items():
        if differing := sorted(set(names) ^ set(classes["train"])):
            name, more = differing[0], len(differing) - 1
            here, there = ("train", split) if name in classes["train"] else (split, "train")
            also = f" (and {more:,} other classes differ)" if more else ""
            raise InputError(
                f"{path}: class {name!r} is in {places[here].name} but not in "
                f"{places[there].name}{also}; both need the same class folders"
            )
    return classes["train"]


def _listed(place: Path, classes: list[str], in_shape: Shape | None) -> Split:
    """The images of a split, not read yet."""
    from ..encoded import FileImages
    from ..reading import listed

    found = [_images_in(place, name) for name in classes]
    if empty := [_no_images(place / c, f) for c, f in zip(classes, found, strict=True) if not f[0]]:
        raise InputError(listed(empty))
    if others := sum((listing.others for listing in found), Counter()):
        counted = ", ".join(
            f"{suffix or 'without a suffix'} ({count})" for suffix, count in others.most_common()
        )
        warnings.warn(
            f"{place}: files that are no images by their suffix are left out: {counted}",
            stacklevel=4,
        )
    labels = np.repeat(np.arange(len(classes)), [len(listing.names) for listing in found])
    names = [name for listing in found for name in listing.names]
    return Split(FileImages(place, names, in_shape), labels.astype(np.int32))


def _images_in(place: Path, class_name: str) -> Listing:
    from ..image import suffixes

    with os.scandir(place / class_name) as entries:
        files = sorted(e.name for e in entries if e.is_file() and not _is_leftover(e.name))
    found, others = [], Counter()
    for name in files:
        suffix = Path(name).suffix.lower()
        if suffix in suffixes():
            found.append(f"{class_name}/{name}")
        else:
            others[suffix] += 1
    return Listing(found, others)


def _no_images(place: Path, listing: Listing) -> str:
    others = listing.others.total()
    return (
        f"{place}: holds no images{f', but {others} files of other suffixes' if others else ''}; "
        "add some (.png, .jpg, or whatever Pillow reads), or remove the folder"
    )


def _is_leftover(name: str) -> bool:
    return name.startswith(".") or name.lower() in LEFTOVERS
