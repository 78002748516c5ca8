"""The overview of a net at work: a column of maps for each layer, as in the figure that opens the
CS231n notes on convolutional networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .frame import NORMAL, canvas, pixels, shown, words
from .palette import LIGHT
from .tiles import signed

MOST = 10  # maps of a layer
ACROSS = 14  # columns side by side
BEST = 5  # classes
CELL, GAP, EDGE, HEAD = 0.62, 0.07, 0.3, 0.6  # inches
LETTERS = 15  # over a column


class Column(NamedTuple):
    """What one layer gives for an image: the first of its maps (h, w, n), or its values (n,), in
    [-1, 1] by the largest of all; and how many maps there are.
    """

    path: str
    values: np.ndarray
    channels: int
    largest: float

    @property
    def size(self) -> str:
        """The shape in words: "28×28×6"."""
        return "×".join(map(str, (*self.values.shape[:-1], self.channels)))


def columns(outputs: Mapping[str, jax.Array], x: jax.Array, most: int) -> list[Column]:
    """A column for each layer in execution order, from what they give (once.outputs) for x (1, H,
    W, C). Layers that change nothing at test time, or only the shape, are left out.
    """
    before, found = np.asarray(x[0]), []
    for path, batch in outputs.items():
        values = np.asarray(batch[0], np.float32)
        if values.size == before.size and np.array_equal(values.ravel(), before.ravel()):
            continue
        before = values
        if values.ndim in (1, 3):
            largest = float(np.abs(values).max())
            scaled = values / (largest or 1)
            kept = scaled[..., :most] if values.ndim == 3 else scaled
            found.append(Column(path, kept, values.shape[-1], largest))
    return found


def overview(
    image: np.ndarray, layers: Sequence[Column], probabilities: np.ndarray, names: Sequence[str]
) -> Figure:
    """The image (H, W, C), the columns of all layers and the most probable classes as bars.

    Each layer is scaled by its largest |value|: blue is above zero, red below. Long nets go on in
    further rows.
    """
    rows = [layers[i : i + ACROSS] for i in range(0, len(layers), ACROSS)] or [[]]
    most = max(
        (min(c.values.shape[-1], c.channels) for c in layers if c.values.ndim == 3), default=4
    )
    tall = HEAD + most * (CELL + GAP) + 0.3
    wide = max(map(len, rows)) + 1
    figure, axes = canvas(2 * EDGE + wide * (CELL + 0.22) + 2.3, 0.5 + len(rows) * tall + EDGE)
    hint = "Each layer is scaled by its own largest value. Blue is above zero, red below."
    words(axes, EDGE, 0.3, hint, fontsize=NORMAL, color=LIGHT["muted"])
    left = EDGE
    for i, row in enumerate(rows):
        top, left = 0.5 + i * tall, EDGE
        if i == 0:
            _head(axes, left, top, "image", "×".join(map(str, image.shape)))
            pixels(axes, shown(image), (left, top + HEAD, CELL, CELL))
        for column in row:
            left += CELL + 0.22
            _column(axes, left, top, column, most)
    _answers(axes, left + CELL + 0.35, 0.5 + (len(rows) - 1) * tall, probabilities, names)
    return figure


def _column(axes: Axes, left: float, top: float, column: Column, most: int) -> None:
    _head(axes, left, top, column.path, column.size)
    top += HEAD
    if column.values.ndim == 1:
        tall = most * (CELL + GAP) - GAP
        pixels(axes, signed(column.values[:, None]), (left, top, CELL / 3, tall))
        _outline(axes, left, top, CELL / 3, tall)
        return
    kept = column.values.shape[-1]
    for i in range(kept):
        y = top + i * (CELL + GAP)
        pixels(axes, signed(column.values[..., i]), (left, y, CELL, CELL))
        _outline(axes, left, y, CELL, CELL)
    if kept < column.channels:
        more = f"and {column.channels - kept:,} more"
        words(axes, left, top + kept * (CELL + GAP) + 0.1, more, color=LIGHT["muted"])


def _outline(axes: Axes, left: float, top: float, width: float, height: float) -> None:
    x = [left, left + width, left + width, left, left]
    y = [top, top, top + height, top + height, top]
    axes.plot(x, y, color=LIGHT["line"], linewidth=0.6)


def _head(axes: Axes, left: float, top: float, path: str, size: str) -> None:
    """The layer's name under those of what holds it, and the size of its maps."""
    above, _, name = path.rpartition("/")
    for text, up, style in (
        (above, 0.37, {"fontsize": 6, "color": LIGHT["muted"]}),
        (name, 0.22, {"fontweight": "bold"}),
        (size, 0.07, {"fontsize": 6, "color": LIGHT["muted"]}),
    ):
        words(axes, left, top + HEAD - up, _end(text), **style)


def _end(text: str) -> str:
    """The text, or as much of its end as a column has room for."""
    return text if len(text) <= LETTERS else f"…{text[1 - LETTERS :]}"


def _answers(
    axes: Axes, left: float, top: float, probabilities: np.ndarray, names: Sequence[str]
) -> None:
    """The most probable classes, a bar each."""
    words(axes, left, top + HEAD - 0.22, "class", fontweight="bold")
    words(axes, left, top + HEAD - 0.07, "probability", fontsize=6, color=LIGHT["muted"])
    for i, label in enumerate(np.argsort(-probabilities, kind="stable")[:BEST]):
        y, p = top + HEAD + 0.42 * i, float(probabilities[label])
        words(axes, left, y + 0.12, f"{names[label][:24]}", fontsize=NORMAL)
        words(
            axes,
            left + 1.6,
            y + 0.12,
            f"{p:.1%}" if p >= 0.0005 or not p else "<0.1%",
            fontsize=NORMAL,
            ha="right",
        )
        axes.barh(y + 0.22, 1.6, 0.09, left, color=LIGHT["line"])
        axes.barh(y + 0.22, 1.6 * p, 0.09, left, color=LIGHT["right"])
