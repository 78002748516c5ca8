"""Where the features of flattened images lie at each layer of a net, against frameworks that put
the channels first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..compose import Following, Placeholder
from ..compose.containers import side_by_side
from ..errors import located
from ..geometry import Shape, as_shape
from ..layer import Layer
from ..layers import Conv, ConvTranspose, Dense, Flatten, Local, Rbf
from .layout import Order, flattened, joined

MIXING = (Conv, ConvTranspose, Dense, Local, Rbf)  # whose outputs are features of their own


class Ordered(Placeholder):
    """One example's shape, and where its features lie there."""

    def __init__(self, shape: Shape, order: Order = None):
        super().__init__(shape)
        self.order = order


@dataclass
class _Orders(Following):
    found: dict[str, Order] = field(default_factory=dict)

    def leaf(self, path: str, layer: Layer, x: Ordered) -> Ordered:
        shape = located(path, layer.out_shape, x.shape)
        self.found[path] = x.order
        return Ordered(shape, order_after(layer, x.shape, x.order))

    def join(self, f, *parts, shapes=None, pointwise=False, in_place=False) -> Ordered:
        shape = self.joined(f, shapes, parts)
        if f is side_by_side:
            order = joined([part.order for part in parts], [part.shape[-1] for part in parts])
        else:
            order = parts[0].order
        kept = order is None or shape[-1:] == np.shape(order)
        return Ordered(shape, order if kept else None)


def order_after(layer: Layer, in_shape: Shape, order: Order) -> Order:
    """Where the features that a layer makes lie there, of those that it takes."""
    if isinstance(layer, Flatten):
        return flattened(in_shape, order)
    return None if isinstance(layer, MIXING) else order


def input_orders(net: Layer, in_shape: Shape) -> dict[str, Order]:
    """For each layer that holds no other, by its path, the order of the features that it takes."""
    call = _Orders()
    call.follow("", net, Ordered(as_shape(in_shape)))
    return call.found
