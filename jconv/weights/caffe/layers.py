"""What each kind of Caffe's layers is here: a function in KINDS of (building, spec) that adds to
the graph what the layer computes. A further kind is one more of these.

Caffe's conventions, each named where it is met: images come as blue, green, red; arrays as (C, H,
W); pools round up, convolutions down; averages count their padding; batch norm is two layers, of
which the first keeps sums and their count; response norm divides alpha by its size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...errors import InputError
from ...geometry import Shape, volume
from ...layer import Layer
from ...layers import (
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Elu,
    GlobalAvgPool,
    GlobalMaxPool,
    LeakyRelu,
    LocalResponseNorm,
    MaxPool,
    PRelu,
    Relu,
    Scale,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from ...layers.initializer import (
    Initializer,
    bilinear,
    caffe_xavier,
    constant,
    gaussian,
    msra_normal,
    symmetric_uniform,
    zeros,
)
from ..graph import Graph
from ..layout import dense_from_first, kernel_from_first, reordered
from .building import Building, Kind
from .definition import Spec


def _said(
    where: str, spec: Spec, field: str, values: Sequence[int], default: int
) -> tuple[int, int]:
    """One setting per axis, given once for both, once per axis, or not."""
    values = list(values) or [default]
    if len(values) not in (1, 2):
        raise InputError(f"{where}: {spec.kind} {spec.name!r} has {len(values)} of {field}")
    return (values[0], values[-1])


def _pair(pair: tuple[int, ...]) -> Any:
    return pair[0] if len(set(pair)) == 1 else pair


def _window(building: Building, spec: Spec, p: Any) -> dict[str, Any]:
    """kernel, stride and padding of a convolution or a pool."""
    where = building.graph.where

    def setting(name: str, short: str, default: int) -> tuple[int, ...]:
        values = getattr(p, name)
        if p.HasField(f"{short}_h") or p.HasField(f"{short}_w"):
            return (getattr(p, f"{short}_h"), getattr(p, f"{short}_w"))
        if isinstance(values, int):
            values = [values] if p.HasField(name) else []
        return _said(where, spec, name, values, default)

    found = {
        "kernel": setting("kernel_size", "kernel", 0),
        "stride": setting("stride", "stride", 1),
        "padding": setting("pad", "pad", 0),
    }
    if min(found["kernel"]) < 1 or min(found["stride"]) < 1 or min(found["padding"]) < 0:
        raise InputError(
            f"{where}: {spec.kind} {spec.name!r} has kernel_size {found['kernel']}, stride "
            f"{found['stride']}, pad {found['padding']}, which no window has"
        )
    return {name: _pair(value) for name, value in found.items()}


def _filler(filler: Any, default: Initializer) -> Initializer:
    """What draws an array, by Caffe's word for it; the default for what has no counterpart."""
    average = {0: "in", 1: "out", 2: "average"}[filler.variance_norm]
    kinds: dict[str, Callable[[], Initializer]] = {
        "constant": lambda: constant(_short(filler.value)),
        "gaussian": lambda: gaussian(_short(filler.std) or 1.0),
        "xavier": lambda: (
            caffe_xavier() if average == "in" else Initializer("uniform", 1.0, average)
        ),
        "msra": lambda: msra_normal(fan=average),
        "bilinear": bilinear,
    }
    if filler.type == "uniform" and filler.min == -filler.max and filler.max > 0:
        return symmetric_uniform(_short(filler.max))
    return kinds[filler.type]() if filler.type in kinds else default


def _fillers(p: Any) -> dict[str, Initializer]:
    fillers = {"kernel_init": _filler(p.weight_filler, constant(0.0))}
    if p.HasField("bias_filler"):
        fillers["bias_init"] = _filler(p.bias_filler, zeros)
    return fillers if p.HasField("weight_filler") else {}


def _biased(p: Any) -> bool:
    return p.bias_term if p.HasField("bias_term") else True


