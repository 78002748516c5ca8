"""A network of Caffe on its way to a net of jconv."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...errors import InputError, near
from ...geometry import Shape, volume
from ..graph import Came, Graph
from .definition import Spec


@dataclass
class Building:
    """A network on its way."""

    graph: Graph
    blobs: Mapping[str, Sequence[np.ndarray]] | None  # by layer; None: there are no weights
    names: dict[str, str] = field(default_factory=dict)  # of a shared array, whose it was first
    notes: list[str] = field(default_factory=list)
    single: frozenset[str] = frozenset()  # values that one layer alone takes

    def arrays(self, spec: Spec, count: int) -> list[np.ndarray]:
        """The arrays of a layer, of which it must have `count`; [] where there are no weights.
        Raises InputError.
        """
        if self.blobs is None:
            return []
        found = list(self.blobs.get(spec.name, ()))
        shared = [p.name for p in spec.of.param]
        for i, name in enumerate(shared):
            if name and self.names.setdefault(name, spec.name) != spec.name:
                self.notes.append(
                    f"{spec.name}: shares {name!r} with {self.names[name]}; here each has a copy, "
                    "which training would change by itself"
                )
                if i >= len(found) and i < len(own := self.blobs.get(self.names[name], ())):
                    found.append(own[i])
        if len(found) != count:
            known = [name for name, arrays in self.blobs.items() if arrays]
            advice = "" if spec.name in self.blobs else near(spec.name, known)
            raise InputError(
                f"{self.graph.where}: {spec.kind} {spec.name!r} has {len(found)} arrays in the "
                f"weights, {count} were expected{f'; {advice}' if advice else ''}"
            )
        return found

    def came(self, spec: Spec, index: int, array: np.ndarray, shape: Shape) -> Came:
        """An array in the shape that it has in Caffe. Raises InputError for another size."""
        if array.size != volume(shape):
            raise InputError(
                f"{self.graph.where}: array {index} of {spec.kind} {spec.name!r} has shape "
                f"{array.shape}, {shape} was expected: {_explained(array.shape, shape)}"
            )
        return Came(array.reshape(shape), f"{spec.name}[{index}]", array.shape)


Kind = Callable[[Building, Spec], None]


def _explained(came: Shape, expected: Shape) -> str:
    """What would explain an array of another shape."""
    if volume(came) != volume(expected):
        return "the definition is of another net, or its images of another size"
    return "the same numbers in another shape"
