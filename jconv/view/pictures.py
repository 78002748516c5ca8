"""Charts as matplotlib Figures: pure functions of NumPy arrays, without pyplot and its global
state.

A figure is drawn in the light palette; `figure.savefig(path)` writes it as it is, and svg.inline
sets it into a page that may be dark. Words of a user's are
drawn as they are: they must not reach matplotlib's own markup (a "$" starts a formula).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from .palette import LIGHT, PIXEL_BLUE, PIXEL_RED
from .scores import strengths

_MARKED = 40  # epochs: up to here each point is marked
_NAMED = 24  # classes: up to here their names and counts are written into the matrix


def chosen_by(history: Sequence[Mapping[str, float]]) -> str:
    """What each epoch was measured on: "validation" where images were held out, or "test"."""
    return "validation" if any("validation_loss" in row for row in history) else "test"


def loss_curve(history: Sequence[Mapping[str, float]]) -> Figure:
    """Training and test (or validation) loss over epochs, on a logarithmic axis once they span more
    than a factor of ten.

    Values that are None or not finite are left out.
    """
    figure, axes = _chart("loss")
    losses = [
        _curve(axes, history, f"{split}_loss", split, "{:.4f}")
        for split in ("train", chosen_by(history))
    ]
    drawn = np.concatenate(losses)
    if drawn.size and drawn.min() > 0 and drawn.max() > 10 * drawn.min():
        _logarithmic(axes, drawn.max() / drawn.min())
    return _finish(figure, axes)


def accuracy_curve(history: Sequence[Mapping[str, float]]) -> Figure:
    """Training and test accuracy over epochs, in percent."""
    figure, axes = _chart("accuracy, %")
    for split in ("train", chosen_by(history)):
        _curve(axes, history, f"{split}_accuracy", split, "{:.2f}%", scale=100)
    axes.set_ylim(axes.get_ylim())  # as chosen: the ticks below must not change it
    axes.set_yticks([tick for tick in axes.get_yticks() if axes.get_ylim()[0] <= tick <= 100])
    return _finish(figure, axes)


def confusion(counts: np.ndarray, names: Sequence[str] = ()) -> Figure:
    """A (K, K) confusion matrix as pixels, rows being the true classes: right answers blue, wrong
    ones red. With the `names` of few enough classes, they and the counts are written in.
    """
    classes = len(counts)
    figure = Figure((6, 6), layout="constrained")
    axes = figure.subplots()
    cells = np.zeros((classes, classes, 4))
    cells[..., :3] = np.where(
        np.eye(classes, dtype=bool)[..., None], PIXEL_BLUE, PIXEL_RED
    ) / np.float64(255)
    cells[..., 3] = strengths(counts)
    axes.imshow(cells, interpolation="none", extent=(-0.5, classes - 0.5, classes - 0.5, -0.5))
    axes.set(xlabel="predicted class", ylabel="true class")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(10, integer=True))
    if 0 < len(names) <= _NAMED:
        _write_counts(axes, counts, cells[..., 3], names)
    return _finish(figure, axes, grid=False)


def _write_counts(
    axes: Axes, counts: np.ndarray, strength: np.ndarray, names: Sequence[str]
) -> None:
    short = [name if len(name) <= 14 else f"{name[:13]}…" for name in names]
    upright = max(map(len, short)) > 2
    for axis, rotation in ((axes.xaxis, 90 if upright else 0), (axes.yaxis, 0)):
        axis.set_ticks(range(len(names)), short, rotation=rotation, parse_math=False)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = LIGHT["card"] if strength[row, column] > 0.6 else LIGHT["ink"]
            style = {"ha": "center", "va": "center", "fontsize": 8, "color": colour}
            axes.text(column, row, f"{count:,}", **style)


def _chart(what: str) -> tuple[Figure, Axes]:
    figure = Figure((4.6, 2.7), layout="constrained")
    axes = figure.subplots()
    axes.set_title(what, loc="left", fontsize=9, color=LIGHT["muted"])
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    return figure, axes


def _curve(
    axes: Axes,
    history: Sequence[Mapping[str, float]],
    key: str,
    split: str,
    form: str,
    scale: float = 1,
) -> np.ndarray:
    """Draw one curve, the last value in its label; returns the values drawn."""
    epochs = np.array([row["epoch"] for row in history], float)
    values = scale * np.array([row.get(key) for row in history], float)  # None becomes NaN
    shown = np.isfinite(values)
    label = f"{split} {form.format(values[shown][-1])}" if shown.any() else split
    colour, width = ("train", 1.3) if split == "train" else ("right", 2.0)
    mark = "o" if len(history) <= _MARKED else None
    axes.plot(
        epochs[shown],
        values[shown],
        color=LIGHT[colour],
        linewidth=width,
        marker=mark,
        markersize=2 + width,
        label=label,
    )
    return values[shown]


def _logarithmic(axes: Axes, ratio: float) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1,) if ratio > 500 else (1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")


def _finish(figure: Figure, axes: Axes, grid: bool = True) -> Figure:
    """The same quiet frame around every chart."""
    axes.set_facecolor("none")
    figure.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(not grid)
    axes.spines[:].set_color(LIGHT["line"])
    axes.tick_params(colors=LIGHT["muted"], labelsize=8, length=0 if grid else 3)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=LIGHT["muted"], fontsize=8.5)
    if grid:
        axes.grid(color=LIGHT["line"], linewidth=0.7)
        axes.set_axisbelow(True)
        axes.legend(frameon=False, fontsize=9, labelcolor=LIGHT["ink"])
    return figure
