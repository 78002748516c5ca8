"""Normalisation layers. They compute in float32 at least and return x's dtype."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp

from .. import ops
from ..errors import ShapeError, unknown
from ..geometry import Shape
from ..layer import Layer, Parameter
from ..ops.convolution import check_method
from ..ops.normalization import LRN_CONVENTIONS, wide
from .initializer import ones, zeros


def affine_parameters(layer, channels: int) -> dict[str, Parameter]:
    """scale and bias (C,), as far as the layer's settings want them."""
    scale = {"scale": Parameter((channels,), ones)} if layer.scale else {}
    return scale | ({"bias": Parameter((channels,), zeros)} if layer.bias else {})


def affine(params, y):
    """scale * y + bias, in y's dtype."""
    spread = lambda a: a.astype(y.dtype).reshape((1,) * (y.ndim - 1) + a.shape)
    if "scale" in params:
        y = y * spread(params["scale"])
    return y + spread(params["bias"]) if "bias" in params else y


@dataclass(frozen=True)
class Scale(Layer):
    """y = scale[c] * x + bias[c]

    Shapes: (*S, C) -> the same. Params: scale (C,), bias (C,). Source: Caffe's Scale.
    """

    scale: bool = True
    bias: bool = True

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        return affine_parameters(self, in_shape[-1])

    def apply(self, params, state, x, *, train=False, key=None):
        return affine(params, wide(x)).astype(x.dtype), state


@dataclass(frozen=True)
class BatchNorm(Layer):
    """y = scale * (x - mean) / sqrt(var + eps) + bias, each channel apart, over the batch and all positions.

    In training mean and var are the batch's, var biased (1/m) and computed in a second pass, and the state follows them:
    running = decay * running + (1 - decay) * batch, where the running var keeps the unbiased (1/(m-1)) estimate as Torch and
    Caffe do, or the biased one with `unbiased=False` as Flax does. At test time the running values are used.
    `decay` is the share kept: Torch's momentum 0.1 is decay 0.9.
    Shapes: (*S, C) -> the same. Params: scale, bias (C,). State: mean, var (C,). Under jit a sharded batch is one batch.
    Source: Ioffe and Szegedy 2015 (fact C5).
    """

    decay: float = 0.9
    eps: float = 1e-5
    scale: bool = True
    bias: bool = True
    unbiased: bool = True

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        return affine_parameters(self, in_shape[-1])

    def statistics(self, in_shape: Shape) -> dict[str, Parameter]:
        return {"mean": Parameter(in_shape[-1:], zeros), "var": Parameter(in_shape[-1:], ones)}

    def apply(self, params, state, x, *, train=False, key=None):
        if not train:
            mean, var = (wide(a) for a in (state["mean"], state["var"]))
        else:
            mean, var = ops.moments(x, tuple(range(x.ndim - 1)))
            count = x.size // x.shape[-1]
            kept = var * (count / max(count - 1, 1)) if self.unbiased else var
            follow = lambda old, new: (self.decay * old + (1 - self.decay) * new.astype(old.dtype)).astype(old.dtype)
            state = {"mean": follow(state["mean"], mean), "var": follow(state["var"], kept)}
        dtype = wide(x).dtype
        spread = lambda a: a.astype(dtype).reshape((1,) * (x.ndim - 1) + a.shape)
        return affine(params, ops.standardize(x, spread(mean), spread(var), self.eps)).astype(x.dtype), state


@dataclass(frozen=True)
class GroupNorm(Layer):
    """y = scale * (x - mean) / sqrt(var + eps) + bias, over the positions and the channels of one of `groups`, each example apart.

    Shapes: (*S, C) -> the same. Params: scale, bias (C,). Raises ShapeError unless groups divides C. Source: Wu and He 2018.
    """

    groups: int = 32
    eps: float = 1e-5
    scale: bool = True
    bias: bool = True

    def out_shape(self, in_shape: Shape) -> Shape:
        if in_shape[-1] % self.groups:
            raise ShapeError(f"{self.groups} groups do not divide {in_shape[-1]} channels; use a divisor of {in_shape[-1]}")
        return in_shape

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        return affine_parameters(self, in_shape[-1])

    def apply(self, params, state, x, *, train=False, key=None):
        return affine(params, ops.group_norm(x, self.groups, self.eps)).astype(x.dtype), state


