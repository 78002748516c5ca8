"""A network of ONNX as a net of jconv, for what classifies images by convolutions."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from ...data.pixels import PixelScale, as_pixel_scale
from ...errors import InputError
from ...geometry import Shape
from ..graph import Graph, assemble
from ..reading import Reading, SizeUnknown, as_reading
from .building import Building, attributes, prepared
from .operators import OPERATORS


def read_onnx(path: Path, in_shape: Shape = ()) -> Reading:
    """The net and the weights of a .onnx file. `in_shape`, (H, W, C), is needed where the file
    leaves the size open. Raises InputError naming the node.
    """
    try:
        model = onnx.load(path)
        graph = model.graph
        known = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    except (DecodeError, LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise InputError(
            f"{path}: not a whole ONNX file ({type(error).__name__}: {str(error):.100})"
            if str(error)
            else f"{path}: not a whole ONNX file"
        ) from None
    except onnx.checker.ValidationError as error:
        raise InputError(f"{path}: its weights cannot be read ({str(error):.100})") from None
    words = [w for n in graph.node for w in (n.name, n.op_type, n.domain, *n.input, *n.output)]
    if not all(isinstance(word, str) for word in words):
        raise InputError(f"{path}: not a whole ONNX file: a name in it is no text")
    if not graph.node or not graph.output:
        raise InputError(f"{path}: holds no network; a file that ONNX wrote was expected")
    inputs = [value for value in graph.input if value.name not in known]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise InputError(f"{path}: has the inputs {names}; one, the images, was expected")
    source = inputs[0].name
    last = _channels_last(graph, source)
    shape = _in_shape(str(path), inputs[0], in_shape, last)
    building = Building(
        Graph(str(path)),
        known,
        Counter(x for node in graph.node for x in node.input),
        {y: node for node in graph.node for y in node.output},
        source,
        scaled={source},
    )
    building.graph.begin(source, shape)
    if last:
        building.last.add(source)
    output = _trimmed(graph, building)
    for place, node in enumerate(graph.node):
        if id(node) in building.skipped:
            continue
        _run(building, place, node)
    found = assemble(building.graph, source, output)
    trees = {"params": found.params, "state": found.state}
    pixels, names = _about(path, model, shape, found.net.out_shape(shape)[-1])
    if pixels is None:
        building.notes.append("says nothing of the scale of pixels: value/255 is assumed")
    reading = as_reading(found.net, shape, trees, "ONNX", building.notes, pixels, names)
    values = {
        found.paths[node.name]: (node.inputs[0], node.output)
        for node in building.graph.nodes
        if node.layer is not None and node.name in found.paths
    }
    return reading._replace(values=values)


def _about(
    path: Path, model: Any, in_shape: Shape, classes: int
) -> tuple[PixelScale | None, tuple[str, ...]]:
    """The pixel scale and the class names, of a file that jconv wrote. Raises InputError."""
    for entry in model.metadata_props:
        if entry.key != "jconv":
            continue
        try:
            about = json.loads(entry.value)
            pixels = as_pixel_scale(about["pixel_mean"], about["pixel_std"], in_shape[-1])
            names = tuple(map(str, about["class_names"]))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: what it says of its pixels cannot be used ({error})"
            ) from None
        return pixels, names if len(names) == classes else ()
    return None, ()


def _run(building: Building, place: int, node: Any) -> None:
    if node.domain not in ("", "ai.onnx"):
        raise InputError(
            f"{building.graph.where}: node {place + 1}, {node.name!r}, is {node.op_type!r} of "
            f"{node.domain!r}, which is not ONNX's own"
        )
    if prepared(building, node):
        return
    read = OPERATORS.get(node.op_type)
    if read is None:
        raise InputError(
            f"{building.graph.where}: node {place + 1}, {node.name!r}, is a {node.op_type!r}; "
            f"those that can be read are {', '.join(OPERATORS)}"
        )
    if not node.input or not node.output or not node.input[0]:
        raise InputError(f"{building.at(node)}: has no input or no output")
    try:
        read(building, node)
    except (IndexError, KeyError, AttributeError, OverflowError, ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{building.at(node)}: its attributes or inputs are none of such a node "
            f"({type(error).__name__}: {error})"
        ) from None


def _in_shape(where: str, value: Any, given: Shape, last: bool) -> Shape:
    dims = value.type.tensor_type.shape.dim
    sizes = [d.dim_value if d.HasField("dim_value") else 0 for d in dims]
    if len(sizes) < 2:
        raise InputError(
            f"{where}: the input {value.name!r} has {len(sizes)} axes; (batch, channels, height, "
            "width) was expected"
        )
    one = sizes[1:]
    if not last:
        one = [*one[1:], one[0]]
    if given:
        if len(given) != len(one) or any(a not in (0, b) for a, b in zip(one, given, strict=True)):
            raise InputError(f"{where}: takes images of {tuple(one)}, in_shape says {given}")
        return given
    if 0 in one or min(one) < 0:
        raise SizeUnknown(
            f"{where}: leaves the size of its images open, {tuple(n or '?' for n in one)} (height, "
            "width, channels); give in_shape"
        )
    return tuple(one)


def _channels_last(graph: Any, source: str) -> bool:
    """Whether the first thing done to the images is to bring their channels to the front."""
    users = [node for node in graph.node if source in node.input]
    return bool(users) and all(
        node.op_type == "Transpose" and list(attributes(node).get("perm", ())) == [0, 3, 1, 2]
        for node in users
    )


def _trimmed(graph: Any, building: Building) -> str:
    """The output without a softmax at its end; scores are what a net gives."""
    output = graph.output[0].name
    node = building.makers.get(output)
    while node is not None and node.op_type in ("Softmax", "LogSoftmax", "Identity"):
        if node.op_type != "Identity":
            building.notes.append(f"{node.op_type} at the end is left out, scores are the output")
        building.skipped.add(id(node))
        output = node.input[0]
        node = building.makers.get(output)
    return output
