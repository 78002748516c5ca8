"""jconv's layers as torch.nn modules with the same numbers in them, for channels-last tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from jconv.compose import Concat, Repeat, Residual, Sequential
from jconv.geometry import Shape, per_axis
from jconv.layer import Layer, Params
from jconv.layers import (
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GlobalAvgPool,
    Identity,
    LocalResponseNorm,
    MaxPool,
    PadChannels,
    Relu,
)

from ..task import Unable
from .pytorch_modules import Added, Function, Joined


class Placed(NamedTuple):
    """Where a parameter of jconv's went, and the order of axes that brings it (and its gradient)
    back.
    """

    path: str
    parameter: nn.Parameter
    axes: tuple[int, ...]


class Builder:
    """Makes modules, and remembers whose parameters they hold."""

    def __init__(self):
        self.placed: list[Placed] = []

    def build(self, layer: Layer, in_shape: Shape, params: Params, path: str = "") -> nn.Module:
        if type(layer) not in BUILD:
            raise Unable(f"no PyTorch module stands for {type(layer).__name__}")
        return BUILD[type(layer)](self, layer, in_shape, params, path)

    def children(
        self, layer: Layer, in_shape: Shape, params: Params, path: str
    ) -> dict[str, nn.Module]:
        return {
            name: self.build(child, shape, params.get(name, {}), f"{path}{name}/")
            for name, child, shape, *_ in layer.steps(in_shape)
        }

    def place(
        self, path: str, parameter: nn.Parameter, value: np.ndarray, axes: tuple[int, ...] = ()
    ) -> None:
        axes = axes or tuple(range(value.ndim))
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value.transpose(axes))))
        self.placed.append(Placed(path, parameter, tuple(np.argsort(axes))))

    def place_all(
        self, path: str, module: Any, params: Params, axes: tuple[int, ...] = ()
    ) -> nn.Module:
        """Kernel or scale into the module's weight, bias into its bias."""
        for name, value in params.items():
            self.place(
                path + name,
                module.bias if name == "bias" else module.weight,
                value,
                axes if name == "kernel" else (),
            )
        return module


def _conv(builder: Builder, s: Conv, in_shape: Shape, params: Params, path: str) -> nn.Module:
    w = s.over(in_shape)
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[w.rank - 1]
    pads = _symmetric(w.padding)
    module = kind(in_shape[-1], s.features, w.size, w.stride, pads, w.dilation, s.groups, s.bias)
    return builder.place_all(path, module, params, (w.rank + 1, w.rank, *range(w.rank)))


def _conv_transpose(
    builder: Builder, s: ConvTranspose, in_shape: Shape, params: Params, path: str
) -> nn.Module:
    w = s.transposes(in_shape)
    kind = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[w.rank - 1]
    extra = per_axis(s.extra, w.rank, "extra")
    module = kind(
        in_shape[-1],
        s.features,
        w.size,
        w.stride,
        _symmetric(w.padding),
        extra,
        s.groups,
        s.bias,
        w.dilation,
    )
    return builder.place_all(path, module, params, (w.rank + 1, w.rank, *range(w.rank)))


def _dense(builder: Builder, s: Dense, in_shape: Shape, params: Params, path: str) -> nn.Module:
    return builder.place_all(path, nn.Linear(in_shape[-1], s.features, s.bias), params, (1, 0))


def _batch_norm(
    builder: Builder, s: BatchNorm, in_shape: Shape, params: Params, path: str
) -> nn.Module:
    kind = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[len(in_shape) - 1]
    return builder.place_all(path, kind(in_shape[-1], s.eps, 1 - s.decay), params)


def _max_pool(
    builder: Builder, s: MaxPool, in_shape: Shape, params: Params, path: str
) -> nn.Module:
    w = s.over(in_shape)
    kind = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[w.rank - 1]
    return kind(w.size, w.stride, _symmetric(w.padding), ceil_mode=s.rounding == "ceil")


def _avg_pool(
    builder: Builder, s: AvgPool, in_shape: Shape, params: Params, path: str
) -> nn.Module:
    w = s.over(in_shape)
    if set(w.size) == {1}:
        return Function(lambda x: x[(..., *(slice(None, None, stride) for stride in w.stride))])
    kind = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[w.rank - 1]
    return kind(
        w.size,
        w.stride,
        _symmetric(w.padding),
        ceil_mode=s.rounding == "ceil",
        count_include_pad=s.count_padding,
    )


def _lrn(
    builder: Builder, s: LocalResponseNorm, in_shape: Shape, params: Params, path: str
) -> nn.Module:
    if s.within or s.convention == "paper":
        raise Unable("PyTorch's LRN is across channels, alpha divided by the size")
    return nn.LocalResponseNorm(s.size, s.alpha, s.beta, 1.0 if s.k is None else s.k)


def _pad(builder: Builder, s: PadChannels, in_shape: Shape, params: Params, path: str) -> nn.Module:
    spatial = (0, 0) * (len(in_shape) - 1)
    return Function(lambda x: F.pad(x, (*spatial, 0, s.channels - in_shape[-1])))


def _sequential(
    builder: Builder, s: Sequential, in_shape: Shape, params: Params, path: str
) -> nn.Module:
    return nn.Sequential(*builder.children(s, in_shape, params, path).values())


def _repeated(builder: Builder, s: Repeat, in_shape: Shape, params: Params, path: str) -> nn.Module:
    part = lambda tree, i: {k: part(v, i) if isinstance(v, dict) else v[i] for k, v in tree.items()}
    return nn.Sequential(
        *(builder.build(s.layer, in_shape, part(params["layer"], i), path) for i in range(s.times))
    )


def _symmetric(padding: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    if any(lo != hi for lo, hi in padding):
        raise Unable(f"PyTorch pads both sides alike, not by {padding}")
    return tuple(lo for lo, _ in padding)


BUILD: dict[type, Callable[..., nn.Module]] = {
    Conv: _conv,
    ConvTranspose: _conv_transpose,
    Dense: _dense,
    BatchNorm: _batch_norm,
    MaxPool: _max_pool,
    AvgPool: _avg_pool,
    LocalResponseNorm: _lrn,
    PadChannels: _pad,
    Sequential: _sequential,
    Repeat: _repeated,
    Residual: lambda *a: Added(**Builder.children(*a)),
    Concat: lambda *a: Joined(*Builder.children(*a).values()),
    Relu: lambda *_: nn.ReLU(inplace=True),
    Identity: lambda *_: nn.Identity(),
    # channels last: no copy, and jconv's order
    Flatten: lambda *_: Function(lambda x: x.movedim(1, -1).flatten(1)),
    GlobalAvgPool: lambda *_: Function(lambda x: x.mean(tuple(range(2, x.ndim)))),
}
