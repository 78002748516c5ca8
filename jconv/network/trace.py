"""A network as the list of its operations: which array goes into which, in execution order. Shapes alone; nothing is computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from ..composite import Call, Composite
from ..errors import located
from ..geometry import Shape
from ..layer import Layer
from ..layers import Identity


class Value(NamedTuple):
    """What stands for an array: a number of its own, and the shape of one example. The input is number 0."""

    number: int
    shape: Shape


class Operation(NamedTuple):
    """One layer, or one meeting of branches, at `path`."""

    path: str
    layer: Layer
    inputs: tuple[Value, ...]
    output: Value


def operations(net: Layer, in_shape: Shape, train: bool = True) -> tuple[Operation, ...]:
    """What an apply does, in order; an Identity does nothing. Raises ShapeError with the path of the layer."""
    trace = Trace("", [], train)
    trace.follow("", net, Value(0, in_shape))
    return tuple(trace.done)


@dataclass
class Trace(Call):
    """Follows values through a network and writes down what happens to them."""

    path: str
    done: list[Operation]
    train: bool

    def child(self, name: str, layer: Layer, x: Value) -> Value:
        return self.follow(f"{self.path}/{name}" if self.path else name, layer, x)

    def follow(self, path: str, layer: Layer, x: Value) -> Value:
        if isinstance(layer, Composite):
            return layer.run(replace(self, path=path), x)
        if isinstance(layer, Identity):
            return x
        return self._do(path, layer, (x,), located(path, layer.out_shape, x.shape))

    def join(self, layer: Composite, parts: dict[str, Value]) -> Value:
        shape = located(self.path, layer.join_shapes, {name: value.shape for name, value in parts.items()})
        return self._do(self.path, layer, tuple(parts.values()), shape)

    def _do(self, path: str, layer: Layer, inputs: tuple[Value, ...], shape: Shape) -> Value:
        output = Value(len(self.done) + 1, shape)
        self.done.append(Operation(path, layer, inputs, output))
        return output
