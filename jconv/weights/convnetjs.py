"""Snapshots of ConvNetJS, the JSON that its demos save and load, read and written.

A volume there is {"sx", "sy", "depth", "w"}, its numbers in the order of ours, (y, x, depth), as
{"0": ..., "1": ...} or as a list. Its dropout does nothing to the scale in training, and at test
time multiplies by the share dropped where the share kept was meant (ConvNetJS 0.3.0): a snapshot is
read so that it answers as there, the factor in the weights of the next layer.
Source: ConvNetJS, src/convnet_net.js and src/convnet_layers_*.js.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..compose import Sequential, walk
from ..data.pixels import UNIT, PixelScale, as_pixel_scale
from ..edit import fold_batch_norm
from ..errors import InputError, LayerError
from ..files import write_text
from ..geometry import Shape, volume
from ..layer import Layer
from ..layers import (
    Conv,
    Dense,
    Dropout,
    Flatten,
    Identity,
    LocalResponseNorm,
    Maxout,
    MaxPool,
    Relu,
    Sigmoid,
    Softmax,
    Tanh,
)
from .graph import Came
from .native import Weights
from .reading import Reading, as_reading

CIFAR = PixelScale(mean=(0.5,))  # of the CIFAR-10 demo
LAYERS = (
    "input, conv, fc, pool, relu, sigmoid, tanh, maxout, lrn, dropout, softmax, svm, regression"
)
OURS = "jconv"  # what ConvNetJS does not know of a net: it ignores other keys


def read_convnetjs(path: Path) -> Reading:
    """The net and the weights of a snapshot. Raises InputError naming the layer."""
    try:
        snapshot = json.loads(path.read_bytes())
        layers = snapshot["layers"]
        first = layers[0]
        in_shape = tuple(_whole(first, name) for name in ("out_sy", "out_sx", "out_depth"))
        if first["layer_type"] != "input":
            raise ValueError(f"its first layer is {first['layer_type']!r}, an input was expected")
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise InputError(
            f"{path}: not a snapshot of ConvNetJS ({type(error).__name__}: {str(error):.80})"
            if not isinstance(error, RecursionError)
            else f"{path}: not a snapshot of ConvNetJS: nested too deep"
        ) from None
    builder = _Reader(in_shape)
    for place, layer in enumerate(layers[1:], 1):
        where = f"{path}: layer {place}"
        kind = layer.get("layer_type") if isinstance(layer, dict) else None
        read = READERS.get(kind) if isinstance(kind, str) else None
        if read is None:
            raise InputError(f"{where} is {kind!r}; layers that can be read are {LAYERS}")
        try:
            read(builder, layer)
        except LayerError as error:
            raise InputError(f"{where}, {kind}: {error}") from None
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            missing = f"has no {error}" if isinstance(error, KeyError) else str(error)
            raise InputError(f"{where}, {kind}: {missing}") from None
    if not builder.layers:
        raise InputError(f"{path}: has no layers after its input")
    if builder.factor != 1.0:
        raise InputError(f"{path}: ends with a dropout, whose factor no weights can take")
    net = Sequential(**builder.layers)
    pixels, names = _about(path, snapshot, in_shape, builder)
    trees = {"params": builder.params, "state": {}}
    return as_reading(net, in_shape, trees, "ConvNetJS", builder.notes, pixels, names)


def _about(
    path: Path, snapshot: dict[str, Any], in_shape: Shape, builder: _Reader
) -> tuple[PixelScale, tuple[str, ...]]:
    """The pixel scale and the class names: those that jconv wrote, or those of the demos."""
    about = snapshot.get(OURS)
    if about is None:
        pixels = CIFAR if in_shape[-1] == 3 else UNIT
        builder.notes.append(f"says nothing of the scale of pixels: {pixels}, as the demos have it")
        return pixels, ()
    try:
        pixels = as_pixel_scale(about["pixel_mean"], about["pixel_std"], in_shape[-1])
        return pixels, tuple(map(str, about["class_names"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: what it says under {OURS!r} cannot be used ({error})") from None


class _Reader:
    """The layers so far, as they are read."""

    def __init__(self, in_shape: Shape):
        self.shape = in_shape
        self.layers: dict[str, Layer] = {}
        self.params: dict[str, dict[str, Came]] = {}
        self.notes: list[str] = []
        self.factor = 1.0  # of dropouts, for the next weights

    def add(self, kind: str, layer: Layer, params: dict[str, Came] | None = None) -> None:
        """Raises LayerError where the layer does not take what came before."""
        count = sum(name.rstrip("0123456789") == kind for name in self.layers)
        name = f"{kind}{count + 1}"
        self.shape = layer.out_shape(self.shape)
        self.layers[name] = layer
        if params:
            self.params[name] = params

    def scaled(self, kernel: np.ndarray) -> np.ndarray:
        kernel, self.factor = kernel * self.factor, 1.0
        return kernel

    def blocked(self, kind: str) -> None:
        """Raises ValueError where a dropout's factor would have to pass what it changes."""
        if self.factor != 1.0:
            raise ValueError(f"a dropout comes before, whose factor cannot pass a {kind}")


