"""The picture of a convolution's filters."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ..compose import walk
from ..geometry import Shape
from ..layer import Layer, Params
from .frame import NORMAL, SMALL, canvas, pixels, words
from .palette import LIGHT
from .tiles import coloured, signed

MOST = 96  # filters in a picture
MOST_SLICES = (24, 24)  # filters, and slices of each
ACROSS = 12  # filters side by side
CELL, GAP, EDGE = 0.62, 0.08, 0.25  # inches


def kernels_of(net: Layer, in_shape: Shape, params: Params) -> dict[str, np.ndarray]:
    """The kernels (H, W, in, out) of a net's 2-D convolutions by path, in execution order."""
    found = {}
    for visit in walk(net, in_shape):
        leaves = params
        for name in filter(None, visit.path.split("/")):
            leaves = leaves.get(name, {})
        if "kernel" in leaves and leaves["kernel"].ndim == 4:
            found[visit.path] = np.asarray(leaves["kernel"], np.float32)
    return found


def filter_picture(kernel: np.ndarray, name: str) -> Figure:
    """The filters of a kernel (H, W, in, out), each scaled by its own largest |weight|.

    Three input channels make one picture in colour, mid-gray being zero; one makes one with blue
    above zero and red below. Of more, each row is a filter and each column one of its slices.
    """
    height, width, channels, count = kernel.shape
    largest = np.abs(kernel).max(axis=(0, 1, 2), keepdims=True)
    scaled = kernel / np.where(largest > 0, largest, 1)
    sliced = channels not in (1, 3)
    rows, columns = (
        (min(count, MOST_SLICES[0]), min(channels, MOST_SLICES[1]))
        if sliced
        else (-(-min(count, MOST) // ACROSS), min(count, ACROSS))
    )
    cell = (0.34 if sliced else CELL, (0.34 if sliced else CELL) * height / width)
    step = cell[0] + GAP, cell[1] + GAP
    left = EDGE + (0.3 if sliced else 0)
    figure, axes = canvas(max(left + columns * step[0] + EDGE, 5.5), 0.85 + rows * step[1] + EDGE)
    words(axes, EDGE, 0.3, f"{name}: {count} filters of {height}×{width}×{channels}", fontsize=11)
    words(axes, EDGE, 0.55, _hint(count, channels, sliced), fontsize=NORMAL, color=LIGHT["muted"])
    for i in range(rows * columns):
        row, column = divmod(i, columns)
        if not sliced and i >= min(count, MOST):
            break
        one = scaled[..., column, row] if sliced else scaled[..., i]
        drawn = signed(one) if sliced else coloured(one) if channels == 3 else signed(one[..., 0])
        pixels(axes, drawn, (left + column * step[0], 0.75 + row * step[1], *cell))
        _outline(axes, left + column * step[0], 0.75 + row * step[1], *cell)
        if sliced and column == 0:
            middle = 0.75 + row * step[1] + cell[1] / 2
            words(axes, left - 0.08, middle, str(row), ha="right", va="center", fontsize=SMALL)
    return figure


def _outline(axes, left: float, top: float, width: float, height: float) -> None:
    x = [left, left + width, left + width, left, left]
    y = [top, top, top + height, top + height, top]
    axes.plot(x, y, color=LIGHT["line"], linewidth=0.6)


def _hint(count: int, channels: int, sliced: bool) -> str:
    if not sliced:
        zero = "Mid-gray is zero." if channels == 3 else "Blue is above zero, red below."
        return zero + ("" if count <= MOST else f" The first {MOST} of {count:,} are shown.")
    text = "A row is a filter, a column an input channel. Blue is above zero, red below."
    if count <= MOST_SLICES[0] and channels <= MOST_SLICES[1]:
        return text
    filters, slices = min(count, MOST_SLICES[0]), min(channels, MOST_SLICES[1])
    return f"{text}\nThe first {filters} of {count:,} filters, {slices} of {channels:,} channels."
