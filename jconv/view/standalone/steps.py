"""What each kind of layer comes to, as steps that a few lines of JavaScript can do.

Each kind is a function in STEPS of (layer, in_shape, arrays), the layer's parameters and state by
name, that gives its steps, one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...errors import LayerError
from ...geometry import Shape, volume
from ...layer import Layer
from ...layers import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
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
    GroupNorm,
    Identity,
    InstanceNorm,
    LayerNorm,
    LeakyRelu,
    Local,
    LocalResponseNorm,
    LpPool,
    Maxout,
    MaxPool,
    Normalize,
    PadChannels,
    PRelu,
    Rbf,
    Relu,
    RMSNorm,
    Scale,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Subsampling,
    Tanh,
    Upsample,
)
from ...ops.normalization import around
from ...ops.pooling import counts
from ...ops.views import without_padding
from .windows import ONE, Table, bins, read, table, transposed, windows

Arrays = Mapping[str, np.ndarray]


class Step(NamedTuple):
    """An operation on what the step before it gave: its kind, the shape it makes, its settings and
    its numbers.
    """

    kind: str
    shape: Shape
    settings: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    arrays: dict[str, np.ndarray] = {}  # noqa: RUF012


# Layers with a kernel
# --------------------------------------------------------------------------------------------------


def _kernel(shape: Shape, tables: dict[str, Table], groups: int, arrays: Arrays) -> Step:
    """kernel (*F, C/groups, features), or one for each position"""
    kept = {name: arrays[name] for name in ("kernel", "bias") if name in arrays}
    return Step("conv", shape, {**tables, "groups": groups}, kept)


def _conv(layer: Conv, in_shape: Shape, arrays: Arrays) -> list[Step]:
    kernel = arrays["kernel"]
    if layer.mask:
        import jax.numpy as jnp

        kernel = np.asarray(layer.full_kernel(jnp.asarray(kernel), in_shape[-1]))
    tables = windows(layer.over(in_shape), layer.padding_mode)
    shape = layer.out_shape(in_shape)
    return [_kernel(shape, tables, layer.groups, {**arrays, "kernel": kernel})]


def _conv_transpose(layer: ConvTranspose, in_shape: Shape, arrays: Arrays) -> list[Step]:
    fh, fw, outs, ins = arrays["kernel"].shape  # (fh, fw, features/groups, K)
    split = arrays["kernel"].reshape(fh, fw, outs, layer.groups, ins // layer.groups)
    kernel = split.transpose(0, 1, 4, 3, 2).reshape(fh, fw, -1, layer.groups * outs)
    tables = transposed(layer.transposes(in_shape))
    shape = layer.out_shape(in_shape)
    return [_kernel(shape, tables, layer.groups, {**arrays, "kernel": kernel})]


def _local(layer: Local, in_shape: Shape, arrays: Arrays) -> list[Step]:
    step = _kernel(layer.out_shape(in_shape), windows(layer.over(in_shape)), 1, arrays)
    return [step._replace(kind="local")]


def _dense(layer: Dense, in_shape: Shape, arrays: Arrays) -> list[Step]:
    kernel = arrays["kernel"][None, None]  # a convolution of one position
    return [_kernel(layer.out_shape(in_shape), ONE, 1, {**arrays, "kernel": kernel})]


def _rbf(layer: Rbf, in_shape: Shape, arrays: Arrays) -> list[Step]:
    return [Step("rbf", layer.out_shape(in_shape), {}, {"codes": arrays["codes"]})]


# Pools
# --------------------------------------------------------------------------------------------------


def _max_pool(layer: MaxPool, in_shape: Shape, arrays: Arrays) -> list[Step]:
    tables = windows(layer.over(in_shape), layer.padding_mode)
    return [Step("max", layer.out_shape(in_shape), {**tables})]


def _avg_pool(layer: AvgPool, in_shape: Shape, arrays: Arrays) -> list[Step]:
    w = layer.over(in_shape)
    filled = w if layer.padding_mode == "zeros" else without_padding(w)
    count = np.broadcast_to(counts(filled, layer.count_padding), (1, *w.out_sizes, 1))
    tables = windows(w, layer.padding_mode)
    return [_average(layer.out_shape(in_shape), tables, count.reshape(w.out_sizes))]


def _average(shape: Shape, tables: dict[str, Table], count: np.ndarray) -> Step:
    return Step("average", shape, {**tables}, {"count": count.astype(np.float32)})


def _lp_pool(layer: LpPool, in_shape: Shape, arrays: Arrays) -> list[Step]:
    tables = windows(layer.over(in_shape), layer.padding_mode)
    return [Step("lp", layer.out_shape(in_shape), {**tables, "p": layer.p})]


def _adaptive_avg(layer: AdaptiveAvgPool, in_shape: Shape, arrays: Arrays) -> list[Step]:
    shape = layer.out_shape(in_shape)
    tables = bins(in_shape, shape[:-1])
    return [_average(shape, tables, read(tables))]


def _adaptive_max(layer: AdaptiveMaxPool, in_shape: Shape, arrays: Arrays) -> list[Step]:
    shape = layer.out_shape(in_shape)
    return [Step("max", shape, {**bins(in_shape, shape[:-1])})]


def _global_avg(layer: GlobalAvgPool, in_shape: Shape, arrays: Arrays) -> list[Step]:
    tables = bins(in_shape, (1, 1))
    return [_average(layer.out_shape(in_shape), tables, read(tables))]


def _global_max(layer: GlobalMaxPool, in_shape: Shape, arrays: Arrays) -> list[Step]:
    return [Step("max", layer.out_shape(in_shape), {**bins(in_shape, (1, 1))})]


def _subsampling(layer: Subsampling, in_shape: Shape, arrays: Arrays) -> list[Step]:
    shape, tables = layer.out_shape(in_shape), windows(layer.over(in_shape))
    total = _average(shape, tables, np.ones(shape[:-1], np.float32))
    return [total, _affine(shape, arrays["scale"], arrays["bias"])]


def _upsample(layer: Upsample, in_shape: Shape, arrays: Arrays) -> list[Step]:
    if layer.mode != "nearest":
        raise LayerError(f"mode={layer.mode!r} has no counterpart in the page; nearest has")
    shape = layer.out_shape(in_shape)
    nearest = [
        table((np.arange(out) * n // out)[:, None])
        for n, out in zip(in_shape[:-1], shape[:-1], strict=True)
    ]
    return [Step("max", shape, {"rows": nearest[0], "columns": nearest[1]})]


# Norms
# --------------------------------------------------------------------------------------------------


def _affine(shape: Shape, scale: Any = 1.0, bias: Any = 0.0) -> Step:
    """scale * x + bias, numbers of each channel or of all"""
    each = lambda numbers: np.broadcast_to(np.asarray(numbers, np.float32), shape[-1:])
    return Step("scale", shape, {}, {"scale": each(scale), "bias": each(bias)})


def _scale(layer: Scale, in_shape: Shape, arrays: Arrays) -> list[Step]:
    return [_affine(in_shape, **arrays)]


def _batch_norm(layer: BatchNorm, in_shape: Shape, arrays: Arrays) -> list[Step]:
    each = {name: np.asarray(array, np.float64) for name, array in arrays.items()}
    scale = each.get("scale", 1.0) / np.sqrt(each["var"] + layer.eps)
    return [_affine(in_shape, scale, each.get("bias", 0.0) - each["mean"] * scale)]


def _normalize(layer: Normalize, in_shape: Shape, arrays: Arrays) -> list[Step]:
    mean, std = np.asarray(layer.mean, np.float64), np.asarray(layer.std, np.float64)
    return [_affine(in_shape, 1 / std, -mean / std)]


def _standard(groups: int, each_position: bool, centred: bool = True) -> Callable[..., list[Step]]:
    """Norms by the numbers of the example itself; 0 groups are as many as channels."""

    def steps(layer: Any, in_shape: Shape, arrays: Arrays) -> list[Step]:
        settings = {
            "groups": getattr(layer, "groups", groups) or in_shape[-1],
            "each_position": each_position,
            "centred": centred,
            "eps": layer.eps,
        }
        step = Step("standardize", layer.out_shape(in_shape), settings)
        return [step, _affine(in_shape, **arrays)] if arrays else [step]

    return steps


def _response(layer: LocalResponseNorm, in_shape: Shape, arrays: Arrays) -> list[Step]:
    size, paper = layer.size, layer.convention == "paper" and not layer.within
    k = layer.k if layer.k is not None else (2.0 if paper else 1.0)
    settings: dict[str, Any] = {"k": k, "beta": layer.beta}
    if layer.within:
        w = around(in_shape[:-1], size)
        settings |= {**windows(w), "scale": layer.alpha / size**w.rank}
        return [Step("response_within", in_shape, settings)]
    after = (size - 1) // 2 if layer.convention == "torch" else size // 2
    settings |= {"before": size // 2, "after": after}
    settings["scale"] = layer.alpha / (1 if paper else size)
    return [Step("response", in_shape, settings)]


# The rest
# --------------------------------------------------------------------------------------------------


def _prelu(layer: PRelu, in_shape: Shape, arrays: Arrays) -> list[Step]:
    slope = np.broadcast_to(arrays["slope"], in_shape[-1:])
    return [Step("prelu", in_shape, {}, {"slope": slope})]


def _plain(kind: str, *names: str) -> Callable[..., list[Step]]:
    """A step of that kind, with these of the layer's settings."""

    def steps(layer: Layer, in_shape: Shape, arrays: Arrays) -> list[Step]:
        return [
            Step(kind, layer.out_shape(in_shape), {name: getattr(layer, name) for name in names})
        ]

    return steps


