"""The locally connected layer: a convolution whose weights are not shared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax

from .. import ops
from ..geometry import Padding, Shape, Window, check_settings, volume
from ..layer import Draw, Layer, Parameter, like
from ..ops.methods import check_whole
from .initializer import msra_normal, zeros
from .kernel import add_bias, by_shape, sliding, with_bias


@dataclass(frozen=True)
class Local(Layer):
    """A convolution whose weights are not shared: y[p, k] = bias[p, k] + sum over f, c of x[p*S + f
    - lo, c] * kernel[p, f, c, k]

    Shapes: (*S, C) -> (*S', features). Params: kernel (*S', *F, C, features), bias (*S', features).
    Cost: as Conv's. Raises ShapeError. Source: CS231n notes, Convolutional Layer; cuda-convnet.

    What sharing saves in AlexNet's first layer, a factor of 55*55:

    >>> from jconv import Conv, summary
    >>> layers = Local(96, 11, stride=4), Conv(96, 11, stride=4)
    >>> [summary(layer, (227, 227, 3)).totals.params for layer in layers]
    [105705600, 34944]
    """

    features: int
    kernel: int | Shape
    stride: int | Shape = 1
    padding: Padding = 0
    bias: bool = True
    method: str = "auto"
    precision: str | None = None
    kernel_init: Draw = msra_normal()
    bias_init: Draw = zeros

    def __post_init__(self):
        super().__post_init__()
        check_settings(
            "Local",
            features=self.features,
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
        )
        check_whole(self.method, "Local: ")

    def over(self, in_shape: Shape) -> Window:
        """The window over this input."""
        return sliding(in_shape, self.kernel, stride=self.stride, padding=self.padding)

    def out_shape(self, in_shape: Shape) -> Shape:
        return (*self.over(in_shape).out_sizes, self.features)

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        w, c = self.over(in_shape), in_shape[-1]
        taps, one = volume(w.size), (*w.size, c, self.features)
        draw = by_shape(self.kernel_init, partial(self._everywhere, w.out_sizes, one))
        kernel = Parameter(
            (*w.out_sizes, *one), draw, fan_in=taps * c, fan_out=taps * self.features
        )
        return with_bias(self, kernel, (*w.out_sizes, self.features))

    def _everywhere(self, positions: Shape, shape: Shape, key: jax.Array, dtype: Any) -> jax.Array:
        """(*S', *F, C, features): a kernel drawn for each position by itself."""
        keys = jax.random.split(key, volume(positions))
        return jax.vmap(lambda key: self.kernel_init(key, shape, dtype))(keys).reshape(
            *positions, *shape
        )

    def macs(self, in_shape: Shape) -> int:
        return volume(self.parameters(in_shape)["kernel"].shape)

    def apply(self, params, state, x, *, train=False, key=None):
        (kernel,) = like(x, params["kernel"])
        y = ops.local_conv(
            x,
            kernel,
            size=self.kernel,
            stride=self.stride,
            padding=self.padding,
            method=self.method,
            precision=self.precision,
        )
        return add_bias(params, y), state
