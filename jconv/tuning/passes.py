"""What the convolutions of a network come to in a training step: each distinct operation once, with
the layers that have it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..analysis.measure import parameters_of
from ..analysis.trace import operations
from ..geometry import Shape
from ..layer import Layer, computes_as
from ..layers import Conv, ConvTranspose
from ..ops.methods.plan import Workload
from ..ops.precision import is_highest
from ..ops.shapes import Geometry
from ..ops.views import without_padding

INPUT = "input gradient"
# a layer's pass by the operation it is: a transposed convolution is an input gradient used forwards
NAMES = {
    Conv: {"forward": "forward", "input_gradient": INPUT, "kernel_gradient": "kernel gradient"},
    ConvTranspose: {
        "input_gradient": "forward",
        "forward": INPUT,
        "kernel_gradient": "kernel gradient",
    },
}


class Pass(NamedTuple):
    """One operation, the same for the layers at `paths`."""

    name: str  # what the layers call it: "forward", "input gradient", "kernel gradient"
    work: Workload
    precision: str | None
    paths: tuple[str, ...]

    @property
    def title(self) -> str:
        return title(self.paths, self.name)


def title(paths: tuple[str, ...], name: str) -> str:
    """Such as "stage1/block1/conv1 and 5 more, kernel gradient"."""
    first, *more = paths
    return (
        f"{first or 'the net'} and {len(more)} more, {name}"
        if more
        else f"{first or 'the net'} {name}"
    )


def passes(net: Layer, in_shape: Shape, batch: int) -> list[Pass]:
    """In execution order, forward and gradients of a layer side by side. Raises ShapeError.

    No gradient is taken of what no trained layer has touched, the images above all, so the first
    layer has no input gradient; unless it is in a loop, whose program is the same each time. A path
    stands as often as its layer is gone through.
    """
    found: dict[tuple, list[str]] = {}
    trained: set[int] = set()  # the values that depend on parameters
    for path, layer, inputs, output, _, loop, times in operations(net, in_shape):
        behind = loop is not None or any(value.number in trained for value in inputs)
        if behind or (isinstance(layer, Layer) and parameters_of(layer, inputs[0].shape)[0]):
            trained.add(output.number)
        if computes_as(layer, Conv, ConvTranspose):
            for name, work in _workloads(layer, inputs[0].shape, batch):
                if behind or name != INPUT:
                    found.setdefault((name, work, layer.precision), []).extend([path] * times)
    return [
        Pass(name, work, precision, tuple(paths))
        for (name, work, precision), paths in found.items()
    ]


def convolution(layer: Conv | ConvTranspose, in_shape: Shape) -> tuple[Shape, Geometry]:
    """The kernel's shape, as the operations take it, and the geometry."""
    if isinstance(layer, ConvTranspose):
        w, wide, features = layer.transposes(in_shape), layer.features, in_shape[-1]
    else:
        w, wide, features = layer.over(in_shape), in_shape[-1], layer.features
        if layer.padding_mode != "zeros":
            w = without_padding(w)  # the image is padded before
    return (*w.size, wide // layer.groups, features), Geometry(w, layer.groups)


def _workloads(
    layer: Conv | ConvTranspose, in_shape: Shape, batch: int
) -> Iterator[tuple[str, Workload]]:
    k, geometry = convolution(layer, in_shape)
    x = (batch, *geometry.window.in_sizes, k[-2] * geometry.groups)
    names = next(names for kind, names in NAMES.items() if isinstance(layer, kind))
    highest = is_highest(layer.precision)
    return (
        (name, Workload(operation, x, k, geometry, highest=highest))
        for operation, name in names.items()
    )
