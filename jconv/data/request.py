"""What a command asks of a source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..geometry import Shape


def _quiet(text: str) -> None:
    pass


class Request(NamedTuple):
    path: Path | None = None  # where the images are; None: in the user's cache
    in_shape: Shape | None = None  # fit each image to it; None: as large as they are
    download: bool = False  # fetch files that are missing
    skip_corrupt: bool = False  # leave out images that cannot be read
    allow_single_class: bool = False
    validation: float = 0.0  # share of the training images to hold out, 0 to 1
    resident_bytes: int = 2**30  # images that take more, as uint8, are read when they are needed
    # the test images are all that is wanted: the others need not be there, and stand for them
    test_only: bool = False
    progress: Callable[[str], object] = _quiet  # told now and then what is being done


DEFAULT = Request()
