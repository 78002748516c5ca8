"""A receptive field, drawn on the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..geometry import ReceptiveField
from .frame import bare, new_figure, pixels, shown, title
from .palette import LIGHT


def seen_by(fields: Sequence[ReceptiveField], position: Sequence[int]) -> list[tuple[int, int]]:
    """The first pixel and the number of pixels that a position sees, axis by axis: start +
    position*jump, size. Pixels below 0 and beyond the image are padding.
    """
    return [
        (field.start + field.jump * p, field.size)
        for field, p in zip(fields, position, strict=True)
    ]


def field_picture(
    image: np.ndarray, fields: Sequence[ReceptiveField], position: Sequence[int], name: str
) -> Figure:
    """The image (H, W, C) with what the layer `name` sees of it from one position (row, column):
    all else is dimmed, and what lies in the padding is drawn beyond the edge.
    """
    height, width = image.shape[:2]
    (top, tall), (left, wide) = seen_by(fields, position)
    figure = new_figure(5.2, 5.6)
    axes = figure.subplots()
    rows, columns = np.indices((height, width))
    inside = (rows >= top) & (rows < top + tall) & (columns >= left) & (columns < left + wide)
    pixels(axes, np.where(inside[..., None], shown(image), 0.6 + 0.25 * shown(image)))
    corner = (left - 0.5, top - 0.5)
    axes.add_patch(Rectangle(corner, wide, tall, fill=False, color=LIGHT["wrong"], linewidth=2.2))
    axes.set(
        xlim=(min(0, left) - 1.5, max(width, left + wide) + 0.5),
        ylim=(max(height, top + tall) + 0.5, min(0, top) - 1.5),
        facecolor=LIGHT["paper"],
    )
    row, column = position
    title(
        axes,
        f"{name}, row {row}, column {column}:\nsees {tall}×{wide} of {height}×{width} pixels, from "
        f"row {top}, column {left}",
    )
    bare(axes)
    return figure
