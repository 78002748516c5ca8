"""What can be set while a net trains, and to what."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from ..train.update import LIVE

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
LARGEST = {"learning_rate": 1e3, "momentum": 1.0, "weight_decay": 1e3}


def check_batch(batch: Any) -> None:
    """Raises InputError."""
    if type(batch) is not int or batch not in BATCHES:
        words = ", ".join(map(str, BATCHES))
        raise InputError(f"batch_size={batch!r:.40}: one of {words} was expected")


def check_setting(name: str, value: Any) -> None:
    """Raises InputError for a number that cannot be set while a net trains."""
    if name not in LIVE:
        raise InputError(f"{name!r:.40}: there is no such setting; there are {', '.join(LIVE)}")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{name}={value!r:.40}: a number was expected")
    if not 0 <= value <= LARGEST[name]:
        raise InputError(f"{name}={value!r:.12}: 0 to {LARGEST[name]:g} was expected")
