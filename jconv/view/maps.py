"""The picture of dense evaluation: what a network says at every position of an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from .palette import LIGHT

LABELLED = 48  # positions a side: up to here each cell is labelled


def score_map(image: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]) -> Figure:
    """The image, and beside it the most probable class of every position, the stronger the surer.

    Shapes: image (H, W, 1 or 3) in [0, 1] or uint8, probabilities (h, w, classes). Class names are
    drawn as they are.
    """
    height = 5 * image.shape[0] / image.shape[1] + 0.6
    figure = Figure((10.8, min(max(height, 2), 12)), layout="constrained", dpi=120)
    left, right = figure.subplots(1, 2)
    left.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray")
    left.set_title(f"the image, {image.shape[1]}x{image.shape[0]}", loc="left", color=LIGHT["ink"])
    winner, sure = probabilities.argmax(axis=-1), probabilities.max(axis=-1)
    shown = right.imshow(sure, cmap="Blues", vmin=0, vmax=1)
    right.set_title(
        f"most probable class, {sure.shape[1]}x{sure.shape[0]} positions",
        loc="left",
        color=LIGHT["ink"],
    )
    if max(sure.shape) <= LABELLED:
        points = max(4, min(9, 220 / max(sure.shape)))
        for (row, column), p in np.ndenumerate(sure):
            colour = "white" if p > 0.6 else LIGHT["ink"]
            name = class_names[int(winner[row, column])]
            right.text(
                column,
                row,
                name,
                ha="center",
                va="center",
                color=colour,
                fontsize=points,
                parse_math=False,
            )
    for axes in (left, right):
        axes.set_xticks([])
        axes.set_yticks([])
    figure.colorbar(shown, ax=right, label="probability", fraction=0.046)
    return figure
