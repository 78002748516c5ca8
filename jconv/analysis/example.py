"""The shape of one example as tables and checks take it: looked at once, where it comes in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from ..errors import ShapeError
from ..geometry import Padding, Shape, as_shape
from ..layer import Layer
from ..settings import annotated

# the annotations of settings that are one for all axes, or one per axis
PER_AXIS = (int | Shape, int | Shape | None, Padding)
COLOURS = (1, 3)
LEAST = 8  # pixels a side of what is taken for an image


def example_shape(net: Layer, in_shape: Any) -> Shape:
    """`in_shape` as a tuple. Raises ShapeError for what is no shape, and for what is more likely a
    slip than meant.

    A window given as one number serves images, series and volumes alike, so that a net would answer
    for a batch as for a volume. Where all windows of a net are such, three spatial axes are taken
    for a batch of images, (H, H) for an image without its channel, and (1 or 3, H, H) for one with
    its channels first. A net for volumes, or for such an input, says so by one window given per
    axis, such as kernel=(3, 3, 3).
    """
    shape = as_shape(in_shape)
    settings = list(_per_axis(net))
    if not settings or any(isinstance(value, tuple) for value in settings):
        return shape
    if len(shape) == 4:
        raise ShapeError(
            f"in_shape={shape} has three spatial axes, and every window of the net is given as one "
            "number: is the first the batch? Then "
            f"leave it out, {shape[1:]}; a net for volumes says so by a window per axis, such as "
            "kernel=(3, 3, 3)"
        )
    if len(shape) == 2 and shape[0] == shape[1] >= LEAST:
        raise ShapeError(
            f"in_shape={shape} lacks the channels, it seems: give {(*shape, 1)}; a net for series "
            f"of {shape[1]} channels says "
            "so by a window per axis, such as kernel=(3,)"
        )
    if len(shape) == 3 and shape[0] in COLOURS and shape[1] == shape[2] >= LEAST:
        raise ShapeError(
            f"in_shape={shape} has its channels first, it seems: give {(*shape[1:], shape[0])}; a "
            "net for images of such sizes "
            "says so by a window per axis: kernel=(1, 3)"
        )
    return shape


def _per_axis(layer: Layer) -> Iterator[Any]:
    """The settings of a net's windows."""
    for _, child in layer.children:
        yield from _per_axis(child)
    said = annotated(type(layer))
    for field in fields(layer):
        if said.get(field.name) in PER_AXIS:
            yield getattr(layer, field.name)
