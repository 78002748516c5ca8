"""A layer around another, with the same arrays under the same paths: what a training exchanges
layers for, and never saves.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax

from ..geometry import Shape
from ..layer import Layer, Parameter, Params, State


@dataclass(frozen=True)
class Held:
    """The layer inside. It is not listed as a child: to tables and edits the whole is one layer."""

    layer: Layer


@dataclass(frozen=True)
class Wrapped(Layer):
    """Base of such layers; `apply` is what they change."""

    held: Held

    @property
    def inner(self) -> Layer:
        return self.held.layer

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r})"

    def out_shape(self, in_shape: Shape) -> Shape:
        return self.inner.out_shape(in_shape)

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        return {} if self.inner.composed else self.inner.parameters(in_shape)

    def statistics(self, in_shape: Shape) -> dict[str, Parameter]:
        return {} if self.inner.composed else self.inner.statistics(in_shape)

    def init(self, key: jax.Array, in_shape: Shape) -> tuple[Params, State]:
        return self.inner.init(key, in_shape)
