"""A net as a file of ONNX: every layer one node, or a few.

Each kind of layer is a function in WRITERS of (building, path, layer, x, shape) that adds its nodes
and gives the name of what they make; a further kind is one more of these. A composite is followed
by its own `run`, so that one of anybody's own is written too, where its parts are joined by sums
and side by side. Values are (batch, channels, *sizes) there, the batch open.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ...compose import Following, Placeholder
from ...compose.containers import side_by_side, summed
from ...errors import InputError, LayerError, located
from ...geometry import Shape
from ...layer import Layer
from ...layers import (
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Clip,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    DropPath,
    Elu,
    Flatten,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    Identity,
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
from ..layout import Order, dense_to_first, kernel_to_first, restored
from ..native import Weights
from ..orders import order_after

OPSET = 17  # or what a layer needs
INPUT, OUTPUT = "images", "scores"


class Named(Placeholder):
    """One example's shape, the name of the value there, and where its features lie there."""

    def __init__(self, shape: Shape, name: str, order: Order = None):
        super().__init__(shape)
        self.name, self.order = name, order


@dataclass
class Building:
    """The nodes and the numbers so far, and the arrays of the net."""

    params: Mapping[str, Any]
    state: Mapping[str, Any]
    nodes: list[Any] = field(default_factory=list)
    numbers: dict[str, np.ndarray] = field(default_factory=dict)
    opset: int = OPSET

    def node(self, kind: str, inputs: Sequence[str], path: str, **settings: Any) -> str:
        """Add a node; the name of what it makes."""
        name = f"{path}/{kind}" if path else kind
        while any(node.name == name for node in self.nodes):
            name += "'"
        kept = {key: value for key, value in settings.items() if value is not None}
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **kept))
        return name

    def number(self, name: str, value: Any) -> str:
        """Add numbers of the file's own; their name."""
        self.numbers[name] = np.ascontiguousarray(value)
        return name

    def array(self, path: str, leaf: str, what: str = "params") -> np.ndarray:
        tree: Any = self.params if what == "params" else self.state
        for name in path.split("/") if path else ():
            tree = tree[name]
        return np.asarray(tree[leaf], np.float32)


@dataclass
class _Writing(Following):
    building: Building = field(default_factory=lambda: Building({}, {}))
    train = False  # what rests at test time is left out

    def leaf(self, path: str, layer: Layer, x: Named) -> Named:
        shape = located(path, layer.out_shape, x.shape)
        write = WRITERS.get(type(layer))
        if write is None:
            raise LayerError(
                f"{type(layer).__name__} cannot be written as ONNX; layers that can are "
                f"{', '.join(kind.__name__ for kind in WRITERS)}",
                path,
            )
        name = located(path, write, self.building, path, layer, x)
        return Named(shape, name, order_after(layer, x.shape, x.order))

    def join(self, f, *parts, shapes=None, pointwise=False, in_place=False) -> Named:
        shape = self.joined(f, shapes, parts)
        if f is summed:
            name = self.building.node("Add", [part.name for part in parts], self.path)
        elif f is side_by_side:
            name = self.building.node("Concat", [p.name for p in parts], self.path, axis=1)
        else:
            raise LayerError(
                f"joins its parts by {getattr(f, '__name__', f)!r}, which is not known in ONNX",
                self.path,
            )
        if any(part.order is not None for part in parts):
            raise LayerError("joins flattened images, which cannot be written", self.path)
        return Named(shape, name)

    def repeat(self, name, layer, x, times, *, shared=False, unroll=False):
        raise LayerError("a loop cannot be written as ONNX", self.path)

    def record(self, name: str, y: Any) -> None:
        pass


