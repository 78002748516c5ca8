"""The folder of a run: config.json, metrics.jsonl, checkpoints/, weights.safetensors, report.html;
best.safetensors where images are held out to choose by, plan.json where there is a plan.
"""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from ..errors import InputError
from ..files import write_text
from ..html import paragraph, piece
from .options import TrainOptions
from .telling import shown

Row = dict[str, Any]  # of metrics, of one epoch


class Run(NamedTuple):
    """The paths in one run folder."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.json"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def weights(self) -> Path:
        return self.folder / "weights.safetensors"

    @property
    def best(self) -> Path:
        return self.folder / "best.safetensors"

    @property
    def plan(self) -> Path:
        return self.folder / "plan.json"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    def _repr_html_(self) -> str:
        """What a notebook shows: how far it has come, with curves over the epochs."""
        try:
            rows = read_rows(self)
        except InputError as error:
            return piece(paragraph(str(error)))
        return shown(self.folder, rows, rows[-1].get("test_accuracy") if rows else None)


def write_config(run: Run, config: dict[str, Any]) -> None:
    """Write config.json, whole."""
    write_text(run.config, json.dumps(config, indent=2) + "\n")


def open_run(folder: Path, *needed: str) -> Run:
    """An existing run folder. Raises InputError when it, its config.json or a `needed` file of it
    is missing.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: there is no such run folder; `jconv train` writes one under runs/"
        )
    for name in ("config.json", *needed):
        if not (folder / name).exists():
            again = f"`jconv train --resume {quote(str(folder))}`"
            raise InputError(
                f"{folder}: has no {name}; was the training stopped? {again} goes on with it"
            )
    return Run(folder)


def read_config(run: Run) -> tuple[TrainOptions, dict[str, Any]]:
    """The options of a run, and all of its config.json. Raises InputError naming the file and the
    field.
    """
    try:
        config = json.loads(run.config.read_text(encoding="utf-8"))
        return TrainOptions.from_dict(config["options"]), config
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{run.config}: is not the configuration of a run ({error})") from None
    except InputError as error:
        raise InputError(f"{run.config}: {error}") from None


def write_rows(run: Run, rows: list[Row]) -> None:
    """Write metrics.jsonl, whole."""
    write_text(run.metrics, "".join(json.dumps(row) + "\n" for row in rows))


def read_rows(run: Run) -> list[Row]:
    """The lines of metrics.jsonl; one that a killed run left without its end does not count. Raises
    InputError.
    """
    if not run.metrics.exists():
        return []
    whole, _, _ = run.metrics.read_text(encoding="utf-8").rpartition("\n")
    try:
        return [json.loads(line) for line in whole.splitlines()]
    except json.JSONDecodeError as error:
        raise InputError(
            f"{run.metrics}: is not a file of metrics, one JSON object a line ({error})"
        ) from None


def keep_rows(run: Run, step: int) -> list[Row]:
    """Drop what metrics.jsonl says of later steps than the last checkpoint's: they are about to run
    again.
    """
    rows = [row for row in read_rows(run) if row["step"] <= step]
    write_rows(run, rows)
    return rows
