"""Receptive fields: what one position of every layer's output sees of the network's input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..composite import Call, Composite
from ..errors import LayerError, located
from ..geometry import ReceptiveField, Shape, union
from ..layer import Layer
from ..layers import AdaptiveAvgPool, ConvTranspose


class Field(NamedTuple):
    """Of one layer: its path, and a ReceptiveField for every spatial axis of the input."""

    path: str
    axes: tuple[ReceptiveField, ...]


class Seen(NamedTuple):
    """What stands for an array while fields are followed."""

    shape: Shape
    axes: tuple[ReceptiveField, ...]


def receptive_fields(net: Layer, in_shape: Shape) -> tuple[Field, ...]:
    """The field of every layer, in the order of `walk`, by integer arithmetic.

    Windows widen it by dilation*(F - 1)*jump and multiply the jump by their stride; branches that meet see the union of theirs; a
    Flatten or a global pool sees all that its input saw. Raises LayerError where no one size is right: branches of different
    strides, transposed convolutions, adaptive pools whose bins differ.
    """
    fields = Fields("", [])
    fields.follow("", net, Seen(in_shape, (ReceptiveField(),) * (len(in_shape) - 1)))
    return tuple(fields.found)


def net_field(net: Layer, in_shape: Shape) -> tuple[ReceptiveField, ...]:
    """The field of the network's output, one an axis. Raises LayerError as `receptive_fields` does."""
    return Fields("", []).follow("", net, Seen(in_shape, (ReceptiveField(),) * (len(in_shape) - 1))).axes


@dataclass
class Fields(Call):
    """Follows fields through a network."""

    path: str
    found: list[Field]
    train = True

    def child(self, name: str, layer: Layer, x: Seen) -> Seen:
        return self.follow(f"{self.path}/{name}" if self.path else name, layer, x)

    def follow(self, path: str, layer: Layer, x: Seen) -> Seen:
        if isinstance(layer, Composite):
            return layer.run(Fields(path, self.found), x)
        seen = Seen(located(path, layer.out_shape, x.shape), located(path, _through, layer, x))
        self.found.append(Field(path, seen.axes))
        return seen

    def join(self, layer: Composite, parts: dict[str, Any]) -> Seen:
        shape = located(self.path, layer.join_shapes, {name: seen.shape for name, seen in parts.items()})
        axes = zip(*(seen.axes for seen in parts.values()), strict=True)
        return Seen(shape, tuple(located(self.path, union, *fields) for fields in axes))


def _through(layer: Layer, x: Seen) -> tuple[ReceptiveField, ...]:
    if isinstance(layer, ConvTranspose):
        raise LayerError("the outputs of a transposed convolution see fields of different sizes; ask for the field of the layers before it")
    w = layer.over(x.shape)
    if w is None:
        if isinstance(layer, AdaptiveAvgPool):
            raise LayerError(f"{x.shape[:-1]} pixels in bins of {layer.out_shape(x.shape)[:-1]} see fields of different sizes")
        return x.axes
    settings = zip(x.axes, w.size, w.stride, w.dilation, w.padding, strict=True)
    return tuple(field.through(f, s, d, lo) for field, f, s, d, (lo, _) in settings)
