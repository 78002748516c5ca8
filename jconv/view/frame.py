"""What every picture shares: its ground, its letters, how pixels are shown, and how it is written.

Figures are matplotlib's, without pyplot and its global state, in the light palette. Words from
outside go through `words`, which has no markup (a "$" would start a formula).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import InputError
from ..files import cause
from .palette import LIGHT

FORMATS = (".png", ".svg")
SMALL, NORMAL = 7.0, 9.0  # points
# Colours of what has no order, such as classes and runs: as far apart as they go on white.
SERIES = (
    "#2459c9",
    "#c06c08",
    "#2c8a4b",
    "#a3399b",
    "#d03a24",
    "#0f8b9d",
    "#7a5c2e",
    "#8a6fd1",
    "#a89000",
    "#d4548f",
)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches that lays its axes out by itself."""
    return Figure((width, height), layout="constrained", facecolor=LIGHT["card"], dpi=120)


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one axes all over it, in inches from its upper left corner."""
    figure = Figure((width, height), facecolor=LIGHT["card"], dpi=120)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return figure, axes


def words(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Text as it is, small and in ink unless `style`, of matplotlib's Text, says otherwise."""
    axes.text(x, y, text, **{"fontsize": SMALL, "color": LIGHT["ink"], **style}, parse_math=False)


def title(axes: Axes, text: str) -> None:
    """The title of an axes, at its left."""
    axes.set_title(text, loc="left", fontsize=NORMAL, color=LIGHT["ink"], parse_math=False)


def bare(axes: Axes) -> None:
    """No numbers at the sides, and a quiet frame."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color(LIGHT["line"])


def shown(image: np.ndarray) -> np.ndarray:
    """An (H, W, C) image, uint8 or in [0, 1], as matplotlib takes it: (H, W, 3) in [0, 1], gray
    being the mean over channels unless there are three.
    """
    values = image / np.float32(255) if image.dtype == np.uint8 else np.clip(image, 0, 1)
    if image.shape[-1] == 3:
        return values
    return np.repeat(values.mean(-1, keepdims=True), 3, axis=-1)


def pixels(axes: Axes, values: np.ndarray, box: tuple[float, float, float, float] | None = None):
    """Pixels (H, W, 3 or 4) as squares, at `box` = (left, top, width, height) if one is given."""
    extent = None if box is None else (box[0], box[0] + box[2], box[1] + box[3], box[1])
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(values, interpolation="none", extent=extent)
    if box is not None:  # imshow would move the limits to its own
        axes.set(xlim=limits[0], ylim=limits[1], aspect="auto")


def check_format(path: Path, option: str = "--out") -> None:
    """Raises InputError unless the name of a picture says a format that is written."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{option} {path}: a name that ends in .png or .svg was expected")


def write_figure(figure: Figure, path: Path) -> None:
    """Write a picture in the format of its suffix, whole or not at all. Raises InputError."""
    check_format(path)
    unfinished = path.with_name(f".{path.stem}.unfinished{path.suffix}")
    metadata = {"Date": None} if path.suffix.lower() == ".svg" else {}
    try:
        with matplotlib.rc_context({"svg.hashsalt": "jconv", "svg.fonttype": "none"}):
            figure.savefig(unfinished, metadata=metadata)
        unfinished.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({cause(error)})") from None
    finally:
        unfinished.unlink(missing_ok=True)
