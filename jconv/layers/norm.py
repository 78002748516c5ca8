"""Normalisation layers. They compute in float32 at least and return x's dtype."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from .. import ops
from ..errors import ShapeError
from ..geometry import Shape, check_settings, volume
from ..layer import Parameter, Pointwise, Saved, like
from ..ops.widening import wide
from ..settings import check_range
from .initializer import ones, zeros


def affine_parameters(layer, channels: int) -> dict[str, Parameter]:
    """scale and bias (C,), as far as the layer's settings want them."""
    scale = {"scale": Parameter((channels,), ones)} if layer.scale else {}
    return scale | ({"bias": Parameter((channels,), zeros)} if layer.bias else {})


def affine(params, y):
    """scale * y + bias, in y's dtype."""
    if "scale" in params:
        y = y * per_channel(params["scale"], y)
    return y + per_channel(params["bias"], y) if "bias" in params else y


def per_channel(a, y):
    """a (C,) as an array that multiplies y (N, *S, C), in y's dtype."""
    return a.astype(y.dtype).reshape((1,) * (y.ndim - 1) + a.shape)


def floating(x):
    """x wide enough to compute in. Raises LayerError for integers: casting the result back would
    truncate it.
    """
    like(x)
    return wide(x)


@dataclass(frozen=True)
class Scale(Pointwise):
    """y = scale[c] * x + bias[c]

    Shapes: (*S, C) -> the same. Params: scale (C,), bias (C,). Source: Caffe's Scale.
    """

    scale: bool = True
    bias: bool = True

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        return affine_parameters(self, in_shape[-1])

    def apply(self, params, state, x, *, train=False, key=None):
        return affine(params, floating(x)).astype(x.dtype), state


@dataclass(frozen=True)
class BatchNorm(Pointwise):
    """y = scale * (x - mean) / sqrt(var + eps) + bias, each channel apart, over the batch and all
    positions.

    In training mean and var are the batch's, var biased (1/m) and computed in a second pass, and
    the state follows them: running = decay * running + (1 - decay) * batch, where the running var
    keeps the unbiased (1/(m-1)) estimate as Torch and Caffe do, or the biased one with
    `unbiased=False` as Flax does. At test time the running values are used. `decay` is the share
    kept: Torch's momentum 0.1 is decay 0.9. Shapes: (*S, C) -> the same. Params: scale, bias (C,).
    State: mean, var (C,). Under jit a batch that is spread over devices is one batch. Inside
    `jax.shard_map` each device normalizes by its own part, as any code there is one device's: the
    new state then differs from device to device, and to return it as one its mean is to be taken
    (`jax.lax.pmean`). A batch without images leaves the state as it is. Raises ShapeError in
    training for less than two examples of a single position each, whose variance would be that of
    one value.
    Source: Ioffe and Szegedy 2015.
    """

    decay: float = 0.9
    eps: float = 1e-5
    scale: bool = True
    bias: bool = True
    unbiased: bool = True

    def __post_init__(self):
        super().__post_init__()
        check_range("BatchNorm", decay=self.decay, least=0, most=1)
        check_range("BatchNorm", eps=self.eps, above=0)

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        return affine_parameters(self, in_shape[-1])

    def statistics(self, in_shape: Shape) -> dict[str, Parameter]:
        return {"mean": Parameter(in_shape[-1:], zeros), "var": Parameter(in_shape[-1:], ones)}

    def saves(self, in_shape: Shape) -> Saved:
        return Saved(wide=volume(in_shape))

    def apply(self, params, state, x, *, train=False, key=None):
        wx = floating(x)
        if not train:
            mean, var = state["mean"], state["var"]
        else:
            if few := self._too_few(x):
                raise ShapeError(few)
            if x.shape[0] == 0:
                return x, state
            scale = params["scale"] if self.scale else jnp.ones(x.shape[-1:])
            bias = params["bias"] if self.bias else jnp.zeros(x.shape[-1:])
            y, mean, var = ops.batch_norm(
                wx, scale.astype(wx.dtype), bias.astype(wx.dtype), self.eps
            )
            count = x.size // x.shape[-1]
            kept = var * (count / max(count - 1, 1)) if self.unbiased else var
            follow = lambda old, new: (
                self.decay * old + (1 - self.decay) * new.astype(old.dtype)
            ).astype(old.dtype)
            return y.astype(x.dtype), {
                "mean": follow(state["mean"], mean),
                "var": follow(state["var"], kept),
            }
        y = ops.standardize(wx, per_channel(mean, wx), per_channel(var, wx), self.eps)
        return affine(params, y).astype(x.dtype), state

    def _too_few(self, x) -> str:
        """Why the variance of this batch is none, or ""."""
        batch, positions = x.shape[0], volume(x.shape[1:-1])
        if positions != 1 or not isinstance(batch, int) or batch > 1:
            return ""
        return (
            f"x of shape {x.shape} has {'one value' if batch else 'no value'} per channel, and in "
            "training at least two were expected: the "
            "variance of one is zero, and so is every gradient; give more examples in a batch, or "
            "train=False"
        )