@dataclass(frozen=True)
class LayerNorm(Layer):
    """y = scale * (x - mean) / sqrt(var + eps) + bias, over the channels of each position.

    Shapes: (*S, C) -> the same. Params: scale, bias (C,). Source: Ba et al. 2016.
    """

    eps: float = 1e-6
    scale: bool = True
    bias: bool = True

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        return affine_parameters(self, in_shape[-1])

    def apply(self, params, state, x, *, train=False, key=None):
        mean, var = ops.moments(x, (x.ndim - 1,), keepdims=True)
        return affine(params, ops.standardize(x, mean, var, self.eps)).astype(x.dtype), state


@dataclass(frozen=True)
class LocalResponseNorm(Layer):
    """y_i = x_i * s_i^-beta, s_i = k + a * sum of x_j^2 over `size` neighbouring channels, or, `within` a channel, positions.

    Across: convention "paper" has a = alpha and k = 2, "caffe" and "torch" a = alpha/size and k = 1 (facts C1a, C1b, F13).
    Within: a = alpha/size^rank and k = 1 whatever the convention (facts C1c, F14). `k` given overrides.
    Shapes: (*S, C) -> the same. No parameters. Source: Krizhevsky et al. 2012; Caffe's LRN.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float | None = None
    convention: str = "caffe"
    within: bool = False
    method: str = "auto"

    def __post_init__(self):
        super().__post_init__()
        check_method(self.method, "LocalResponseNorm: ")
        if self.convention not in LRN_CONVENTIONS:
            raise ValueError(f"LocalResponseNorm: {unknown('convention', self.convention, LRN_CONVENTIONS)}")

    def apply(self, params, state, x, *, train=False, key=None):
        s = self
        if s.within:
            k = 1.0 if s.k is None else s.k
            return ops.local_response_norm_within(x, size=s.size, alpha=s.alpha, beta=s.beta, k=k, method=s.method), state
        y = ops.local_response_norm(x, size=s.size, alpha=s.alpha, beta=s.beta, k=s.k, convention=s.convention, method=s.method)
        return y, state


@dataclass(frozen=True)
class ContrastNorm(Layer):
    """cuda-convnet's contrast normalisation: y = x * (k + alpha/size^rank * sum of d^2)^-beta, d = x - its local mean (fact C1c).

    Shapes: (*S, C) -> the same. No parameters.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0
    method: str = "auto"

    def __post_init__(self):
        super().__post_init__()
        check_method(self.method, "ContrastNorm: ")

    def apply(self, params, state, x, *, train=False, key=None):
        return ops.contrast_norm(x, size=self.size, alpha=self.alpha, beta=self.beta, k=self.k, method=self.method), state


@dataclass(frozen=True)
class Normalize(Layer):
    """y = (x - mean) / std by fixed numbers, one for all channels or one a channel; integer images become float32.

    Shapes: (*S, C) -> the same. Raises ShapeError when the numbers and the channels disagree.
    """

    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0

    def out_shape(self, in_shape: Shape) -> Shape:
        for what, value in (("mean", self.mean), ("std", self.std)):
            if isinstance(value, tuple) and len(value) != in_shape[-1]:
                raise ShapeError(f"{what}={value} has {len(value)} entries for {in_shape[-1]} channels; give one a channel, or one for all")
        return in_shape

    def apply(self, params, state, x, *, train=False, key=None):
        x = x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.float32)
        row = lambda v: jnp.asarray(v, x.dtype).reshape((1,) * (x.ndim - 1) + (-1,))
        return (x - row(self.mean)) / row(self.std), state
