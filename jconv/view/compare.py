"""The curves of several runs on one chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from .frame import NORMAL, SERIES, SMALL, new_figure
from .palette import LIGHT
from .pictures import chosen_by

History = Sequence[Mapping[str, float]]


def compared_curves(runs: Mapping[str, History]) -> Figure:
    """Loss and accuracy over epochs of each run, by its name and in its colour: dashed for the
    training images, solid for those of the test (or validation). The legend has the last accuracy.
    """
    figure = new_figure(11, 4.4 + 0.22 * len(runs))
    loss, accuracy = figure.subplots(1, 2)
    handles = []
    for i, (name, history) in enumerate(runs.items()):
        colour, split = SERIES[i % len(SERIES)], chosen_by(history)
        for axes, what, scale in ((loss, "loss", 1), (accuracy, "accuracy", 100)):
            _curve(axes, history, f"train_{what}", scale, color=colour, style="--", width=1.1)
            _curve(axes, history, f"{split}_{what}", scale, color=colour, style="-", width=2.0)
        last = history[-1].get(f"{split}_accuracy") if history else None
        said = "no epoch" if last is None else f"{split} {last:.2%}"
        handles.append(Line2D([], [], color=colour, linewidth=2, label=f"{name}   {said}"))
    _frame(loss, "loss")
    _frame(accuracy, "accuracy, %")
    legend = figure.legend(
        handles=handles,
        loc="outside upper left",
        frameon=False,
        fontsize=NORMAL,
        labelcolor=LIGHT["ink"],
        title="dashed: training images",
        title_fontsize=SMALL + 1,
        alignment="left",
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _curve(
    axes: Axes, history: History, key: str, scale: float, *, color: str, style: str, width: float
) -> None:
    epochs = np.array([row["epoch"] for row in history], float)
    values = scale * np.array([row.get(key) for row in history], float)  # None becomes NaN
    kept = np.isfinite(values)
    mark = "o" if kept.sum() == 1 else None
    axes.plot(epochs[kept], values[kept], style, color=color, linewidth=width, marker=mark)


def _frame(axes: Axes, what: str) -> None:
    axes.set_title(what, loc="left", fontsize=NORMAL, color=LIGHT["muted"])
    axes.set_xlabel("epoch", fontsize=SMALL + 1, color=LIGHT["muted"])
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[:].set_color(LIGHT["line"])
    axes.tick_params(colors=LIGHT["muted"], labelsize=SMALL + 1, length=0)
    axes.grid(color=LIGHT["line"], linewidth=0.7)
    axes.set_axisbelow(True)