def write_onnx(path: Path, weights: Weights) -> None:
    """Write a .onnx file, whole or not at all. Its input "images" is (batch, channels, *sizes) of
    numbers that the pixel scale was applied to, its output "scores" (batch, classes).

    The scale, the names of the classes and the shape of an image are in its metadata, "jconv".
    Raises InputError with the path of a layer that has no counterpart.
    """
    building = Building(weights.params, weights.state)
    shape = weights.in_shape
    call = _Writing(building=building)
    try:
        y: Named = call.follow("", weights.net, Named(shape, INPUT))
    except LayerError as error:
        raise InputError(f"{path}: {error}") from None
    building.nodes.append(helper.make_node("Identity", [y.name], [OUTPUT], name=OUTPUT))
    sizes = lambda one: ["batch", one[-1], *one[:-1]]
    graph = helper.make_graph(
        building.nodes,
        "jconv",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, sizes(shape))],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, sizes(y.shape))],
        [numpy_helper.from_array(array, name) for name, array in building.numbers.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", building.opset)], producer_name="jconv"
    )
    model.ir_version = min(model.ir_version, 9)  # which runtimes of some years ago read
    about = {
        "in_shape": shape,
        "class_names": weights.class_names,
        "pixel_mean": weights.pixels.mean,
        "pixel_std": weights.pixels.std,
    }
    helper.set_model_props(model, {"jconv": json.dumps(about)})
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        onnx.checker.check_model(model)
        unfinished.write_bytes(model.SerializeToString())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _sliding(layer: Any, shape: Shape) -> dict[str, Any]:
    """strides, pads and dilations of a window, what rounding up adds apart."""
    if getattr(layer, "padding_mode", "zeros") != "zeros":
        raise LayerError(f"padding_mode={layer.padding_mode!r} cannot be written as ONNX")
    over = layer.over(shape)
    lo, hi = zip(*over.padding, strict=True)
    return {
        "kernel_shape": list(over.size),
        "strides": list(over.stride),
        "dilations": list(over.dilation),
        "pads": [*lo, *hi],
    }


def _conv(building: Building, path: str, layer: Conv, x: Named) -> str:
    settings = _sliding(layer, x.shape)
    over = layer.over(x.shape)
    half = len(over.pads)
    # ONNX rounds convolutions down
    settings["pads"] = [*(lo for lo, _ in over.pads), *(hi for _, hi in over.pads)][: 2 * half]
    kernel = building.array(path, "kernel")
    if layer.mask:
        import jax.numpy as jnp

        kernel = np.asarray(layer.full_kernel(jnp.asarray(kernel), x.shape[-1]))
    inputs = [x.name, building.number(f"{path}.weight", kernel_to_first(kernel))]
    inputs += _bias(building, path, layer)
    return building.node("Conv", inputs, path, group=layer.groups, **settings)


def _bias(building: Building, path: str, layer: Any) -> list[str]:
    return [building.number(f"{path}.bias", building.array(path, "bias"))] if layer.bias else []


def _conv_transpose(building: Building, path: str, layer: ConvTranspose, x: Named) -> str:
    over = layer.transposes(x.shape)
    lo, hi = zip(*over.padding, strict=True)
    extra = layer.extra if isinstance(layer.extra, tuple) else (layer.extra,) * len(lo)
    kernel = kernel_to_first(building.array(path, "kernel"))
    inputs = [x.name, building.number(f"{path}.weight", kernel), *_bias(building, path, layer)]
    return building.node(
        "ConvTranspose",
        inputs,
        path,
        kernel_shape=list(over.size),
        strides=list(over.stride),
        dilations=list(over.dilation),
        pads=[*lo, *hi],
        output_padding=list(extra),
        group=layer.groups,
    )


def _dense(building: Building, path: str, layer: Dense, x: Named) -> str:
    kernel = dense_to_first(building.array(path, "kernel"), x.order)
    inputs = [x.name, building.number(f"{path}.weight", kernel), *_bias(building, path, layer)]
    return building.node("Gemm", inputs, path, transB=1)


def _flatten(building: Building, path: str, layer: Flatten, x: Named) -> str:
    return building.node("Flatten", [x.name], path, axis=1)


def _batch_norm(building: Building, path: str, layer: BatchNorm, x: Named) -> str:
    channels = x.shape[-1]
    ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    arrays = {
        "weight": building.array(path, "scale") if layer.scale else ones,
        "bias": building.array(path, "bias") if layer.bias else zeros,
        "running_mean": building.array(path, "mean", "state"),
        "running_var": building.array(path, "var", "state"),
    }
    inputs = [
        building.number(f"{path}.{name}", restored(array, x.order))
        for name, array in arrays.items()
    ]
    settings = {"epsilon": layer.eps, "momentum": layer.decay}
    return building.node("BatchNormalization", [x.name, *inputs], path, **settings)


