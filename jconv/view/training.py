"""The sections of the report about the training: what came out, how it got there, and with which
settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

import numpy as np

from .markup import Html, element
from .page import section
from .pictures import accuracy_curve, chosen_by, loss_curve
from .scores import wilson_interval
from .svg import inline


def history_keys(history: Sequence[Mapping[str, float]]) -> list[str]:
    """The columns of a table of epochs."""
    split = chosen_by(history)
    pairs = [f"{which}_{what}" for what in ("loss", "accuracy") for which in ("train", split)]
    return ["epoch", "step", *pairs, "learning_rate", "images_per_second", "seconds"]


def headline(counts: np.ndarray, history: Sequence[Mapping[str, float]]) -> Html:
    """The result in a line of large numbers, from the confusion counts and the training history."""
    right, total = int(np.trace(counts)), int(counts.sum())
    low, high = wilson_interval(right, total)
    facts = [
        _fact(f"{right / total:.2%}", "test accuracy", "hero"),
        _fact(f"{total - right:,}", f"wrong of {total:,} test images"),
        _fact(f"{100 * low:.1f}–{high:.1%}", "likely range (95% interval)"),
    ]
    if history:
        facts += [
            _fact(
                duration(history[-1]["seconds"]),
                f"for {len(history):,} epoch{'s' * (len(history) > 1)}",
            ),
            _fact(
                f"{median(row['images_per_second'] for row in history):,.0f}", "training images/s"
            ),
        ]
    return element("section", element("div", *facts, class_="facts"), class_="wide")


def curves(history: Sequence[Mapping[str, float]]) -> Html:
    """Loss and accuracy over epochs, and every number behind them."""
    if not history:
        return section("Training", "No history was recorded: not one epoch was trained.")
    charts = [inline(loss_curve(history), f"training and {chosen_by(history)} loss over epochs")]
    charts.append(
        inline(
            accuracy_curve(history),
            f"training and {chosen_by(history)} accuracy over epochs, in percent",
        )
    )
    split, keys = chosen_by(history), history_keys(history)
    head = element("tr", *[element("th", key.replace("_", " ")) for key in keys])
    rows = [
        element("tr", *[element("td", _number(key, row.get(key))) for key in keys])
        for row in history
    ]
    table = element("div", element("table", head, *rows, class_="rows numbers"), class_="scroll")
    hint = (
        f"Training numbers are means over each epoch, while the network still changes; {split} "
        "numbers are of images it never trains on."
    )
    return section(
        "Training",
        hint,
        element("div", *charts, class_="charts"),
        element("details", element("summary", "Every epoch"), table),
    )


def configuration(config: Mapping[str, object]) -> Html:
    """The settings of the run, nested ones by dotted names."""
    rows = [
        element("div", element("dt", name), element("dd", value)) for name, value in _flat(config)
    ]
    return section(
        "Configuration", "What this run was started with.", element("dl", *rows, class_="settings")
    )


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


def _fact(value: str, what: str, kind: str = "") -> Html:
    return element("div", element("b", value), element("span", what), class_=kind)


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


def _flat(config: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)
