"""A net as a flat list of operations in the order in which they run.

A composite is followed by its own `run`, so that one of anybody's own is written too, where its
parts are joined by sums and side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...compose import Following, Placeholder
from ...compose.containers import side_by_side, summed
from ...errors import LayerError, located
from ...geometry import Shape
from ...layer import Layer, Params, State
from .steps import STEPS, Step


@dataclass(frozen=True)
class Operation:
    """One step: what it reads, 0 for the image and i + 1 for what operation i makes, and where it
    comes from.
    """

    step: Step
    inputs: tuple[int, ...]
    path: str
    layer: str = ""  # "Conv"; nothing for what is not a layer's output, and is not shown


@dataclass(frozen=True)
class Program:
    """The operations of a net. The last makes its output."""

    in_shape: Shape
    operations: tuple[Operation, ...]

    @property
    def out_shape(self) -> Shape:
        return self.operations[-1].step.shape if self.operations else self.in_shape

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        steps = (operation.step for operation in self.operations)
        return sum(array.size for step in steps for array in step.arrays.values())


class Made(Placeholder):
    """One example's shape, and which value it is."""

    def __init__(self, shape: Shape, number: int):
        super().__init__(shape)
        self.number = number


@dataclass
class _Compiling(Following):
    params: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    done: list[Operation] = field(default_factory=list)
    train = False  # what rests at test time is left out

    def leaf(self, path: str, layer: Layer, x: Made) -> Made:
        located(path, layer.out_shape, x.shape)
        steps = STEPS.get(type(layer))
        if steps is None:
            raise LayerError(
                f"a page cannot compute {type(layer).__name__}; layers that it can are "
                f"{', '.join(kind.__name__ for kind in STEPS)}",
                path,
            )
        found = located(path, steps, layer, x.shape, self._arrays(path))
        for i, step in enumerate(found, 1):
            shown = i == len(found) and step.kind != "same"
            x = self._add(step, (x,), path, type(layer).__name__ if shown else "")
        return x

    def join(self, f, *parts, shapes=None, pointwise=False, in_place=False) -> Made:
        shape, known = self.joined(f, shapes, parts), {summed: "Sum", side_by_side: "Concat"}
        if f not in known:
            name = getattr(f, "__name__", repr(f))
            raise LayerError(f"joins its parts by {name!r}; a page can sum and concat", self.path)
        return self._add(Step(known[f].lower(), shape), parts, self.path, known[f])

    def repeat(self, name, layer, x, times, *, shared=False, unroll=False):
        raise LayerError("a page cannot compute a loop", self.path)

    def record(self, name: str, y: Any) -> None:
        pass

    def _add(self, step: Step, inputs: tuple[Made, ...], path: str, layer: str) -> Made:
        self.done.append(Operation(step, tuple(x.number for x in inputs), path, layer))
        return Made(step.shape, len(self.done))

    def _arrays(self, path: str) -> dict[str, np.ndarray]:
        """The layer's parameters and state by name."""
        found: dict[str, np.ndarray] = {}
        for tree in (self.params, self.state):
            for name in path.split("/") if path else ():
                tree = tree.get(name, {})
            found |= {
                name: np.asarray(array, np.float32)
                for name, array in tree.items()
                if not isinstance(array, Mapping)
            }
        return found


def compile_net(net: Layer, params: Params, state: State, in_shape: Shape) -> Program:
    """The operations that give the net's output at test time; those of taps are left out.

    Raises LayerError with the path of a layer that has no counterpart.
    """
    call = _Compiling(params=params, state=state)
    y: Made = call.follow("", net, Made(in_shape, 0))
    return Program(in_shape, _needed(call.done, y.number))


def _needed(operations: list[Operation], output: int) -> tuple[Operation, ...]:
    """Those that the output is made of, numbered anew."""
    needed, open_ = {0}, [output]
    while open_:
        number = open_.pop()
        if number not in needed:
            needed.add(number)
            open_ += operations[number - 1].inputs
    order = {number: i for i, number in enumerate(sorted(needed))}
    return tuple(
        Operation(o.step, tuple(order[i] for i in o.inputs), o.path, o.layer)
        for o in (operations[number - 1] for number in sorted(needed - {0}))
    )