def _instance_norm(building: Building, path: str, layer: InstanceNorm, x: Named) -> str:
    channels = x.shape[-1]
    scale = building.array(path, "scale") if layer.scale else np.ones(channels, np.float32)
    bias = building.array(path, "bias") if layer.bias else np.zeros(channels, np.float32)
    inputs = [
        x.name,
        building.number(f"{path}.weight", scale),
        building.number(f"{path}.bias", bias),
    ]
    return building.node("InstanceNormalization", inputs, path, epsilon=layer.eps)


def _per_channel(building: Building, name: str, values: Any, x: Named) -> str:
    """Numbers, one per channel or one for all, in a shape that is broadcast over x."""
    array = np.broadcast_to(np.asarray(values, np.float32).reshape(-1), (x.shape[-1],))
    shape = (-1, *(1,) * (len(x.shape) - 1))
    return building.number(name, restored(array, x.order).reshape(shape))


def _scale(building: Building, path: str, layer: Scale, x: Named) -> str:
    y = x.name
    if layer.scale:
        scale = _per_channel(building, f"{path}.scale", building.array(path, "scale"), x)
        y = building.node("Mul", [y, scale], path)
    if layer.bias:
        bias = _per_channel(building, f"{path}.shift", building.array(path, "bias"), x)
        y = building.node("Add", [y, bias], path)
    return y


def _normalize(building: Building, path: str, layer: Normalize, x: Named) -> str:
    mean = _per_channel(building, f"{path}.mean", layer.mean, x)
    y = building.node("Sub", [x.name, mean], path)
    return building.node("Div", [y, _per_channel(building, f"{path}.std", layer.std, x)], path)


def _max_pool(building: Building, path: str, layer: MaxPool, x: Named) -> str:
    settings = _sliding(layer, x.shape)
    return building.node("MaxPool", [x.name], path, **_rounded(layer, x, settings))


def _avg_pool(building: Building, path: str, layer: AvgPool, x: Named) -> str:
    settings = _rounded(layer, x, _sliding(layer, x.shape))
    if set(settings.pop("dilations")) != {1}:
        raise LayerError("a dilated average cannot be written as ONNX")
    return building.node(
        "AveragePool", [x.name], path, count_include_pad=int(layer.count_padding), **settings
    )


def _rounded(layer: Any, x: Named, settings: dict[str, Any]) -> dict[str, Any]:
    return settings | {"ceil_mode": 1} if any(layer.over(x.shape).overhang) else settings


def _lp_pool(building: Building, path: str, layer: LpPool, x: Named) -> str:
    settings = _sliding(layer, x.shape)
    if set(settings.pop("dilations")) != {1} or any(layer.over(x.shape).overhang):
        raise LayerError("this pool is dilated or rounds up, which ONNX's LpPool does not")
    if layer.p != int(layer.p):
        raise LayerError(f"p={layer.p}: ONNX's LpPool takes whole numbers")
    return building.node("LpPool", [x.name], path, p=int(layer.p), **settings)


def _global(kind: str) -> Callable[..., str]:
    def write(building: Building, path: str, layer: Layer, x: Named) -> str:
        pooled = building.node(kind, [x.name], path)
        return building.node("Flatten", [pooled], path, axis=1)

    return write


def _adaptive(building: Building, path: str, layer: AdaptiveAvgPool, x: Named) -> str:
    over = layer.over(x.shape)
    if over is None:
        raise LayerError("its bins differ in size, which no pool of ONNX's has")
    sizes = {"kernel_shape": list(over.size), "strides": list(over.stride)}
    return building.node("AveragePool", [x.name], path, **sizes)


