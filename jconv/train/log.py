"""What is written of a training beside its metrics.jsonl."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import InputError

Log = Callable[[dict[str, Any]], None]  # of a row of metrics


@contextmanager
def open_log(kind: str, folder: Path) -> Iterator[Log | None]:
    """A function that logs a row of metrics, or None: "tensorboard" writes event files into
    folder/tensorboard. Raises InputError where the package is missing.
    """
    if kind == "none":
        yield None
        return
    try:
        make_writer = import_module("tensorboardX").SummaryWriter
    except ImportError:
        raise InputError(
            "log='tensorboard': the package tensorboardX is missing; pip install 'jconv[log]'"
        ) from None
    writer = make_writer(str(folder / "tensorboard"), write_to_disk=True)

    def log(row: dict[str, Any]) -> None:
        for name, value in row.items():
            if name not in ("epoch", "step"):
                writer.add_scalar(name, value, row["step"])
        writer.flush()

    try:
        yield log
    finally:
        writer.close()
