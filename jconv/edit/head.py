"""Another head: the same net for other classes."""

from __future__ import annotations

import dataclasses

from ..layer import Layer, map_layers
from .surgery import last_widths


def head_paths(net: Layer) -> tuple[str, ...]:
    """Where the classifiers are, the net's own first: the last layer with a setting `features`, and
    that of each Tap (an auxiliary head).
    """
    return last_widths(net)


def with_classes(net: Layer, classes: int) -> Layer:
    """The net with heads for so many classes. Their arrays have other shapes, and are to be drawn
    anew.
    """
    heads = head_paths(net)
    return map_layers(
        net,
        lambda path, layer: (
            dataclasses.replace(layer, **{"features": classes}) if path in heads else layer
        ),
    )