def _lrn(building: Building, path: str, layer: LocalResponseNorm, x: Named) -> str:
    if layer.within or layer.size % 2 == 0:
        raise LayerError("a response norm within channels, or of an even size, is none of ONNX's")
    paper = layer.convention == "paper"
    k = layer.k if layer.k is not None else (2.0 if paper else 1.0)
    alpha = layer.alpha * (layer.size if paper else 1)
    return building.node(
        "LRN", [x.name], path, size=layer.size, alpha=alpha, beta=layer.beta, bias=k
    )


def _pad_channels(building: Building, path: str, layer: PadChannels, x: Named) -> str:
    after = layer.channels - layer.before - x.shape[-1]
    rest = [0] * (len(x.shape) - 1)
    pads = np.array([0, layer.before, *rest, 0, after, *rest], np.int64)
    return building.node("Pad", [x.name, building.number(f"{path}.pads", pads)], path)


def _prelu(building: Building, path: str, layer: PRelu, x: Named) -> str:
    slope = _per_channel(building, f"{path}.slope", building.array(path, "slope"), x)
    return building.node("PRelu", [x.name, slope], path)


def _gelu(building: Building, path: str, layer: Gelu, x: Named) -> str:
    building.opset = max(building.opset, 20)
    return building.node(
        "Gelu", [x.name], path, approximate="tanh" if layer.approximate else "none"
    )


def _clip(building: Building, path: str, layer: Clip, x: Named) -> str:
    bounds = [
        building.number(f"{path}.{name}", np.float32(getattr(layer, name)))
        for name in ("least", "most")
    ]
    return building.node("Clip", [x.name, *bounds], path)


def _silu(building: Building, path: str, layer: Silu, x: Named) -> str:
    return building.node("Mul", [x.name, building.node("Sigmoid", [x.name], path)], path)


def _tanh(building: Building, path: str, layer: Tanh, x: Named) -> str:
    slope = building.number(f"{path}.slope", np.float32(layer.slope))
    scale = building.number(f"{path}.factor", np.float32(layer.scale))
    y = x.name if layer.slope == 1.0 else building.node("Mul", [x.name, slope], path)
    y = building.node("Tanh", [y], path)
    return y if layer.scale == 1.0 else building.node("Mul", [y, scale], path)


def _softplus(building: Building, path: str, layer: Softplus, x: Named) -> str:
    if layer.beta != 1.0:
        raise LayerError(f"beta={layer.beta}: ONNX's Softplus has 1")
    return building.node("Softplus", [x.name], path)


def _softmax(building: Building, path: str, layer: Softmax, x: Named) -> str:
    return building.node("Softmax", [x.name], path, axis=1)


def _plain(kind: str, **names: str) -> Callable[..., str]:
    """A node of one input; of each attribute the setting that it is."""

    def write(building: Building, path: str, layer: Layer, x: Named) -> str:
        settings = {attribute: getattr(layer, name) for attribute, name in names.items()}
        return building.node(kind, [x.name], path, **settings)

    return write


def _same(building: Building, path: str, layer: Layer, x: Named) -> str:
    return x.name


WRITERS: dict[type[Layer], Callable[..., str]] = {
    Conv: _conv,
    ConvTranspose: _conv_transpose,
    Dense: _dense,
    Flatten: _flatten,
    BatchNorm: _batch_norm,
    InstanceNorm: _instance_norm,
    Scale: _scale,
    Normalize: _normalize,
    MaxPool: _max_pool,
    AvgPool: _avg_pool,
    LpPool: _lp_pool,
    GlobalAvgPool: _global("GlobalAveragePool"),
    GlobalMaxPool: _global("GlobalMaxPool"),
    AdaptiveAvgPool: _adaptive,
    LocalResponseNorm: _lrn,
    PadChannels: _pad_channels,
    PRelu: _prelu,
    Relu: _plain("Relu"),
    Clip: _clip,
    LeakyRelu: _plain("LeakyRelu", alpha="slope"),
    Elu: _plain("Elu", alpha="alpha"),
    Sigmoid: _plain("Sigmoid"),
    Tanh: _tanh,
    Softplus: _softplus,
    Softmax: _softmax,
    Gelu: _gelu,
    Silu: _silu,
    Identity: _same,
    Dropout: _same,  # nothing at test time
    DropPath: _same,
}