def _convolution(building: Building, spec: Spec, transposed: bool = False) -> None:
    graph, p = building.graph, spec.of.convolution_param
    x, output = spec.of.bottom[0], spec.of.top[0]
    if len(spec.of.bottom) > 1:
        raise InputError(
            f"{graph.where}: {spec.kind} {spec.name!r} has {len(spec.of.bottom)} inputs, which "
            "share its weights; one was expected"
        )
    came = graph.value(x, f"{spec.kind} {spec.name!r}")
    if len(came.shape) != 3:
        raise InputError(
            f"{graph.where}: {spec.kind} {spec.name!r} has an input of shape {came.shape}; an "
            "image was expected"
        )
    groups, bias = max(1, p.group), _biased(p)
    kind = ConvTranspose if transposed else Conv
    layer = _made(
        graph,
        spec,
        partial(
            kind,
            p.num_output,
            **_window(building, spec, p),
            dilation=_pair(_said(graph.where, spec, "dilation", p.dilation, 1)),
            groups=groups,
            bias=bias,
            **_fillers(p),
        ),
    )
    params = {}
    arrays = building.arrays(spec, 1 + bias)
    if arrays:
        inputs, outputs = came.shape[-1], p.num_output
        sizes = _said(graph.where, spec, "kernel", _sides(layer.kernel), 1)
        first = (inputs, outputs // groups) if transposed else (outputs, inputs // groups)
        kernel = building.came(spec, 0, arrays[0], (*first, *sizes))
        if came.order is not None and (transposed or groups > 1):
            raise InputError(
                f"{graph.where}: {spec.kind} {spec.name!r} takes the image in {groups} groups, "
                "which colours in the order blue, green, red cannot be put right in; give "
                "channels='rgb' and images in that order"
            )
        params["kernel"] = kernel._replace(
            array=kernel_from_first(kernel.array, came.order),
            how="OIHW to HWIO" + (", BGR to RGB" if came.order is not None else ""),
        )
        if bias:
            params["bias"] = building.came(spec, 1, arrays[1], (outputs,))
    graph.add(spec.name, spec.kind, x, output, layer, params, order=None)


def _sides(kernel: Any) -> Sequence[int]:
    return kernel if isinstance(kernel, tuple) else (kernel,)


def _made(graph: Graph, spec: Spec, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except (TypeError, ValueError) as error:
        raise InputError(f"{graph.where}: {spec.kind} {spec.name!r}: {error}") from None


def _inner_product(building: Building, spec: Spec) -> None:
    graph, p = building.graph, spec.of.inner_product_param
    if p.HasField("axis") and p.axis != 1:
        raise InputError(f"{graph.where}: {spec.name!r} has axis {p.axis}, 1 was expected")
    x, output, bias = spec.of.bottom[0], spec.of.top[0], _biased(p)
    came = graph.value(x, f"{spec.kind} {spec.name!r}")
    if len(came.shape) > 1:
        taken = {node.name for node in graph.nodes}
        name = "flatten" if "flatten" not in taken else f"{spec.name}_flatten"
        came = graph.flatten(name, "Flatten", x, flat := f"{x} flattened")
        x = flat
    layer = _made(graph, spec, partial(Dense, p.num_output, bias=bias, **_fillers(p)))
    params = {}
    if arrays := building.arrays(spec, 1 + bias):
        inputs, outputs = volume(came.shape), p.num_output
        shape = (inputs, outputs) if p.transpose else (outputs, inputs)
        kernel = building.came(spec, 0, arrays[0], shape)
        matrix = kernel.array.T if p.transpose else kernel.array
        params["kernel"] = kernel._replace(
            array=dense_from_first(matrix, came.order),
            how=("" if p.transpose else "transposed")
            + (", inputs from (C, H, W) to (H, W, C)" if came.order is not None else ""),
        )
        if bias:
            params["bias"] = building.came(spec, 1, arrays[1], (outputs,))
    graph.add(spec.name, spec.kind, x, output, layer, params, order=None)


def _pooling(building: Building, spec: Spec) -> None:
    graph, p = building.graph, spec.of.pooling_param
    if p.pool == 2:
        raise InputError(
            f"{graph.where}: {spec.name!r} pools at random (STOCHASTIC); MAX and AVE can be read"
        )
    if p.global_pooling:
        layer: Layer = GlobalMaxPool() if p.pool == 0 else GlobalAvgPool()
        _plain(building, spec, layer)
        return
    window = _window(building, spec, p)
    window["window"] = window.pop("kernel")
    if window["stride"] == window["window"]:
        window.pop("stride")
    rounding = "floor" if p.round_mode else "ceil"
    kind = MaxPool if p.pool == 0 else AvgPool
    came = graph.value(spec.of.bottom[0], spec.name)
    if kind is AvgPool and _whole(window, came.shape):  # over all positions
        _plain(building, spec, GlobalAvgPool())
        return
    _plain(building, spec, _made(graph, spec, partial(kind, **window, rounding=rounding)))


def _whole(window: Mapping[str, Any], shape: Shape) -> bool:
    """Whether a pool without padding sees all of its input at once."""
    sides = window["window"] if isinstance(window["window"], tuple) else (window["window"],) * 2
    return not np.any(window["padding"]) and sides == shape[:-1]


def _plain(building: Building, spec: Spec, layer: Layer, said: str = "") -> None:
    """A layer without arrays, which keeps its channels where they are."""
    building.graph.add(spec.name, spec.kind, spec.of.bottom[0], spec.of.top[0], layer, said=said)


def _lrn(building: Building, spec: Spec) -> None:
    p = spec.of.lrn_param
    has = p.HasField
    k = p.k if has("k") and p.norm_region == 0 and p.k != 1 else None
    layer = _made(
        building.graph,
        spec,
        partial(
            LocalResponseNorm,
            p.local_size if has("local_size") else 5,
            alpha=_short(p.alpha) if has("alpha") else 1.0,
            beta=_short(p.beta) if has("beta") else 0.75,
            k=k,
            within=p.norm_region == 1,
        ),
    )
    _plain(building, spec, layer, "alpha divided by the size")


def _short(value: float) -> float:
    """The number that was written, of one that was kept in four bytes."""
    return float(f"{value:.7g}")


def _relu(building: Building, spec: Spec) -> None:
    slope = _short(spec.of.relu_param.negative_slope)
    _plain(building, spec, LeakyRelu(slope) if slope else Relu())


def _prelu(building: Building, spec: Spec) -> None:
    graph, x = building.graph, spec.of.bottom[0]
    came = graph.value(x, f"{spec.kind} {spec.name!r}")
    shared = spec.of.prelu_param.channel_shared
    shape = (1,) if shared else came.shape[-1:]
    params = {}
    if arrays := building.arrays(spec, 1):
        slope = building.came(spec, 0, arrays[0], shape)
        kept = slope.array if shared else reordered(slope.array, came.order)
        params["slope"] = slope._replace(array=kept)
    graph.add(spec.name, spec.kind, x, spec.of.top[0], PRelu(shared=shared), params)


def _dropout(building: Building, spec: Spec) -> None:
    p = spec.of.dropout_param
    rate = _short(p.dropout_ratio) if p.HasField("dropout_ratio") else 0.5
    _plain(building, spec, _made(building.graph, spec, partial(Dropout, rate)))


def _concat(building: Building, spec: Spec) -> None:
    p, graph = spec.of.concat_param, building.graph
    axis = p.axis if p.HasField("axis") else (p.concat_dim if p.HasField("concat_dim") else 1)
    if axis not in (1, -3):
        raise InputError(
            f"{graph.where}: Concat {spec.name!r} joins along axis {axis}, 1, the channels, was "
            "expected"
        )
    graph.meet(spec.name, spec.kind, "concat", spec.of.bottom, spec.of.top[0])


def _eltwise(building: Building, spec: Spec) -> None:
    p, graph = spec.of.eltwise_param, building.graph
    operation = p.operation if p.HasField("operation") else 1
    if operation != 1 or any(c != 1 for c in p.coeff):
        raise InputError(
            f"{graph.where}: Eltwise {spec.name!r} is "
            + ("PROD", f"SUM with coefficients {list(p.coeff)}", "MAX")[operation]
            + "; a plain SUM was expected"
        )
    graph.meet(spec.name, spec.kind, "sum", spec.of.bottom, spec.of.top[0])


def _batch_norm(building: Building, spec: Spec) -> None:
    graph, p, x = building.graph, spec.of.batch_norm_param, spec.of.bottom[0]
    came = graph.value(x, f"{spec.kind} {spec.name!r}")
    kept = _short(p.moving_average_fraction) if p.HasField("moving_average_fraction") else 0.999
    eps = _short(p.eps) if p.HasField("eps") else 1e-5
    layer = _made(graph, spec, partial(BatchNorm, decay=kept, eps=eps, scale=False, bias=False))
    state = {}
    if arrays := building.arrays(spec, 3):
        count = float(arrays[2].reshape(-1)[0]) if arrays[2].size else 0.0
        for i, name in enumerate(("mean", "var")):
            one = building.came(spec, i, arrays[i], came.shape[-1:])
            mean = reordered(one.array, came.order) * (1 / count if count else 0.0)
            state[name] = one._replace(array=mean, how=f"sum over {count:g}")
    graph.add(spec.name, spec.kind, x, spec.of.top[0], layer, {}, state, f"eps {eps:g}")


def _scale(building: Building, spec: Spec) -> None:
    graph, p, x = building.graph, spec.of.scale_param, spec.of.bottom[0]
    axis = p.axis if p.HasField("axis") else 1
    if len(spec.of.bottom) > 1 or axis not in (1, -3):
        raise InputError(
            f"{graph.where}: Scale {spec.name!r} multiplies by another layer's output, or along "
            f"axis {axis}; numbers of its own, one per channel, were expected"
        )
    came = graph.value(x, f"{spec.kind} {spec.name!r}")
    bias = p.bias_term
    params = {}
    for i, (name, array) in enumerate(
        zip(("scale", "bias"), building.arrays(spec, 1 + bias), strict=False)
    ):
        one = building.came(spec, i, array, came.shape[-1:])
        params[name] = one._replace(array=reordered(one.array, came.order))
    norm = graph.nodes[-1] if graph.nodes else None
    alone = x in spec.of.top or x in building.single
    if norm and norm.output == graph.current[x] and alone and _bare(norm.layer):
        # the two halves of one layer
        bare: Any = norm.layer
        layer = BatchNorm(bare.decay, bare.eps, bias=bias)
        graph.nodes[-1] = norm._replace(layer=layer, params=params)
        graph.rename(x, spec.of.top[0])
        return
    graph.add(spec.name, spec.kind, x, spec.of.top[0], Scale(bias=bias), params)


def _bare(layer: Any) -> bool:
    return isinstance(layer, BatchNorm) and not layer.scale and not layer.bias


def _bias(building: Building, spec: Spec) -> None:
    graph, x = building.graph, spec.of.bottom[0]
    came = graph.value(x, f"{spec.kind} {spec.name!r}")
    params = {}
    if arrays := building.arrays(spec, 1):
        one = building.came(spec, 0, arrays[0], came.shape[-1:])
        params["bias"] = one._replace(array=reordered(one.array, came.order))
    graph.add(spec.name, spec.kind, x, spec.of.top[0], Scale(scale=False), params)


def _flatten(building: Building, spec: Spec) -> None:
    p = spec.of.flatten_param
    if p.HasField("axis") and p.axis != 1:
        raise InputError(
            f"{building.graph.where}: Flatten {spec.name!r} has axis {p.axis}, 1 was expected"
        )
    building.graph.flatten(spec.name, spec.kind, spec.of.bottom[0], spec.of.top[0])


def _reshape(building: Building, spec: Spec) -> None:
    dims = list(spec.of.reshape_param.shape.dim)
    if len(dims) < 2 or dims[0] != 0 or dims.count(-1) != 1 or any(d > 1 for d in dims[1:]):
        raise InputError(
            f"{building.graph.where}: Reshape {spec.name!r} makes {dims}; a flattening, [0, -1], "
            "was expected"
        )
    building.graph.flatten(spec.name, spec.kind, spec.of.bottom[0], spec.of.top[0])


def _split(building: Building, spec: Spec) -> None:
    for top in spec.of.top:
        building.graph.rename(spec.of.bottom[0], top)


def _softmax(building: Building, spec: Spec) -> None:
    _plain(building, spec, Softmax())


def _simple(layer: Layer) -> Kind:
    return lambda building, spec: _plain(building, spec, layer)


def _elu(building: Building, spec: Spec) -> None:
    p = spec.of.elu_param
    _plain(building, spec, Elu(_short(p.alpha) if p.HasField("alpha") else 1.0))


KINDS: dict[str, Kind] = {
    "Convolution": _convolution,
    "Deconvolution": partial(_convolution, transposed=True),
    "InnerProduct": _inner_product,
    "Pooling": _pooling,
    "LRN": _lrn,
    "BatchNorm": _batch_norm,
    "Scale": _scale,
    "Bias": _bias,
    "ReLU": _relu,
    "PReLU": _prelu,
    "ELU": _elu,
    "Sigmoid": _simple(Sigmoid()),
    "TanH": _simple(Tanh()),
    "BNLL": _simple(Softplus()),
    "Dropout": _dropout,
    "Concat": _concat,
    "Eltwise": _eltwise,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Split": _split,
    "Softmax": _softmax,
}
