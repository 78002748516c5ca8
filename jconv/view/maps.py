"""The picture of dense evaluation: what a network says at every position of an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .frame import NORMAL, SERIES, bare, new_figure, pixels, shown, title
from .palette import LIGHT

OTHERS = "#5b6676"  # the colour of all further classes together
FAINTEST = 0.12


def score_map(image: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]) -> Figure:
    """The image, beside it the most probable class of every position, in a colour for each class
    that occurs and the stronger the surer, and a legend with their shares of the positions.

    Shapes: image (H, W, 1 or 3) in [0, 1] or uint8, probabilities (h, w, classes). Beyond ten
    classes the rarer ones share a gray. Class names are drawn as they are.
    """
    height = min(max(4.4 * image.shape[0] / image.shape[1] + 0.7, 3.2), 12)
    figure = new_figure(12, height)
    left, right = figure.subplots(1, 2)
    pixels(left, shown(image))
    title(left, f"the image, {image.shape[1]}×{image.shape[0]}")
    winner, sure = probabilities.argmax(axis=-1), probabilities.max(axis=-1)
    labels, times = np.unique(winner, return_counts=True)
    order = labels[np.argsort(-times, kind="stable")]
    colours = {int(label): colour for label, colour in zip(order, SERIES, strict=False)}
    pixels(right, _coloured(winner, sure, colours, probabilities.shape[-1]))
    title(right, f"the most probable class at {sure.shape[1]}×{sure.shape[0]} positions")
    for axes in (left, right):
        bare(axes)
    share = lambda label: f"{np.mean(winner == label):.0%}"
    entries = [(colours[k], f"{class_names[k]}  {share(k)}") for k in colours]
    if rest := order[len(colours) :].tolist():
        others = f"{len(rest):,} further classes  {np.isin(winner, rest).mean():.0%}"
        entries.append((OTHERS, others))
    _legend(figure, entries)
    return figure


def _coloured(
    winner: np.ndarray, sure: np.ndarray, colours: dict[int, str], classes: int
) -> np.ndarray:
    """(h, w, 4): the colour of each position's class, as opaque as it is probable, a guess among
    all classes being the faintest.
    """
    table = np.array([to_rgb(colours.get(label, OTHERS)) for label in range(classes)])
    above = np.clip((sure - 1 / classes) / max(1 - 1 / classes, 1e-6), 0, 1)
    opacity = FAINTEST + (1 - FAINTEST) * above
    return np.concatenate([table[winner], opacity[..., None]], axis=-1)


def _legend(figure: Figure, entries: Sequence[tuple[str, str]]) -> None:
    legend = figure.legend(
        [Patch(color=colour) for colour, _ in entries],
        [text if len(text) <= 40 else f"{text[:28]}…{text[-6:]}" for _, text in entries],
        loc="outside right upper",
        title="class, share of positions\n(faint is unsure)",
        alignment="left",
        frameon=False,
        fontsize=NORMAL + 1,
        title_fontsize=NORMAL,
        labelcolor=LIGHT["ink"],
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