def _whole(layer: dict[str, Any], name: str, default: int | None = None, least: int = 1) -> int:
    value = layer.get(name, default) if default is not None else layer[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise ValueError(f"{name} is {value!r:.40}, a whole number was expected")
    if value < least:
        raise ValueError(f"{name} is {value}, at least {least} was expected")
    return int(value)


def _number(layer: dict[str, Any], name: str) -> float:
    value = layer[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} is {value!r:.40}, a number was expected")
    return float(value)


def _numbers(volume_: Any, what: str, count: int) -> np.ndarray:
    """The numbers of a volume. Raises ValueError unless there are so many."""
    w = volume_["w"]
    if len(w) != count:
        raise ValueError(f"{what} has {len(w):,} numbers, {count:,} were expected")
    values = w if isinstance(w, list) else [w[str(i)] for i in range(count)]
    array = np.array([math.nan if v is None else v for v in values], np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{what} holds numbers that are not finite")
    return array


def _filters(layer: dict[str, Any], features: int, shape: Shape) -> np.ndarray:
    """(*shape, features), `shape` being that of one filter."""
    filters = layer["filters"]
    if len(filters) != features:
        raise ValueError(f"has {len(filters)} filters, out_depth says {features}")
    rows = [_numbers(f, f"filter {i}", volume(shape)) for i, f in enumerate(filters)]
    return np.stack(rows, axis=-1).reshape(*shape, features)


def _weighted(
    builder: _Reader, kind: str, layer: dict[str, Any], made: Layer, shape: Shape
) -> None:
    features = _whole(layer, "out_depth")
    kernel = builder.scaled(_filters(layer, features, shape))
    biases = _numbers(layer["biases"], "biases", features)
    how = "one filter after another to (*F, in, out)"
    params = {
        "kernel": Came(kernel, "filters", (features, *shape), how),
        "bias": Came(biases, "biases", (features,)),
    }
    builder.add(kind, made, params)


def _read_conv(builder: _Reader, layer: dict[str, Any]) -> None:
    sy, sx = _whole(layer, "sy"), _whole(layer, "sx")
    made = Conv(
        _whole(layer, "out_depth"),
        sy if sy == sx else (sy, sx),
        stride=_whole(layer, "stride", 1),
        padding=_whole(layer, "pad", 0, least=0),
    )
    if len(builder.shape) != 3:
        raise ValueError(f"takes {builder.shape}, an image was expected")
    _weighted(builder, "conv", layer, made, (sy, sx, builder.shape[-1]))


def _read_fc(builder: _Reader, layer: dict[str, Any]) -> None:
    if len(builder.shape) > 1:
        builder.add("flatten", Flatten())
    _weighted(builder, "fc", layer, Dense(_whole(layer, "out_depth")), builder.shape)


def _read_pool(builder: _Reader, layer: dict[str, Any]) -> None:
    sy, sx = _whole(layer, "sy", _whole(layer, "sx")), _whole(layer, "sx")
    stride, pad = _whole(layer, "stride", 2), _whole(layer, "pad", 0, least=0)
    window = sy if sy == sx else (sy, sx)
    builder.add("pool", MaxPool(window, None if stride == window else stride, pad))


def _read_lrn(builder: _Reader, layer: dict[str, Any]) -> None:
    builder.blocked("lrn")
    alpha, beta, k = (_number(layer, name) for name in ("alpha", "beta", "k"))
    size = 2 * (_whole(layer, "n") // 2) + 1  # as many channels on either side
    alpha *= size / _whole(layer, "n")
    builder.add("norm", LocalResponseNorm(size, alpha=alpha, beta=beta, k=k))


def _read_dropout(builder: _Reader, layer: dict[str, Any]) -> None:
    rate = _number(layer, "drop_prob")
    builder.add("drop", Dropout(rate))
    builder.factor *= rate
    builder.notes.append(
        f"dropout multiplies by {rate:g}, the share dropped, at test time: that is in the next "
        "layer's weights"
    )


def _read_plain(kind: str, layer: Layer, builder: _Reader, _: dict[str, Any]) -> None:
    if kind not in ("relu", "maxout"):
        builder.blocked(kind)
    builder.add(kind, layer)


def _read_end(builder: _Reader, layer: dict[str, Any]) -> None:
    builder.notes.append(f"{layer['layer_type']} is left out, scores are the output")


READERS: dict[str, Callable[[_Reader, dict[str, Any]], None]] = {
    "conv": _read_conv,
    "fc": _read_fc,
    "pool": _read_pool,
    "lrn": _read_lrn,
    "dropout": _read_dropout,
    "relu": partial(_read_plain, "relu", Relu()),
    "sigmoid": partial(_read_plain, "sigmoid", Sigmoid()),
    "tanh": partial(_read_plain, "tanh", Tanh()),
    "maxout": lambda b, layer: _read_plain("maxout", Maxout(_whole(layer, "group_size")), b, layer),
    "softmax": _read_end,
    "svm": _read_end,
    "regression": _read_end,
}


def write_convnetjs(path: Path, weights: Weights) -> None:
    """Write a snapshot that ConvNetJS loads, whole or not at all: its probabilities are those of
    the net.

    Batch norms are folded into the layers before them, dropouts left out (at test time they do
    nothing), and a softmax appended. The pixel scale and the class names lie beside, under "jconv",
    which ConvNetJS ignores. Raises InputError with the path of a layer that it has not.
    """
    net, params, _ = fold_batch_norm(weights.net, weights.params, weights.state)
    height, width, depth = weights.in_shape if len(weights.in_shape) == 3 else (0, 0, 0)
    if not depth:
        raise InputError(f"takes {weights.in_shape}; ConvNetJS takes images")
    layers: list[dict[str, Any]] = [_sized("input", weights.in_shape)]
    if not isinstance(net, Sequential) or any(layer.composed for layer in _all(net)):
        raise InputError(
            "ConvNetJS has layers one after another alone; this net has branches, or other parts"
        )
    for visit in walk(net, weights.in_shape):
        kind = type(visit.layer)
        if kind in (Flatten, Dropout, Identity):
            continue
        write = WRITERS.get(kind)
        arrays = params
        for name in visit.path.split("/"):
            arrays = arrays.get(name, {})
        written = write(visit.layer, visit.in_shape, arrays) if write else None
        if written is None or visit.turn > 1:
            raise InputError(
                f"{visit.path}: ConvNetJS has no {visit.layer!r:.120}; it has {LAYERS}, its "
                "convolutions and max pools of one stride and one padding, without groups, "
                "dilation or rounding up"
            )
        layers.append(_sized(written.pop("layer_type"), visit.out_shape) | written)
    classes = net.out_shape(weights.in_shape)
    if layers[-1]["layer_type"] != "softmax":
        layers.append(_sized("softmax", classes) | {"num_inputs": classes[-1]})
    about = {
        "pixel_mean": weights.pixels.mean,
        "pixel_std": weights.pixels.std,
        "class_names": weights.class_names,
    }
    write_text(path, json.dumps({"layers": layers, OURS: about}))


def _all(net: Layer) -> list[Layer]:
    """The children of a net; those of sequences inside it in their place."""
    found = []
    for _, child in net.children:
        found += _all(child) if isinstance(child, Sequential) else [child]
    return found


def _sized(kind: str, shape: Shape) -> dict[str, Any]:
    *sizes, depth = shape
    height, width = sizes if sizes else (1, 1)
    return {"layer_type": kind, "out_sx": width, "out_sy": height, "out_depth": depth}


def _volume(values: np.ndarray, shape: Shape) -> dict[str, Any]:
    height, width, depth = shape
    numbers = [float(v) for v in np.asarray(values, np.float64).ravel()]
    return {"sx": width, "sy": height, "depth": depth, "w": numbers}


def _weights(params: Any, features: int, shape: Shape) -> dict[str, Any]:
    kernel = np.asarray(params["kernel"])
    bias = np.asarray(params.get("bias", np.zeros(features)))
    return {
        "filters": [_volume(kernel[..., k], shape) for k in range(features)],
        "biases": _volume(bias, (1, 1, features)),
        "l1_decay_mul": 0.0,
        "l2_decay_mul": 1.0,
    }


def _sliding(layer: Any, in_shape: Shape) -> dict[str, Any] | None:
    """The settings of a window; None where ConvNetJS has none that slides so: one stride, and one
    number of zeros on every side.
    """
    over = layer.over(in_shape)
    stride, pad = over.stride[0], over.padding[0][0]
    sizes = zip(in_shape[:-1], over.size, over.out_sizes, strict=True)
    same = all((w + 2 * pad - f) // stride + 1 == out for w, f, out in sizes)
    alike = {*over.stride} == {stride} and {lo for lo, _ in over.padding} == {pad}
    if not (same and alike and {*over.dilation} == {1} and layer.padding_mode == "zeros"):
        return None
    sy, sx = over.size
    return {"sx": sx, "sy": sy, "stride": stride, "pad": pad, "in_depth": in_shape[-1]}


def _write_conv(layer: Any, in_shape: Shape, params: Any) -> dict[str, Any] | None:
    sliding = _sliding(layer, in_shape)
    if sliding is None or layer.groups > 1 or layer.mask:
        return None
    shape = (sliding["sy"], sliding["sx"], in_shape[-1])
    return {"layer_type": "conv", **sliding, **_weights(params, layer.features, shape)}


def _write_pool(layer: Any, in_shape: Shape, _: Any) -> dict[str, Any] | None:
    sliding = _sliding(layer, in_shape)
    return sliding and {"layer_type": "pool", **sliding}


def _write_fc(layer: Any, in_shape: Shape, params: Any) -> dict[str, Any]:
    weights = _weights(params, layer.features, (1, 1, in_shape[-1]))
    return {"layer_type": "fc", "num_inputs": in_shape[-1], **weights}


def _write_lrn(layer: Any, in_shape: Shape, _: Any) -> dict[str, Any] | None:
    if layer.within or layer.size % 2 == 0:
        return None
    paper = layer.convention == "paper"
    k = layer.k if layer.k is not None else (2.0 if paper else 1.0)
    alpha = layer.alpha * (layer.size if paper else 1)
    return {"layer_type": "lrn", "k": k, "n": layer.size, "alpha": alpha, "beta": layer.beta}


WRITERS: dict[type[Layer], Callable[[Any, Shape, Any], dict[str, Any] | None]] = {
    Conv: _write_conv,
    MaxPool: _write_pool,
    Dense: _write_fc,
    LocalResponseNorm: _write_lrn,
    Relu: lambda layer, shape, params: {"layer_type": "relu"},
    Sigmoid: lambda layer, shape, params: {"layer_type": "sigmoid"},
    Tanh: lambda layer, shape, params: (
        {"layer_type": "tanh"} if (layer.scale, layer.slope) == (1.0, 1.0) else None
    ),
    Maxout: lambda layer, shape, params: {"layer_type": "maxout", "group_size": layer.pieces},
    Softmax: lambda layer, shape, params: {"layer_type": "softmax", "num_inputs": shape[-1]},
}
