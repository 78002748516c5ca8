"""What the report says of the net itself: what its layers make of one test image, which pixels
count, its diagram and its costs. Plain values for the templates inside.html and report.html.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from markupsafe import Markup

from ..analysis import activations
from ..analysis.attribution import saliency
from ..layer import Layer, Params, State
from .activations import Column, columns
from .attribution import HEAT
from .costs import cost_picture
from .diagram import diagram
from .once import once
from .subject import Subject
from .svg import inline
from .tiles import Picture, image_tile, map_tile

MOST_MAPS = 6  # of a layer
MOST_COLUMNS = 16
MOST_VALUES = 128  # of a layer without maps
ACROSS = 6  # blocks in a row of the diagram


class Volume(NamedTuple):
    """A column of pictures: the maps of a layer, and how many more there are in words."""

    path: str
    name: str
    size: str
    pictures: list[Picture]
    more: str


class Inside(NamedTuple):
    """An image, which of its pixels the answer depends on, and what the layers make of it."""

    hint: str
    image: Picture
    saliency: Picture
    columns: list[Volume]


def inside(subject: Subject, names: Sequence[str]) -> Inside:
    """The layers at work on the subject's image."""
    scores, heat, outputs = once(partial(_at_work, subject.net), *subject.arrays)
    label, heat = int(scores[0].argmax()), np.asarray(heat[0])
    every = columns(outputs, subject.x, MOST_MAPS)
    kept = np.unique(np.linspace(0, len(every) - 1, min(len(every), MOST_COLUMNS)).astype(int))
    left_out = "" if len(kept) == len(every) else f" {len(kept)} of {len(every)} layers are shown."
    hint = (
        f"What each layer makes of the first test image, taken for {names[label]}. Blue is above "
        "zero, red below, each layer by its own largest value; saliency is how much a pixel "
        f"changes the score, bright being most.{left_out}"
    )
    salient = HEAT(heat / (heat.max() or 1))[..., :3]
    return Inside(
        hint,
        image_tile(subject.image, "the first test image"),
        image_tile(salient, f"saliency for {names[label]}"),
        [_volume(every[i]) for i in kept],
    )


def _at_work(net: Layer, params: Params, state: State, x: jax.Array):
    """The scores, the saliency of the largest and what every layer gives, in execution order."""
    outputs = OrderedDict(activations(net, params, state, x))
    scores = net.apply(params, state, x)[0]  # what is computed twice, the compiler computes once
    return scores, saliency(net, params, state, x, scores.argmax(axis=-1)), outputs


def drawn(subject: Subject) -> tuple[Markup, Markup]:
    """The net's diagram, and its costs by layer."""
    net, in_shape = subject.net, subject.in_shape
    return (
        inline(diagram(net, in_shape, ACROSS), "the network as a diagram of its layers"),
        inline(cost_picture(net, in_shape), "parameters and activations of each layer"),
    )


def _volume(column: Column) -> Volume:
    values = column.values
    if values.ndim == 1:
        kept = values[:MOST_VALUES]
        tile = map_tile(kept[:, None], f"{column.path}: its {len(kept)} first values")
        pictures = [tile._replace(kind="pixels column")]
    else:
        kept = values[..., :MOST_MAPS]
        title = f"{column.path}: map {{}}, values up to ±{column.largest:.3g}"
        pictures = [map_tile(kept[..., i], title.format(i)) for i in range(kept.shape[-1])]
    rest = column.channels - (len(kept) if values.ndim == 1 else kept.shape[-1])
    name = column.path.rpartition("/")[2]
    return Volume(column.path, name, column.size, pictures, f"{rest:,} more" if rest else "")
