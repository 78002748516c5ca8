"""A network of ONNX on its way to a net of jconv, and what of it is known before any image:
numbers, and shapes, of a batch of one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from ...errors import InputError
from ...geometry import Shape
from ...layer import Layer
from ..graph import Came, Graph

Pads = tuple[tuple[int, int], ...]


@dataclass
class Building:
    """A network on its way."""

    graph: Graph
    known: dict[str, np.ndarray]  # values that do not depend on the images
    uses: Counter[str]
    makers: dict[str, Any]  # of a value the node
    source: str
    notes: list[str] = field(default_factory=list)
    padded: dict[str, Pads] = field(default_factory=dict)  # zeros that wait for a convolution
    last: set[str] = field(default_factory=set)  # values that have their channels last there
    scaled: set[str] = field(default_factory=set)  # the images, and what only scales them
    skipped: set[int] = field(default_factory=set)  # nodes that are part of another

    def at(self, node: Any) -> str:
        return f"{self.graph.where}: {node.op_type} {node.name or node.output[0]!r}"

    def constant(self, node: Any, place: int) -> np.ndarray | None:
        """An input that does not depend on the images; None where there is none. Raises
        InputError where it does.
        """
        if place >= len(node.input) or not node.input[place]:
            return None
        name = node.input[place]
        if name not in self.known:
            raise InputError(
                f"{self.at(node)}: its input {name!r} is computed from the images, numbers of its "
                "own were expected"
            )
        return self.known[name]

    def weights(self, node: Any, place: int) -> Came | None:
        array = self.constant(node, place)
        return None if array is None else Came(array, node.input[place], array.shape)

    def shape(self, node: Any, place: int = 0) -> Shape:
        return self.graph.value(node.input[place], node.op_type).shape

    def add(
        self,
        node: Any,
        layer: Callable[[], Layer],
        params: Mapping[str, Came | None] | None = None,
        state: Mapping[str, Came] | None = None,
        said: str = "",
        order: Any = "kept",
        x: str | None = None,
    ) -> None:
        """Add the layer of a node. Raises InputError for settings that no layer has."""
        try:
            made = layer()
        except (TypeError, ValueError) as error:
            raise InputError(f"{self.at(node)}: {error}") from None
        given = {leaf: came for leaf, came in (params or {}).items() if came is not None}
        taken: str = node.input[0] if x is None else x
        self.refuse_padding(node, taken)
        name, output = _name(node, self.known), node.output[0]
        self.graph.add(name, node.op_type, taken, output, made, given, state, said, order)

    def refuse_padding(self, node: Any, x: str) -> None:
        if x in self.padded:
            raise InputError(
                f"{self.at(node)}: takes an image that was padded by a node of its own; before a "
                "convolution that can be read"
            )


def _name(node: Any, known: Mapping[str, np.ndarray]) -> str:
    """A name for the layer: the module's, where the weights bear it."""
    for name in node.input[1:]:
        module, _, leaf = name.rpartition(".")
        if name in known and module and leaf in ("weight", "bias", "running_mean"):
            return module
    return node.name or ""


def attributes(node: Any) -> dict[str, Any]:
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def prepared(building: Building, node: Any) -> bool:
    """Compute what does not depend on the pixels: constants, and shapes, of a batch of one."""
    known = building.known
    if node.op_type == "Constant":
        value = attributes(node)
        if "value" in value:
            known[node.output[0]] = numpy_helper.to_array(value["value"])
        else:
            known[node.output[0]] = np.asarray(next(iter(value.values())))
        return True
    if node.op_type == "Shape" and node.input[0] in building.graph.current:
        shape = building.shape(node)
        channels_last = node.input[0] in building.last
        there = shape if channels_last else (shape[-1], *shape[:-1])
        whole = np.array([1, *there])
        bounds = attributes(node)
        known[node.output[0]] = whole[bounds.get("start", 0) : bounds.get("end", len(whole))]
        return True
    if node.input and all(name in known or not name for name in node.input):
        if node.op_type not in PREPARED:
            return False
        given = [known[name] if name else None for name in node.input]
        try:
            known[node.output[0]] = PREPARED[node.op_type](attributes(node), *given)
        except (TypeError, ValueError, IndexError, KeyError) as error:
            raise InputError(f"{building.at(node)}: cannot be computed ({error})") from None
        return True
    return False


def _sliced(_: Any, a: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    cut = [slice(None)] * a.ndim
    for axis, begin, end, step in zip(axes, starts, ends, steps, strict=True):
        cut[int(axis)] = slice(int(begin), int(end), int(step))
    return a[tuple(cut)]


PREPARED: dict[str, Callable[..., np.ndarray]] = {
    "Gather": lambda attributes, a, i: np.take(a, i.astype(int), attributes.get("axis", 0)),
    "Unsqueeze": lambda attributes, a, axes=None: np.expand_dims(
        a, tuple(int(i) for i in (attributes["axes"] if axes is None else axes))
    ),
    "Squeeze": lambda attributes, a, axes=None: np.squeeze(a),
    "Concat": lambda attributes, *parts: np.concatenate(
        [np.atleast_1d(part) for part in parts], attributes.get("axis", 0)
    ),
    "Cast": lambda attributes, a: a,
    "Identity": lambda attributes, a: a,
    "Slice": _sliced,
    "Mul": lambda attributes, a, b: a * b,
    "Add": lambda attributes, a, b: a + b,
    "Sub": lambda attributes, a, b: a - b,
    "Div": lambda attributes, a, b: a // b if a.dtype.kind in "iu" else a / b,
    "Reshape": lambda attributes, a, shape: a.reshape([int(n) for n in shape]),
    "Transpose": lambda attributes, a: np.transpose(a, attributes.get("perm")),
    "Floor": lambda attributes, a: np.floor(a),
    "ReduceProd": lambda attributes, a, *_: np.prod(a),
}
