"""jconv's layers as Equinox modules with the same numbers in them. Equinox is channels first, one
example at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from equinox import nn

from jconv.compose import Concat, Residual, Sequential
from jconv.geometry import Shape
from jconv.layer import Layer, Params
from jconv.layers import (
    AvgPool,
    BatchNorm,
    Conv,
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

BATCH = "batch"  # the axis that batch norm averages over


def build(layer: Layer, in_shape: Shape, params: Params) -> Any:
    if type(layer) not in BUILD:
        raise Unable(f"no Equinox module stands for {type(layer).__name__}")
    return BUILD[type(layer)](layer, in_shape, params)


def children(layer: Layer, in_shape: Shape, params: Params) -> dict[str, Any]:
    return {
        name: build(child, shape, params.get(name, {}))
        for name, child, shape, *_ in layer.steps(in_shape)
    }


def filled(make: Callable[[], Any], weight: Any, bias: Any) -> Any:
    """The module with these numbers: its own are never drawn."""
    module = eqx.filter_eval_shape(make)
    module = eqx.tree_at(lambda m: m.weight, module, jnp.asarray(weight))
    return module if bias is None else eqx.tree_at(lambda m: m.bias, module, jnp.asarray(bias))


def _conv(s: Conv, in_shape: Shape, params: Params) -> Any:
    w = s.over(in_shape)
    kernel, bias = params["kernel"], params.get("bias")

    def make():
        return nn.Conv(
            w.rank, in_shape[-1], s.features, w.size, w.stride, w.pads,
            w.dilation, s.groups, s.bias,
            key=jax.random.key(0),
        )  # fmt: skip

    weight = kernel.transpose(w.rank + 1, w.rank, *range(w.rank))
    return filled(make, weight, None if bias is None else bias.reshape(-1, *(1,) * w.rank))


def _dense(s: Dense, in_shape: Shape, params: Params) -> Any:
    make = lambda: nn.Linear(in_shape[-1], s.features, s.bias, key=jax.random.key(0))
    return filled(make, params["kernel"].T, params.get("bias"))


def _batch_norm(s: BatchNorm, in_shape: Shape, params: Params) -> Any:
    module = nn.BatchNorm(in_shape[-1], BATCH, s.eps, momentum=s.decay, mode="batch")
    module = eqx.tree_at(lambda m: m.weight, module, jnp.asarray(params["scale"]))
    return eqx.tree_at(lambda m: m.bias, module, jnp.asarray(params["bias"]))


def _max_pool(s: MaxPool, in_shape: Shape, params: Params) -> Any:
    w = s.over(in_shape)
    return nn.Pool(
        -jnp.inf, jax.lax.max, w.rank, w.size, w.stride, w.padding, use_ceil=s.rounding == "ceil"
    )


def _avg_pool(s: AvgPool, in_shape: Shape, params: Params) -> Any:
    w = s.over(in_shape)
    if set(w.size) != {1}:
        raise Unable("average pools of nets are not written out for Equinox")
    return nn.Lambda(
        lambda x: x[(slice(None), *(slice(None, None, stride) for stride in w.stride))]
    )


def _lrn(s: LocalResponseNorm, in_shape: Shape, params: Params) -> Any:
    """Equinox has no LRN; its users write this."""
    if s.within or s.convention == "paper":
        raise Unable(
            "only the LRN across channels with alpha divided by the size is written out for Equinox"
        )
    k, below = 1.0 if s.k is None else s.k, (s.size - 1) // 2

    def respond(x):
        window, pads = (
            (s.size, *(1,) * (x.ndim - 1)),
            [(below, s.size - 1 - below)] + [(0, 0)] * (x.ndim - 1),
        )
        total = jax.lax.reduce_window(x * x, 0.0, jax.lax.add, window, (1,) * x.ndim, pads)
        return x * (k + s.alpha / s.size * total) ** -s.beta

    return nn.Lambda(respond)


class Added(nn.StatefulLayer):
    """A residual block."""

    body: Any
    shortcut: Any
    then: Any

    def __call__(self, x, state, *, key=None):
        y, state = _follow(self.body, x, state)
        z, state = _follow(self.shortcut, x, state)
        return _follow(self.then, y + z, state)


class Joined(nn.StatefulLayer):
    """Branches side by side."""

    branches: tuple[Any, ...]

    def __call__(self, x, state, *, key=None):
        parts = []
        for branch in self.branches:
            y, state = _follow(branch, x, state)
            parts.append(y)
        return jnp.concatenate(parts), state


def _follow(module: Any, x: Any, state: Any) -> tuple[Any, Any]:
    return module(x, state) if isinstance(module, nn.StatefulLayer) else (module(x), state)


BUILD: dict[type, Callable[..., Any]] = {
    Conv: _conv,
    Dense: _dense,
    BatchNorm: _batch_norm,
    MaxPool: _max_pool,
    AvgPool: _avg_pool,
    LocalResponseNorm: _lrn,
    PadChannels: lambda s, *_: nn.Lambda(
        lambda x: jnp.pad(x, [(0, s.channels - x.shape[0])] + [(0, 0)] * (x.ndim - 1))
    ),
    Sequential: lambda *a: nn.Sequential(list(children(*a).values())),
    Residual: lambda *a: Added(**children(*a)),
    Concat: lambda *a: Joined(tuple(children(*a).values())),
    Relu: lambda *_: nn.Lambda(jax.nn.relu),
    Identity: lambda *_: nn.Identity(),
    Flatten: lambda *_: nn.Lambda(lambda x: jnp.moveaxis(x, 0, -1).ravel()),  # jconv's order
    GlobalAvgPool: lambda *_: nn.Lambda(lambda x: x.mean(tuple(range(1, x.ndim)))),
}
