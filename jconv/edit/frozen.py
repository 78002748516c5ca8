"""Layers that a training leaves as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax

from ..compose import walk
from ..geometry import Shape
from ..layer import Layer, computes_as, map_layers
from ..layers import Identity
from ..paths import chosen
from .wrapped import Held, Wrapped


@dataclass(frozen=True, repr=False)
class Frozen(Wrapped):
    """A layer as at test time, also in training: batch norm uses its running statistics and keeps
    them, dropout does nothing; its parameters have no gradient, its input has.
    """

    def apply(self, params, state, x, *, train=False, key=None):
        return self.inner.apply(jax.lax.stop_gradient(params), state, x)


def frozen_paths(net: Layer, patterns: Sequence[str], in_shape: Shape) -> set[str]:
    """The paths of the layers that the patterns mean: with "*" for anything, and with all that lies
    below what they name. Raises InputError for one that means none.
    """
    return chosen({visit.path for visit in walk(net, in_shape)}, patterns, "freeze")


def freeze(net: Layer, patterns: Sequence[str], in_shape: Shape) -> Layer:
    """The net with those layers `Frozen`, its arrays as they were. Raises InputError."""
    paths = frozen_paths(net, patterns, in_shape)

    def one(path: str, layer: Layer) -> Layer:
        if path not in paths or layer.composed or computes_as(layer, Identity):
            return layer
        return Frozen(Held(layer))

    return map_layers(net, one)
