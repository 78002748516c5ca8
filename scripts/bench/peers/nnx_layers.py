"""jconv's layers as Flax NNX modules with the same numbers in them. Both are channels last, with
kernels HWIO.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

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

RNGS = nnx.Rngs(0)  # nothing draws: every number is given


def build(layer: Layer, in_shape: Shape, params: Params, dtype: Any) -> Callable:
    if type(layer) not in BUILD:
        raise Unable(f"no Flax NNX module stands for {type(layer).__name__}")
    return BUILD[type(layer)](layer, in_shape, params, dtype)


def children(layer: Layer, in_shape: Shape, params: Params, dtype: Any) -> dict[str, Callable]:
    return {
        name: build(child, shape, params.get(name, {}), dtype)
        for name, child, shape, *_ in layer.steps(in_shape)
    }


def given(params: Params, *names: str) -> dict[str, Callable]:
    """Initializers that return what is there."""
    return {
        f"{name}_init": partial(lambda value, *_: jnp.asarray(value), params[name])
        for name in names
        if name in params
    }


def _conv(s: Conv, in_shape: Shape, params: Params, dtype: Any) -> Callable:
    w = s.over(in_shape)
    settings = {
        "strides": w.stride,
        "padding": w.pads,
        "kernel_dilation": w.dilation,
        "feature_group_count": s.groups,
    }
    return nnx.Conv(
        in_shape[-1],
        s.features,
        w.size,
        **settings,
        use_bias=s.bias,
        dtype=dtype,
        rngs=RNGS,
        **given(params, "kernel", "bias"),
    )


def _dense(s: Dense, in_shape: Shape, params: Params, dtype: Any) -> Callable:
    return nnx.Linear(
        in_shape[-1],
        s.features,
        use_bias=s.bias,
        dtype=dtype,
        rngs=RNGS,
        **given(params, "kernel", "bias"),
    )


def _batch_norm(s: BatchNorm, in_shape: Shape, params: Params, dtype: Any) -> Callable:
    return nnx.BatchNorm(
        in_shape[-1],
        momentum=s.decay,
        epsilon=s.eps,
        dtype=dtype,
        rngs=RNGS,
        **given(params, "scale", "bias"),
    )


def _max_pool(s: MaxPool, in_shape: Shape, params: Params, dtype: Any) -> Callable:
    w = s.over(in_shape)
    return partial(nnx.max_pool, window_shape=w.size, strides=w.stride, padding=w.pads)


def _avg_pool(s: AvgPool, in_shape: Shape, params: Params, dtype: Any) -> Callable:
    w = s.over(in_shape)
    if set(w.size) == {1}:
        return partial(_every, strides=w.stride)
    return partial(
        nnx.avg_pool,
        window_shape=w.size,
        strides=w.stride,
        padding=w.pads,
        count_include_pad=s.count_padding,
    )


def _lrn(s: LocalResponseNorm, in_shape: Shape, params: Params, dtype: Any) -> Callable:
    if s.within or s.convention == "paper":
        raise Unable(
            "only the LRN across channels with alpha divided by the size is written out for Flax"
        )
    return partial(_respond, size=s.size, alpha=s.alpha, beta=s.beta, k=1.0 if s.k is None else s.k)


def _respond(x: jax.Array, size: int, alpha: float, beta: float, k: float) -> jax.Array:
    """Flax has no LRN; its users write this."""
    below = (size - 1) // 2
    window, pads = (
        (1,) * (x.ndim - 1) + (size,),
        [(0, 0)] * (x.ndim - 1) + [(below, size - 1 - below)],
    )
    total = jax.lax.reduce_window(x * x, 0.0, jax.lax.add, window, (1,) * x.ndim, pads)
    return x * (k + alpha / size * total) ** -beta


def _every(x: jax.Array, strides: Shape) -> jax.Array:
    return x[(slice(None), *(slice(None, None, stride) for stride in strides))]


def _more_channels(x: jax.Array, channels: int) -> jax.Array:
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, channels - x.shape[-1])])


class Added(nnx.Module):
    """A residual block."""

    def __init__(self, body: Callable, shortcut: Callable, then: Callable):
        self.body, self.shortcut, self.then = body, shortcut, then

    def __call__(self, x):
        return self.then(self.body(x) + self.shortcut(x))


class Joined(nnx.Module):
    """Branches side by side."""

    def __init__(self, *branches: Callable):
        self.branches = nnx.List(branches)

    def __call__(self, x):
        return jnp.concatenate([branch(x) for branch in self.branches], axis=-1)


BUILD: dict[type, Callable[..., Callable]] = {
    Conv: _conv,
    Dense: _dense,
    BatchNorm: _batch_norm,
    MaxPool: _max_pool,
    AvgPool: _avg_pool,
    LocalResponseNorm: _lrn,
    PadChannels: lambda s, *_: partial(_more_channels, channels=s.channels),
    Sequential: lambda *a: nnx.Sequential(*children(*a).values()),
    Residual: lambda *a: Added(**children(*a)),
    Concat: lambda *a: Joined(*children(*a).values()),
    Relu: lambda *_: nnx.relu,
    Identity: lambda *_: nnx.identity,
    Flatten: lambda *_: lambda x: x.reshape(x.shape[0], -1),
    GlobalAvgPool: lambda *_: lambda x: x.mean(axis=tuple(range(1, x.ndim - 1))),
}
