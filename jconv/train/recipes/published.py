"""What a recipe is: the options of a training, and what it is to come to."""

from __future__ import annotations

from typing import NamedTuple

from ..options import TrainOptions


class Published(NamedTuple):
    """A published training: its options as `jconv train` takes them, the accuracy of the test
    images that it is to reach, None where none was published, and who says so.
    """

    options: TrainOptions
    accuracy: float | None  # 0 to 1
    source: str
