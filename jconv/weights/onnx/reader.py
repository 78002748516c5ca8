"""A network of ONNX as a net of jconv, for what classifies images by convolutions.

Each kind of node is a function in OPERATORS of (building, node) that adds to the graph what the
node computes; a further kind is one more of these. Values are (batch, channels, *sizes) there. What
only prepares a shape (Shape, Gather, Concat of sizes before a Reshape) is computed on the way, with
a batch of one.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from ...data.pixels import PixelScale, as_pixel_scale
from ...errors import InputError
from ...geometry import Shape
from ...layer import Layer
from ...layers import (
    AvgPool,
    BatchNorm,
    Clip,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Elu,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    InstanceNorm,
    LeakyRelu,
    LocalResponseNorm,
    LpPool,
    MaxPool,
    Normalize,
    PadChannels,
    PRelu,
    Relu,
    Scale,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Tanh,
)
from ..graph import Came, Graph, assemble
from ..layout import dense_from_first, kernel_from_first, reordered
from ..reading import Reading, as_reading

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
        self._refuse_padding(node, taken)
        name, output = _name(node, self.known), node.output[0]
        self.graph.add(name, node.op_type, taken, output, made, given, state, said, order)

    def _refuse_padding(self, node: Any, x: str) -> None:
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
    if _prepared(building, node):
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
        raise InputError(
            f"{where}: leaves the size of its images open, {tuple(n or '?' for n in one)} (height, "
            "width, channels); give in_shape"
        )
    return tuple(one)


def _channels_last(graph: Any, source: str) -> bool:
    """Whether the first thing done to the images is to bring their channels to the front."""
    users = [node for node in graph.node if source in node.input]
    return bool(users) and all(
        node.op_type == "Transpose" and list(_attributes(node).get("perm", ())) == [0, 3, 1, 2]
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


def _attributes(node: Any) -> dict[str, Any]:
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def _prepared(building: Building, node: Any) -> bool:
    """Compute what does not depend on the pixels: constants, and shapes, of a batch of one."""
    known = building.known
    if node.op_type == "Constant":
        value = _attributes(node)
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
        bounds = _attributes(node)
        known[node.output[0]] = whole[bounds.get("start", 0) : bounds.get("end", len(whole))]
        return True
    if node.input and all(name in known or not name for name in node.input):
        if node.op_type not in PREPARED:
            return False
        given = [known[name] if name else None for name in node.input]
        try:
            known[node.output[0]] = PREPARED[node.op_type](_attributes(node), *given)
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


def _settings(building: Building, node: Any, sizes: Shape, shape: Shape) -> dict[str, Any]:
    """stride, padding and dilation of a window of `sizes` over an image (*S, C)."""
    given = _attributes(node)
    rank = len(shape) - 1
    if rank < 1 or len(sizes) != rank:
        raise InputError(f"{building.at(node)}: a window of {sizes} over an input of {shape}")
    stride = tuple(given.get("strides", (1,) * rank))
    dilation = tuple(given.get("dilations", (1,) * rank))
    auto = given.get("auto_pad", b"NOTSET").decode()
    pads = list(given.get("pads", (0,) * 2 * rank))
    if len(pads) != 2 * rank or len(stride) != rank or len(dilation) != rank:
        raise InputError(
            f"{building.at(node)}: its pads, strides and dilations are not {rank} axes"
        )
    padding = tuple(zip(pads[:rank], pads[rank:], strict=True))
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        padding = tuple(
            _same(size, f, s, d, auto == "SAME_UPPER")
            for size, f, s, d in zip(shape, sizes, stride, dilation, strict=False)
        )
    elif auto == "VALID":
        padding = ((0, 0),) * rank
    elif auto != "NOTSET":
        raise InputError(f"{building.at(node)}: auto_pad is {auto!r}")
    return {
        "stride": short(stride),
        "padding": _short_padding(padding),
        "dilation": short(dilation),
    }


def _same(size: int, f: int, stride: int, dilation: int, upper: bool) -> tuple[int, int]:
    """The padding that gives size / stride outputs, rounded up; an odd one more at the end, or at
    the beginning.
    """
    out = -(-size // stride)
    total = max(0, (out - 1) * stride + dilation * (f - 1) + 1 - size)
    return (total // 2, total - total // 2) if upper else (total - total // 2, total // 2)


def short(values: Sequence[int]) -> Any:
    """One number where all are the same."""
    return int(values[0]) if len(set(values)) == 1 else tuple(int(v) for v in values)


def _short_padding(padding: Sequence[tuple[int, int]]) -> Any:
    if all(lo == hi for lo, hi in padding):
        return short([lo for lo, _ in padding])
    return tuple((int(lo), int(hi)) for lo, hi in padding)


def _pairs(padding: Any, rank: int) -> Pads:
    entries = padding if isinstance(padding, tuple) else (padding,) * rank
    return tuple(entry if isinstance(entry, tuple) else (entry, entry) for entry in entries)


def _conv(building: Building, node: Any, transposed: bool = False) -> None:
    kernel = building.weights(node, 1)
    bias, came = building.weights(node, 2), building.graph.value(node.input[0], node.op_type)
    if kernel is None or kernel.array.ndim < 3:
        raise InputError(f"{building.at(node)}: has no kernel")
    given, groups = _attributes(node), _attributes(node).get("group", 1)
    sizes, shape = kernel.array.shape[2:], came.shape
    x = node.input[0]
    if len(shape) == 1 and set(sizes) == {1} and groups == 1 and not transposed:
        # a 1x1 convolution of what a global pool left is a dense layer
        matrix = kernel.array.reshape(kernel.array.shape[:2])
        dense = kernel._replace(array=dense_from_first(matrix, came.order), how="transposed")
        layer = partial(Dense, matrix.shape[0], bias=bias is not None)
        building.add(node, layer, {"kernel": dense, "bias": bias}, order=None)
        return
    settings = _settings(building, node, sizes, shape)
    if x in building.padded:
        more = building.padded[x]
        both = zip(_pairs(settings["padding"], len(sizes)), more, strict=True)
        settings["padding"] = _short_padding([(a + c, b + d) for (a, b), (c, d) in both])
        x = building.makers[x].input[0]
    if transposed:
        if "output_shape" in given:
            raise InputError(f"{building.at(node)}: output_shape is not read, pads are")
        settings["extra"] = short(given.get("output_padding", (0,) * len(sizes)))
    kind = ConvTranspose if transposed else Conv
    features = kernel.array.shape[1] * groups if transposed else kernel.array.shape[0]
    ours = kernel._replace(array=kernel_from_first(kernel.array), how="OIHW to HWIO")
    layer = partial(kind, features, short(sizes), groups=groups, bias=bias is not None, **settings)
    building.add(node, layer, {"kernel": ours, "bias": bias}, order=None, x=x)


def _gemm(building: Building, node: Any) -> None:
    given, kernel, bias = _attributes(node), building.weights(node, 1), building.weights(node, 2)
    if given.get("transA", 0) or kernel is None or kernel.array.ndim != 2:
        raise InputError(f"{building.at(node)}: images times a matrix were expected")
    matrix = kernel.array if given.get("transB", 0) else kernel.array.T
    scaled = matrix * np.asarray(given.get("alpha", 1.0), matrix.dtype)
    if bias is not None:
        flat = np.broadcast_to(bias.array.reshape(-1), (matrix.shape[0],))
        bias = bias._replace(array=flat * np.asarray(given.get("beta", 1.0), matrix.dtype))
    _dense(building, node, kernel, scaled, bias)


def _matmul(building: Building, node: Any) -> None:
    kernel = building.weights(node, 1)
    if kernel is None or kernel.array.ndim != 2:
        raise InputError(f"{building.at(node)}: a product of two images; a matrix was expected")
    _dense(building, node, kernel, kernel.array.T, None)


def _dense(
    building: Building, node: Any, came: Came, matrix: np.ndarray, bias: Came | None
) -> None:
    """`matrix` is (out, in), in the order of the source."""
    order = building.graph.value(node.input[0], node.op_type).order
    how = "" if matrix.shape != came.shape else "transposed"
    how += "" if order is None else ", inputs from (C, H, W) to (H, W, C)"
    kernel = came._replace(array=dense_from_first(matrix, order), how=how.removeprefix(", "))
    layer = partial(Dense, matrix.shape[0], bias=bias is not None)
    building.add(node, layer, {"kernel": kernel, "bias": bias}, order=None)


def _batch_norm(building: Building, node: Any) -> None:
    given, order = _attributes(node), building.graph.value(node.input[0], node.op_type).order
    arrays = [building.weights(node, place) for place in range(1, 5)]
    if any(array is None for array in arrays):
        raise InputError(f"{building.at(node)}: scale, bias, mean and variance were expected")
    scale, bias, mean, var = (a._replace(array=reordered(a.array, order)) for a in arrays if a)
    eps = _float(given.get("epsilon", 1e-5))
    layer = partial(BatchNorm, decay=_float(given.get("momentum", 0.9)), eps=eps)
    params, state = {"scale": scale, "bias": bias}, {"mean": mean, "var": var}
    building.add(node, layer, params, state, f"eps {eps:g}")


def _float(value: float) -> float:
    """The number that was written, of one that was kept in four bytes."""
    return float(f"{value:.7g}")


def _instance_norm(building: Building, node: Any) -> None:
    layer = partial(InstanceNorm, eps=_float(_attributes(node).get("epsilon", 1e-5)))
    building.add(
        node, layer, {"scale": building.weights(node, 1), "bias": building.weights(node, 2)}
    )


def _pool(building: Building, node: Any, kind: type[Layer]) -> None:
    given, shape = _attributes(node), building.shape(node)
    sizes = tuple(given["kernel_shape"])
    if given.get("storage_order", 0) or len(node.output) > 1 and node.output[1]:
        raise InputError(f"{building.at(node)}: gives switches too, which no layer takes")
    settings = _settings(building, node, sizes, shape)
    settings["rounding"] = "ceil" if given.get("ceil_mode", 0) else "floor"
    if kind is AvgPool:
        settings["count_padding"] = bool(given.get("count_include_pad", 0))
        if not np.any(settings["padding"]):
            settings.pop("count_padding")
        if sizes == shape[:-1] and not np.any(settings["padding"]):
            building.add(node, GlobalAvgPool)
            return
    if kind is LpPool:
        settings["p"] = float(given.get("p", 2))
    window = short(sizes)
    stride = settings.pop("stride")
    settings["stride"] = None if stride == window else stride
    building.add(node, partial(kind, window, **settings))


def _reduce_mean(building: Building, node: Any) -> None:
    given, rank = _attributes(node), len(building.shape(node)) - 1
    axes = building.constant(node, 1)
    over = sorted(int(a) % (rank + 2) for a in (given.get("axes", ()) if axes is None else axes))
    if over != list(range(2, rank + 2)) or rank < 1:
        raise InputError(
            f"{building.at(node)}: means over axes {over}; all positions were expected"
        )
    building.add(node, GlobalAvgPool)


def _lrn(building: Building, node: Any) -> None:
    given = _attributes(node)
    settings = {
        "alpha": _float(given.get("alpha", 1e-4)),
        "beta": _float(given.get("beta", 0.75)),
        "k": _float(given.get("bias", 1.0)),
    }
    layer = partial(LocalResponseNorm, given["size"], **settings)
    building.add(node, layer, said="alpha divided by the size")


def _clip(building: Building, node: Any) -> None:
    given, bounds = _attributes(node), []
    for place, name in ((1, "min"), (2, "max")):
        value = building.constant(node, place)
        bounds.append(given.get(name) if value is None else float(value.reshape(-1)[0]))
    least, most = bounds
    if most is None or least is None:
        if (least, most) != (0, None):
            raise InputError(f"{building.at(node)}: is held on one side; both were expected")
        building.add(node, Relu)
        return
    building.add(node, partial(Clip, _float(least), _float(most)))


def _prelu(building: Building, node: Any) -> None:
    slope, order = building.weights(node, 1), building.graph.value(node.input[0], "PRelu").order
    assert slope is not None
    flat = slope.array.reshape(-1)
    shared = flat.size == 1
    slope = slope._replace(array=flat if shared else reordered(flat, order))
    building.add(node, partial(PRelu, shared=shared), {"slope": slope})


def _meet(building: Building, node: Any) -> None:
    """Add and Sum: of two branches, or of a branch and numbers."""
    if any(name in building.known for name in node.input):
        _arithmetic(building, node)
        return
    for name in node.input:
        building._refuse_padding(node, name)
    building.graph.meet(node.name, node.op_type, "sum", list(node.input), node.output[0])


def _concat(building: Building, node: Any) -> None:
    rank = len(building.shape(node)) + 1
    axis = _attributes(node).get("axis", 1) % rank
    where = rank - 1 if node.input[0] in building.last else 1
    if axis != where:
        raise InputError(f"{building.at(node)}: joins along axis {axis}, the channels are {where}")
    building.graph.meet(node.name, node.op_type, "concat", list(node.input), node.output[0])


def _arithmetic(building: Building, node: Any) -> None:
    """A branch plus, minus, times or over numbers: one for all, or one per channel."""
    op = node.op_type
    branches = [name for name in node.input if name not in building.known]
    if len(branches) != 1 or len(node.input) != 2:
        _swish(building, node)
        return
    x, first = branches[0], node.input[0] == branches[0]
    name = node.input[1] if first else node.input[0]
    value = building.graph.value(x, op)
    numbers = _per_channel(building, node, building.known[name], value.shape, x in building.last)
    numbers = reordered(numbers, value.order)
    if not first and op in ("Sub", "Div"):
        if op == "Div":
            raise InputError(f"{building.at(node)}: numbers over an image, which no layer computes")
        scale, bias = -np.ones_like(numbers), numbers
    else:
        scale = {"Mul": numbers, "Div": 1 / numbers if op == "Div" else numbers}.get(op)
        bias = {"Add": numbers, "Sum": numbers, "Sub": -numbers}.get(op)
    dense = building.graph.nodes[-1] if building.graph.nodes else None
    if (
        op == "Add"
        and dense is not None
        and dense.kind == "MatMul"
        and dense.output == building.graph.current[x]
        and building.uses[x] == 1
    ):
        assert isinstance(dense.layer, Dense)
        came = Came(numbers, name, building.known[name].shape)
        layer = Dense(dense.layer.features)
        building.graph.nodes[-1] = dense._replace(
            layer=layer, params={**dense.params, "bias": came}
        )
        building.graph.rename(x, node.output[0])
        return
    if x in building.scaled and (scale is None or (scale > 0).all()):
        mean = () if bias is None else tuple((-bias).tolist())
        std = () if scale is None else tuple((1 / scale).tolist())
        building.scaled.add(node.output[0])
        building.add(node, partial(Normalize, mean or 0.0, std or 1.0), x=x)
        return
    how = building.known[name].shape
    params = {
        "scale": None if scale is None else Came(scale, name, how),
        "bias": None if bias is None else Came(bias, name, how),
    }
    layer = partial(Scale, scale=scale is not None, bias=bias is not None)
    building.add(node, layer, params, x=x)


def _per_channel(
    building: Building, node: Any, numbers: np.ndarray, shape: Shape, last: bool
) -> np.ndarray:
    """Numbers that are broadcast over an image, one per channel. Raises InputError for others."""
    sizes = numbers.shape
    rank = len(shape) - 1
    channel_axis = len(sizes) - 1 if last or rank == 0 else len(sizes) - 1 - rank
    others = [n for axis, n in enumerate(sizes) if axis != channel_axis]
    count = sizes[channel_axis] if 0 <= channel_axis < len(sizes) else 1
    if any(n != 1 for n in others) or count not in (1, shape[-1]):
        raise InputError(
            f"{building.at(node)}: numbers of shape {sizes} for an image of {shape}; one for all, "
            "or one per channel, was expected"
        )
    return np.broadcast_to(numbers.reshape(-1), (shape[-1],)).astype(np.float32)


def _swish(building: Building, node: Any) -> None:
    """x times sigmoid(x); the sigmoid was added before it."""
    graph, inputs = building.graph, list(node.input)
    last = graph.nodes[-1] if graph.nodes else None
    if node.op_type == "Mul" and len(inputs) == 2 and last is not None and last.kind == "Sigmoid":
        x = next((name for name in inputs if graph.current[name] == last.inputs[0]), None)
        gate = next((name for name in inputs if graph.current[name] == last.output), None)
        if x is not None and gate is not None and building.uses[gate] == 1:
            graph.nodes.pop()
            building.add(node, Silu, x=x)
            return
    raise InputError(
        f"{building.at(node)}: joins {' and '.join(inputs)} by {node.op_type}; branches that are "
        "added or put side by side can be read"
    )


def _flatten(building: Building, node: Any) -> None:
    axis = _attributes(node).get("axis", 1)
    if axis not in (1, -len(building.shape(node))):
        raise InputError(f"{building.at(node)}: has axis {axis}, 1 was expected")
    _flat(building, node)


def _flat(building: Building, node: Any) -> None:
    x = node.input[0]
    building._refuse_padding(node, x)
    first = x not in building.last
    building.graph.flatten(node.name, node.op_type, x, node.output[0], first)


def _reshape(building: Building, node: Any) -> None:
    target, shape = building.constant(node, 1), building.shape(node)
    if target is None:
        target = np.asarray(_attributes(node)["shape"])  # of the oldest files
    dims, size = [int(n) for n in target], math.prod(shape)
    there = [1, *(shape if node.input[0] in building.last else (shape[-1], *shape[:-1]))]
    resolved = [there[i] if n == 0 and i < len(there) else n for i, n in enumerate(dims)]
    if resolved.count(-1) == 1:
        rest = math.prod(n for n in resolved if n != -1)
        resolved[resolved.index(-1)] = size // max(1, rest)
    if resolved == there:
        building.graph.rename(node.input[0], node.output[0])
    elif [n for n in resolved if n != 1] in ([size], []) and len(resolved) == 2:
        _flat(building, node)
    elif len(resolved) > 2 and resolved[1] == size and set(resolved[2:]) == {1}:
        _flat(
            building, node
        )  # channels of one position, which convolutions of 1x1 take as they are
    else:
        raise InputError(
            f"{building.at(node)}: makes {resolved} of {there}; one row of features was expected"
        )


def _squeeze(building: Building, node: Any) -> None:
    shape = building.shape(node)
    if math.prod(shape[:-1]) != 1:
        raise InputError(f"{building.at(node)}: of an image of {shape}, one position was expected")
    _flat(building, node)


def _transpose(building: Building, node: Any) -> None:
    rank, x = len(building.shape(node)) + 1, node.input[0]
    perm = list(_attributes(node).get("perm", range(rank)[::-1]))
    to_last = perm == [0, *range(2, rank), 1]
    to_first = perm == [0, rank - 1, *range(1, rank - 1)]
    building._refuse_padding(node, x)
    if to_first and x in building.last or to_last and x not in building.last:
        building.graph.rename(x, node.output[0])
        if to_last:
            building.last.add(node.output[0])
        if x in building.scaled:
            building.scaled.add(node.output[0])
        return
    if rank == 2 and perm == [0, 1]:
        building.graph.rename(x, node.output[0])
        return
    raise InputError(
        f"{building.at(node)}: brings axes into the order {perm}; channels to the end or to the "
        "front were expected"
    )


def _pad(building: Building, node: Any) -> None:
    given, shape = _attributes(node), building.shape(node)
    pads = building.constant(node, 1)
    pads = np.asarray(given.get("pads", ()) if pads is None else pads).astype(int)
    value = building.constant(node, 2)
    rank = len(shape) + 1
    filled = 0.0 if value is None else float(np.asarray(value).reshape(-1)[0])
    if given.get("mode", b"constant") != b"constant" or filled != 0 or len(pads) != 2 * rank:
        raise InputError(f"{building.at(node)}: pads with other than zeros")
    pairs = [(int(pads[i]), int(pads[i + rank])) for i in range(rank)]
    if not any(map(any, pairs)):
        building.graph.rename(node.input[0], node.output[0])
        return
    if any(pairs[1]) and not any(map(any, [pairs[0], *pairs[2:]])) and min(pairs[1]) >= 0:
        before, after = pairs[1]
        layer = partial(PadChannels, before + shape[-1] + after, before)
        building.add(node, layer, order=None)
        return
    if any(map(any, pairs[:2])) or min(min(pair) for pair in pairs) < 0:
        raise InputError(f"{building.at(node)}: pads {pairs}; sizes alone were expected to grow")
    building.padded[node.output[0]] = tuple(pairs[2:])
    building.graph.rename(node.input[0], node.output[0])


def _dropout(building: Building, node: Any) -> None:
    ratio = building.constant(node, 1)
    rate = _attributes(node).get("ratio", 0.5) if ratio is None else float(ratio.reshape(-1)[0])
    building.add(node, partial(Dropout, _float(rate)))


def _softmax(building: Building, node: Any) -> None:
    axis, rank = _attributes(node).get("axis", -1), len(building.shape(node)) + 1
    if axis % rank != 1:
        raise InputError(f"{building.at(node)}: is over axis {axis}; the channels were expected")
    building.add(node, Softmax)


def _rename(building: Building, node: Any) -> None:
    building.graph.rename(node.input[0], node.output[0])


def _plain(layer: Callable[[dict[str, Any]], Layer]) -> Callable[[Building, Any], None]:
    return lambda building, node: building.add(node, partial(layer, _attributes(node)))


OPERATORS: dict[str, Callable[[Building, Any], None]] = {
    "Conv": _conv,
    "ConvTranspose": partial(_conv, transposed=True),
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "LRN": _lrn,
    "MaxPool": partial(_pool, kind=MaxPool),
    "AveragePool": partial(_pool, kind=AvgPool),
    "LpPool": partial(_pool, kind=LpPool),
    "GlobalAveragePool": _plain(lambda _: GlobalAvgPool()),
    "GlobalMaxPool": _plain(lambda _: GlobalMaxPool()),
    "ReduceMean": _reduce_mean,
    "Relu": _plain(lambda _: Relu()),
    "Clip": _clip,
    "LeakyRelu": _plain(lambda given: LeakyRelu(_float(given.get("alpha", 0.01)))),
    "PRelu": _prelu,
    "Elu": _plain(lambda given: Elu(_float(given.get("alpha", 1.0)))),
    "Gelu": _plain(lambda given: Gelu(given.get("approximate", b"none") == b"tanh")),
    "Sigmoid": _plain(lambda _: Sigmoid()),
    "Tanh": _plain(lambda _: Tanh()),
    "Softplus": _plain(lambda _: Softplus()),
    "Softmax": _softmax,
    "Add": _meet,
    "Sum": _meet,
    "Sub": _arithmetic,
    "Mul": _arithmetic,
    "Div": _arithmetic,
    "Concat": _concat,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Pad": _pad,
    "Dropout": _dropout,
    "Identity": _rename,
    "Cast": _rename,
}
