"""A net as the list of its layers, in the order in which they run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..errors import located
from ..geometry import Shape, as_shape
from ..layer import Layer, check_composed
from .call import Following, Placeholder


class Visit(NamedTuple):
    """One layer of a network as `walk` lists it.

    `turn` counts how often these parameters have been gone through, this time included: above 1
    they are shared with a layer listed before. In a loop the layer stands once, is gone through
    `times` times and has `copies` sets of parameters.
    """

    path: str
    layer: Layer
    in_shape: Shape
    out_shape: Shape
    turn: int = 1
    times: int = 1
    copies: int = 1

    @property
    def name(self) -> str:
        """The path, and which turn it is from the second on: "body/conv#2"."""
        return turn_name(self.path, self.turn)


def turn_name(path: str, turn: int) -> str:
    return f"{path}#{turn}" if turn > 1 else path


@dataclass
class Walk(Following):
    """Lists the layers that hold no other."""

    found: list[Visit] = field(default_factory=list)
    turns: Counter = field(default_factory=Counter)
    times: int = 1
    copies: int = 1

    def leaf(self, path: str, layer: Layer, x: Placeholder) -> Placeholder:
        out = located(path, layer.out_shape, x.shape)
        self.turns[path] += 1
        self.found.append(
            Visit(path, layer, x.shape, out, self.turns[path], self.times, self.copies)
        )
        return Placeholder(out)

    def join(self, f, *parts, shapes=None, pointwise=False, in_place=False) -> Placeholder:
        return Placeholder(self.joined(f, shapes, parts))

    def repeat(self, name, layer, x, times, *, shared=False, unroll=False) -> Placeholder:
        inner = replace(
            self, times=self.times * times, copies=self.copies * (1 if shared else times)
        )
        return Following.repeat(inner, name, layer, x, times)


def walk(net: Layer, in_shape: Shape, path: str = "") -> Iterator[Visit]:
    """Every layer that holds no other, in execution order, with its path and the shapes of one
    example. Raises ShapeError.

    Nets are followed as in training, here and in the tables, fields and costs: branches that exist
    then alone are listed.
    """
    check_composed(net)
    call = Walk()
    call.follow(path, net, Placeholder(as_shape(in_shape)))
    return iter(call.found)
