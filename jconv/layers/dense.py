"""Fully connected layers, and what changes the shape for them."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp

from .. import ops
from ..errors import FeaturesError, ShapeError
from ..geometry import Shape, Window, check_settings, pointwise, volume, window
from ..layer import Draw, Layer, Parameter, Pointwise, Saved, like
from ..ops.methods import check_whole
from ..ops.sharding import reshaped
from ..settings import check_range
from .initializer import msra_normal, zeros
from .kernel import add_bias, with_bias


@dataclass(frozen=True)
class Dense(Layer):
    """y = x @ kernel + bias

    Shapes: (in,) -> (features,). Params: kernel (in, features), bias (features,). Cost: in *
    features multiply-adds. Raises ShapeError for an input that is not flat. Source: CS231n notes,
    Fully-connected layer.
    """

    features: int
    bias: bool = True
    method: str = "auto"  # or "lax", "im2col": the plain product
    precision: str | None = None
    kernel_init: Draw = msra_normal()
    bias_init: Draw = zeros

    def __post_init__(self):
        super().__post_init__()
        check_whole(self.method, "Dense: ")
        check_settings("Dense", features=self.features)

    def out_shape(self, in_shape: Shape) -> Shape:
        if len(in_shape) != 1:
            raise ShapeError(
                f"the input shape {in_shape} has {len(in_shape)} axes, (features,) was expected; "
                "put a Flatten() or GlobalAvgPool() before"
                + (f", or leave the batch out, {in_shape[1:]}" if len(in_shape) == 2 else "")
            )
        return (self.features,)

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        kernel = Parameter(
            (*in_shape, self.features), self.kernel_init, fan_in=in_shape[0], fan_out=self.features
        )
        return with_bias(self, kernel, (self.features,))

    def over(self, in_shape: Shape) -> Window:
        return pointwise(in_shape[:-1])

    def macs(self, in_shape: Shape) -> int:
        return in_shape[0] * self.features

    def saves(self, in_shape: Shape) -> Saved:
        return Saved(input=True)

    def misfit(self, name: str, shape: Shape, declared: Shape, x_shape: Shape) -> ShapeError:
        other_kernel = len(shape) != 2 or shape[1] != self.features or shape[::-1] == declared
        if name != "kernel" or len(x_shape) != 2 or other_kernel:
            return super().misfit(name, shape, declared, x_shape)
        message = (
            f"x of shape {x_shape} for a kernel of shape {shape}: {x_shape[1]:,} features came, "
            f"{shape[0]:,} were expected"
        )
        return FeaturesError(message, features=shape[0])

    def apply(self, params, state, x, *, train=False, key=None):
        (kernel,) = like(x, params["kernel"])
        return add_bias(
            params, ops.dense(x, kernel, method=self.method, precision=self.precision)
        ), state


@dataclass(frozen=True)
class Flatten(Layer):
    """y = x as one row per example, row-major with the channel fastest (Caffe and Torch run it
    slowest).

    Shapes: (*S, C) -> (prod(S)*C,).
    """

    in_place = True

    def over(self, in_shape: Shape) -> Window | None:
        """All of the input is one window."""
        return (
            window(in_shape[:-1], in_shape[:-1])
            if 2 <= len(in_shape) <= 4
            else pointwise(in_shape[:-1])
        )

    def macs(self, in_shape: Shape) -> int:
        return 0

    def saves(self, in_shape: Shape) -> Saved:
        return Saved()

    def out_shape(self, in_shape: Shape) -> Shape:
        return (volume(in_shape),)

    def apply(self, params, state, x, *, train=False, key=None):
        return reshaped(x, (x.shape[0], volume(x.shape[1:]))), state


@dataclass(frozen=True)
class PadChannels(Pointwise):
    """y = x with channels of zeros appended until there are `channels`: ResNet's shortcut A, after
    AvgPool(1, stride). The first `before` of the zeros come before x.

    Shapes: (*S, C) -> (*S, channels). Raises ShapeError when there is no room for x.
    """

    channels: int
    before: int = 0

    def __post_init__(self):
        super().__post_init__()
        check_settings("PadChannels", channels=self.channels)
        check_range("PadChannels", before=self.before, least=0)

    def out_shape(self, in_shape: Shape) -> Shape:
        if self.before + in_shape[-1] > self.channels:
            zeros = f"{self.before} zeros and " if self.before else ""
            raise ShapeError(
                f"{zeros}the {in_shape[-1]} channels of the input are more than "
                f"channels={self.channels}"
            )
        return (*in_shape[:-1], self.channels)

    def apply(self, params, state, x, *, train=False, key=None):
        after = self.channels - self.before - x.shape[-1]
        return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(self.before, after)]), state
