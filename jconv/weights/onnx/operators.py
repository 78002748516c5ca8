"""What each of ONNX's operators is here: a function in OPERATORS of (building, node) that adds to
the graph what the node computes. A further one is one more of these. Values are (batch, channels,
*sizes) there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

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
from ..graph import Came
from ..layout import dense_from_first, kernel_from_first, reordered
from .building import Building, Pads, attributes


def _settings(building: Building, node: Any, sizes: Shape, shape: Shape) -> dict[str, Any]:
    """stride, padding and dilation of a window of `sizes` over an image (*S, C)."""
    given = attributes(node)
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
    given, groups = attributes(node), attributes(node).get("group", 1)
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
    given, kernel, bias = attributes(node), building.weights(node, 1), building.weights(node, 2)
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
    given, order = attributes(node), building.graph.value(node.input[0], node.op_type).order
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
    layer = partial(InstanceNorm, eps=_float(attributes(node).get("epsilon", 1e-5)))
    building.add(
        node, layer, {"scale": building.weights(node, 1), "bias": building.weights(node, 2)}
    )


def _pool(building: Building, node: Any, kind: type[Layer]) -> None:
    given, shape = attributes(node), building.shape(node)
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
    given, rank = attributes(node), len(building.shape(node)) - 1
    axes = building.constant(node, 1)
    over = sorted(int(a) % (rank + 2) for a in (given.get("axes", ()) if axes is None else axes))
    if over != list(range(2, rank + 2)) or rank < 1:
        raise InputError(
            f"{building.at(node)}: means over axes {over}; all positions were expected"
        )
    building.add(node, GlobalAvgPool)


def _lrn(building: Building, node: Any) -> None:
    given = attributes(node)
    settings = {
        "alpha": _float(given.get("alpha", 1e-4)),
        "beta": _float(given.get("beta", 0.75)),
        "k": _float(given.get("bias", 1.0)),
    }
    layer = partial(LocalResponseNorm, given["size"], **settings)
    building.add(node, layer, said="alpha divided by the size")


def _clip(building: Building, node: Any) -> None:
    given, bounds = attributes(node), []
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
        building.refuse_padding(node, name)
    building.graph.meet(node.name, node.op_type, "sum", list(node.input), node.output[0])


def _concat(building: Building, node: Any) -> None:
    rank = len(building.shape(node)) + 1
    axis = attributes(node).get("axis", 1) % rank
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
    axis = attributes(node).get("axis", 1)
    if axis not in (1, -len(building.shape(node))):
        raise InputError(f"{building.at(node)}: has axis {axis}, 1 was expected")
    _flat(building, node)


def _flat(building: Building, node: Any) -> None:
    x = node.input[0]
    building.refuse_padding(node, x)
    first = x not in building.last
    building.graph.flatten(node.name, node.op_type, x, node.output[0], first)


def _reshape(building: Building, node: Any) -> None:
    target, shape = building.constant(node, 1), building.shape(node)
    if target is None:
        target = np.asarray(attributes(node)["shape"])  # of the oldest files
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
    perm = list(attributes(node).get("perm", range(rank)[::-1]))
    to_last = perm == [0, *range(2, rank), 1]
    to_first = perm == [0, rank - 1, *range(1, rank - 1)]
    building.refuse_padding(node, x)
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
    given, shape = attributes(node), building.shape(node)
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
    rate = attributes(node).get("ratio", 0.5) if ratio is None else float(ratio.reshape(-1)[0])
    building.add(node, partial(Dropout, _float(rate)))


def _softmax(building: Building, node: Any) -> None:
    axis, rank = attributes(node).get("axis", -1), len(building.shape(node)) + 1
    if axis % rank != 1:
        raise InputError(f"{building.at(node)}: is over axis {axis}; the channels were expected")
    building.add(node, Softmax)


def _rename(building: Building, node: Any) -> None:
    building.graph.rename(node.input[0], node.output[0])


def _plain(layer: Callable[[dict[str, Any]], Layer]) -> Callable[[Building, Any], None]:
    return lambda building, node: building.add(node, partial(layer, attributes(node)))


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
