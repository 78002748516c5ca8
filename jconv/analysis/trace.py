"""A network as the list of its operations: which array goes into which, in execution order. Shapes
alone; nothing is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..compose import Following, Placeholder, Repeat, path_to
from ..errors import located
from ..geometry import Shape
from ..layer import Layer, computes_as
from ..layers import Identity
from .measure import in_place


class Value(Placeholder):
    """What stands for an array: a number of its own, and the shape of one example. The input is
    number 0.
    """

    def __init__(self, number: int, shape: Shape):
        super().__init__(shape)
        self.number = number


class Loop(NamedTuple):
    """A layer gone through several times: where, and the array that goes in."""

    path: str
    layer: Repeat
    input: Value


class Operation(NamedTuple):
    """One layer, or one meeting of branches, at `path`; in a loop, the outermost it is in, which
    lists what is inside once.
    """

    path: str
    layer: Any  # a Layer, or a function of several arrays
    inputs: tuple[Value, ...]
    output: Value
    in_place: bool
    loop: Loop | None = None
    times: int = 1  # that all loops it is in go through it

    @property
    def is_layer(self) -> bool:
        """Or else branches meet."""
        return isinstance(self.layer, Layer)


def operations(net: Layer, in_shape: Shape, train: bool = True) -> tuple[Operation, ...]:
    """What an apply does, in order; an Identity does nothing. Raises ShapeError with the path of
    the layer.
    """
    trace = Trace(train=train)
    trace.follow("", net, Value(0, tuple(in_shape)))
    return tuple(trace.done)


@dataclass
class Trace(Following):
    """Follows values through a network and writes down what happens to them."""

    train: bool = True
    done: list[Operation] = field(default_factory=list)
    loop: Loop | None = None
    times: int = 1

    def leaf(self, path: str, layer: Layer, x: Value) -> Value:
        if computes_as(layer, Identity):
            return x
        return self._do(path, layer, (x,), located(path, layer.out_shape, x.shape), in_place(layer))

    def join(self, f, *parts, shapes=None, pointwise=False, in_place=False) -> Value:
        return self._do(self.path, f, parts, self.joined(f, shapes, parts), in_place)

    def repeat(self, name, layer, x, times, *, shared=False, unroll=False) -> Value:
        loop = self.loop or Loop(
            path_to(self.path, name), Repeat(layer, times, shared=shared, unroll=unroll), x
        )
        return Following.repeat(
            replace(self, loop=loop, times=self.times * times), name, layer, x, times
        )

    def _do(
        self,
        path: str,
        layer: Layer | Callable,
        inputs: tuple[Value, ...],
        shape: Shape,
        in_place: bool,
    ) -> Value:
        output = Value(len(self.done) + 1, shape)
        self.done.append(Operation(path, layer, inputs, output, in_place, self.loop, self.times))
        return output
