"""Transposed convolution."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from .. import ops
from ..errors import ShapeError
from ..geometry import (
    Padding,
    Shape,
    Window,
    check_settings,
    per_axis,
    transposed_sizes,
    volume,
    window,
)
from ..layer import Draw, Layer, Parameter, Saved, like
from ..ops.methods import Choice, check_method
from .initializer import msra_normal, zeros
from .kernel import add_bias, by_shape, check_groups, check_spatial, with_bias


@dataclass(frozen=True)
class ConvTranspose(Layer):
    """Transposed convolution: the input gradient of the Conv with the same settings, used forwards.

    Shapes: (*S, K) -> (*S', features), S' = (S - 1)*stride + dilation*(F - 1) + 1 - lo - hi +
    extra, and S*stride + extra for "SAME"; `extra` (Torch's output_padding), below the stride and 0
    with "SAME", chooses among the sizes that convolve back to S. Params: kernel (*F,
    features/groups, K), as of the convolution it transposes; bias (features,).
    Cost: prod(S) * prod(F) * features/groups * K multiply-adds. Raises ShapeError.
    """

    method_per_operation = True

    features: int
    kernel: int | Shape
    stride: int | Shape = 1
    padding: Padding = 0
    dilation: int | Shape = 1
    groups: int = 1
    extra: int | Shape = 0
    bias: bool = True
    method: Choice = "auto"
    precision: str | None = None
    kernel_init: Draw = msra_normal()
    bias_init: Draw = zeros

    def __post_init__(self):
        super().__post_init__()
        s = self
        check_settings(
            "ConvTranspose",
            features=s.features,
            kernel=s.kernel,
            stride=s.stride,
            dilation=s.dilation,
            groups=s.groups,
        )
        check_settings("ConvTranspose", padding=s.padding)
        check_method(s.method, "ConvTranspose: ")
        check_groups(s.groups, s.features, "features")

    def out_shape(self, in_shape: Shape) -> Shape:
        check_spatial(in_shape)
        check_groups(self.groups, in_shape[-1])
        return (*self.transposes(in_shape).in_sizes, self.features)

    def transposes(self, in_shape: Shape) -> Window:
        """The window of the convolution it transposes, over this layer's output. Raises ShapeError
        when `extra` is too much.
        """
        s = self
        sizes = transposed_sizes(
            in_shape[:-1], s.kernel, stride=s.stride, padding=s.padding, dilation=s.dilation
        )
        out = tuple(
            size + more
            for size, more in zip(sizes, per_axis(s.extra, len(sizes), "extra"), strict=True)
        )
        w = window(out, s.kernel, stride=s.stride, padding=s.padding, dilation=s.dilation)
        if w.out_sizes != in_shape[:-1]:
            raise ShapeError(
                f"extra={self.extra} gives {out}, which convolve to {w.out_sizes}, not back to "
                f"{in_shape[:-1]}; "
                'use 0 up to one below the stride, and 0 with padding="SAME" '
                f"(stride={self.stride}, padding={self.padding!r})"
            )
        return w

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        size, c = self.transposes(in_shape).size, self.features // self.groups
        taps, channels = volume(size), in_shape[-1]
        draw = by_shape(
            self.kernel_init,
            partial(self._transposed, (*size, channels // self.groups, self.features)),
        )
        fans = {"fan_in": taps * channels // self.groups, "fan_out": taps * self.features}
        return with_bias(self, Parameter((*size, c, channels), draw, **fans), (self.features,))

    def _transposed(self, shape: Shape, key: jax.Array, dtype: Any) -> jax.Array:
        """(*F, K/groups, features) -> (*F, features/groups, K), group by group."""
        drawn = self.kernel_init(key, shape, dtype)
        size, inputs = shape[:-2], shape[-2]
        split = drawn.reshape(*size, inputs, self.groups, self.features // self.groups)
        return (
            jnp.moveaxis(split, -1, -3)
            .swapaxes(-1, -2)
            .reshape(*size, self.features // self.groups, self.groups * inputs)
        )

    def macs(self, in_shape: Shape) -> int:
        return volume(in_shape[:-1]) * volume(self.parameters(in_shape)["kernel"].shape)

    def saves(self, in_shape: Shape) -> Saved:
        return Saved(input=True)

    def apply(self, params, state, x, *, train=False, key=None):
        (kernel,) = like(x, params["kernel"])
        y = ops.conv_transpose(
            x,
            kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            out_sizes=self.out_shape(x.shape[1:])[:-1],
            method=self.method,
            precision=self.precision,
        )
        return add_bias(params, y), state