def _flatten(layer: Flatten, in_shape: Shape, arrays: Arrays) -> list[Step]:
    return [Step("same", (volume(in_shape),))]


def _nothing(layer: Layer, in_shape: Shape, arrays: Arrays) -> Sequence[Step]:
    return ()


STEPS: dict[type[Layer], Callable[..., Sequence[Step]]] = {
    Conv: _conv,
    ConvTranspose: _conv_transpose,
    Local: _local,
    Dense: _dense,
    Rbf: _rbf,
    MaxPool: _max_pool,
    AvgPool: _avg_pool,
    LpPool: _lp_pool,
    AdaptiveAvgPool: _adaptive_avg,
    AdaptiveMaxPool: _adaptive_max,
    GlobalAvgPool: _global_avg,
    GlobalMaxPool: _global_max,
    Subsampling: _subsampling,
    Upsample: _upsample,
    BatchNorm: _batch_norm,
    Scale: _scale,
    Normalize: _normalize,
    GroupNorm: _standard(1, each_position=False),
    InstanceNorm: _standard(0, each_position=False),
    LayerNorm: _standard(1, each_position=True),
    RMSNorm: _standard(1, each_position=True, centred=False),
    LocalResponseNorm: _response,
    Relu: _plain("relu"),
    LeakyRelu: _plain("leaky_relu", "slope"),
    PRelu: _prelu,
    Clip: _plain("clip", "least", "most"),
    Elu: _plain("elu", "alpha"),
    Gelu: _plain("gelu", "approximate"),
    Silu: _plain("silu"),
    Sigmoid: _plain("sigmoid"),
    Tanh: _plain("tanh", "scale", "slope"),
    Softplus: _plain("softplus", "beta"),
    Softmax: _plain("softmax"),
    Maxout: _plain("maxout", "pieces"),
    PadChannels: _plain("pad_channels", "channels", "before"),
    Flatten: _flatten,
    Identity: _nothing,
    Dropout: _nothing,  # at test time
    DropPath: _nothing,
}
