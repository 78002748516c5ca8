"""What the report says of the training: what came out, how it got there, and with which settings.
Plain values, which the templates headline.html, training.html and report.html set into the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from .pictures import accuracy_curve, chosen_by, loss_curve
from .scores import wilson_interval
from .svg import inline


class Fact(NamedTuple):
    """A number of the headline, and what it is."""

    value: str
    what: str


class Curves(NamedTuple):
    """Two charts, what beside the training images was measured, and the table of every epoch."""

    split: str
    loss: Markup
    accuracy: Markup
    names: list[str]
    rows: list[list[str]]


def history_keys(history: Sequence[Mapping[str, float]]) -> list[str]:
    """The columns of a table of epochs."""
    split = chosen_by(history)
    pairs = [f"{which}_{what}" for what in ("loss", "accuracy") for which in ("train", split)]
    return ["epoch", "step", *pairs, "learning_rate", "images_per_second", "seconds"]


def headline(counts: np.ndarray, history: Sequence[Mapping[str, float]]) -> list[Fact]:
    """The result in a line of large numbers, from the confusion counts and the training history."""
    right, total = int(np.trace(counts)), int(counts.sum())
    low, high = wilson_interval(right, total)
    facts = [
        Fact(f"{right / total:.2%}", "test accuracy"),
        Fact(f"{total - right:,}", f"wrong of {total:,} test images"),
        Fact(f"{100 * low:.1f}–{high:.1%}", "likely range (95% interval)"),
    ]
    if history:
        epochs = f"for {len(history):,} epoch{'s' * (len(history) > 1)}"
        speed = median(row["images_per_second"] for row in history)
        facts += [
            Fact(duration(history[-1]["seconds"]), epochs),
            Fact(f"{speed:,.0f}", "training images/s"),
        ]
    return facts


def curves(history: Sequence[Mapping[str, float]]) -> Curves | None:
    """Loss and accuracy over epochs, and every number behind them; None without an epoch."""
    if not history:
        return None
    split, keys = chosen_by(history), history_keys(history)
    loss = inline(loss_curve(history), f"training and {split} loss over epochs")
    accuracy = inline(
        accuracy_curve(history), f"training and {split} accuracy over epochs, in percent"
    )
    rows = [[_number(key, row.get(key)) for key in keys] for row in history]
    return Curves(split, loss, accuracy, [key.replace("_", " ") for key in keys], rows)


def settings(config: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The settings of the run by name, nested ones by dotted names."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from settings(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def duration(seconds: float) -> str:
    """Seconds as a person says them: 17.3 s, 4 min 05 s, 3 h 12 min."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes} min {rest:02d} s"
        if minutes < 60
        else f"{minutes // 60} h {minutes % 60:02d} min"
    )


def _number(key: str, value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return "–"
    form = {
        "epoch": "{:,.0f}",
        "step": "{:,.0f}",
        "learning_rate": "{:.3g}",
        "images_per_second": "{:,.0f}",
        "seconds": "{:,.1f}",
    }
    return form.get(key, "{:.2%}" if key.endswith("accuracy") else "{:.4f}").format(value)