@dataclass(frozen=True)
class GroupNorm(Pointwise):
    """y = scale * (x - mean) / sqrt(var + eps) + bias, over the positions and the channels of one
    of `groups`, each example apart.

    Shapes: (*S, C) -> the same. Params: scale, bias (C,). Raises ShapeError unless groups divides
    C. Source: Wu and He 2018.
    """

    groups: int = 32
    eps: float = 1e-5
    scale: bool = True
    bias: bool = True

    def __post_init__(self):
        super().__post_init__()
        check_settings("GroupNorm", groups=self.groups)
        check_range("GroupNorm", eps=self.eps, above=0)

    def out_shape(self, in_shape: Shape) -> Shape:
        if in_shape[-1] % self.groups:
            raise ShapeError(
                f"{self.groups} groups do not divide {in_shape[-1]} channels; use a divisor of "
                f"{in_shape[-1]}"
            )
        if volume(in_shape) == self.groups:
            raise ShapeError(
                f"{self.groups} groups of {in_shape} hold one value each, which is its own mean; "
                "use fewer groups"
            )
        return in_shape

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        return affine_parameters(self, in_shape[-1])

    def apply(self, params, state, x, *, train=False, key=None):
        return affine(params, ops.group_norm(floating(x), self.groups, self.eps)).astype(
            x.dtype
        ), state


@dataclass(frozen=True)
class InstanceNorm(Pointwise):
    """y = scale * (x - mean) / sqrt(var + eps) + bias over the positions, each channel of each
    example apart; var is biased.

    Shapes: (*S, C) -> the same. Params: scale, bias (C,), which PyTorch's lacks by default. Raises
    ShapeError for a single position. Source: Ulyanov et al. 2016, "Instance Normalization".
    """

    eps: float = 1e-5
    scale: bool = True
    bias: bool = True

    def __post_init__(self):
        super().__post_init__()
        check_range("InstanceNorm", eps=self.eps, above=0)

    def out_shape(self, in_shape: Shape) -> Shape:
        if volume(in_shape[:-1]) == 1:
            raise ShapeError(
                f"the input {in_shape} has one position, and a value alone is its own mean; use "
                "LayerNorm or BatchNorm"
            )
        return in_shape

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        return affine_parameters(self, in_shape[-1])

    def apply(self, params, state, x, *, train=False, key=None):
        wx = floating(x)
        mean, var = ops.moments(wx, tuple(range(1, x.ndim - 1)), keepdims=True)
        return affine(params, ops.standardize(wx, mean, var, self.eps)).astype(x.dtype), state


@dataclass(frozen=True)
class RMSNorm(Pointwise):
    """y = scale * x / sqrt(mean of x^2 + eps), the mean over the channels of each position.

    Shapes: (*S, C) -> the same. Params: scale (C,). Source: Zhang and Sennrich 2019, "Root Mean
    Square Layer Normalization".
    """

    eps: float = 1e-6
    scale: bool = True

    def __post_init__(self):
        super().__post_init__()
        check_range("RMSNorm", eps=self.eps, above=0)

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        return {"scale": Parameter(in_shape[-1:], ones)} if self.scale else {}

    def apply(self, params, state, x, *, train=False, key=None):
        wx = floating(x)
        y = wx * jax.lax.rsqrt(
            jnp.mean(jnp.square(wx), axis=-1, keepdims=True) + jnp.asarray(self.eps, wx.dtype)
        )
        return affine(params, y).astype(x.dtype), state


@dataclass(frozen=True)
class LayerNorm(Pointwise):
    """y = scale * (x - mean) / sqrt(var + eps) + bias, over the channels of each position.

    Shapes: (*S, C) -> the same. Params: scale, bias (C,). Source: Ba et al. 2016.
    """

    eps: float = 1e-6
    scale: bool = True
    bias: bool = True

    def __post_init__(self):
        super().__post_init__()
        check_range("LayerNorm", eps=self.eps, above=0)

    def out_shape(self, in_shape: Shape) -> Shape:
        if in_shape[-1] == 1:
            raise ShapeError(
                f"the input {in_shape} has one channel, and a value alone is its own mean; use "
                "BatchNorm or GroupNorm"
            )
        return in_shape

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        return affine_parameters(self, in_shape[-1])

    def apply(self, params, state, x, *, train=False, key=None):
        wx = floating(x)
        mean, var = ops.moments(wx, (x.ndim - 1,), keepdims=True)
        return affine(params, ops.standardize(wx, mean, var, self.eps)).astype(x.dtype), state


@dataclass(frozen=True)
class Normalize(Pointwise):
    """y = (x - mean) / std by fixed numbers, one for all channels or one a channel; integer images
    become float32.

    Shapes: (*S, C) -> the same. Raises ShapeError when the numbers and the channels disagree.
    """

    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0

    def __post_init__(self):
        super().__post_init__()
        for std in self.std if isinstance(self.std, tuple) else (self.std,):
            check_range("Normalize", std=std, above=0)

    def out_shape(self, in_shape: Shape) -> Shape:
        for what, value in (("mean", self.mean), ("std", self.std)):
            if isinstance(value, tuple) and len(value) != in_shape[-1]:
                raise ShapeError(
                    f"{what}={value} has {len(value)} entries for {in_shape[-1]} channels; give "
                    "one a channel, or one for all"
                )
        return in_shape

    def apply(self, params, state, x, *, train=False, key=None):
        x = x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.float32)
        row = lambda v: jnp.asarray(v, x.dtype).reshape((1,) * (x.ndim - 1) + (-1,))
        return (x - row(self.mean)) / row(self.std), state
