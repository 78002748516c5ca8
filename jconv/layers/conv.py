"""Convolution: the layer all is about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import ops
from ..errors import ShapeError
from ..geometry import Padding, Shape, Window, check_settings, volume
from ..layer import Draw, Layer, Parameter, Saved, like
from ..ops.methods import Choice, check_method
from .initializer import msra_normal, zeros
from .kernel import add_bias, by_shape, check_groups, sliding, with_bias

Mask = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Conv(Layer):
    """y[p, k] = bias[k] + sum over f, c of x[p*S + f*dilation - lo, c] * kernel[f, c, k]

    `kernel` is the window, an int or one entry per axis; the number of axes comes from the input, 1
    to 3. `mask` is a connection table, for each output channel the input channels it reads (LeNet's
    C3); only these weights then exist. `padding_mode` says what x is beyond its border: "zeros", or
    "reflect", "replicate", "circular" as in PyTorch.
    Shapes: (*S, C) -> (*S', features), by geometry.window. Params: kernel (*F, C/groups, features),
    or (*F, connections) with a mask, ordered by output channel; bias (features,).
    Cost: prod(S') * prod(F) * C/groups * features multiply-adds. Raises ShapeError. Source: CS231n
    notes, Convolutional Layer.

    The default precision lets the plan run methods that compute neighbouring outputs together: a
    NaN or a very large pixel then reaches a few positions beyond the windows that hold it, and
    whole numbers need not stay whole. `with_precision(net, "highest")` turns that off for a net,
    `jax.config.update("jax_default_matmul_precision", "highest")` for all: no such method runs
    then, named ones neither.
    """

    method_per_operation = True

    features: int
    kernel: int | Shape
    stride: int | Shape = 1
    padding: Padding = 0
    dilation: int | Shape = 1
    groups: int = 1
    bias: bool = True
    rounding: str = "floor"
    padding_mode: str = "zeros"
    mask: Mask | None = None
    method: Choice = "auto"
    precision: str | None = None
    kernel_init: Draw = msra_normal()
    bias_init: Draw = zeros

    def __post_init__(self):
        super().__post_init__()
        s = self
        check_settings(
            "Conv",
            features=s.features,
            kernel=s.kernel,
            stride=s.stride,
            dilation=s.dilation,
            groups=s.groups,
        )
        check_settings("Conv", padding=s.padding, rounding=s.rounding, padding_mode=s.padding_mode)
        check_method(s.method, "Conv: ")
        check_groups(s.groups, s.features, "features")
        if s.mask is not None and (len(s.mask) != s.features or s.groups != 1):
            raise ValueError(
                f"Conv: a mask of {len(s.mask)} rows for {s.features} features, groups={s.groups}; "
                "give one row per feature, and groups=1"
            )
        for k, row in enumerate(s.mask or ()):
            if not row or min(row) < 0 or len(set(row)) < len(row):
                raise ValueError(
                    f"Conv: mask row {k} is {row}; distinct input channels from 0 were expected, "
                    "at least one"
                )

    def over(self, in_shape: Shape) -> Window:
        """The window over this input."""
        return sliding(
            in_shape,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            rounding=self.rounding,
        )

    def out_shape(self, in_shape: Shape) -> Shape:
        w, channels = self.over(in_shape), in_shape[-1]
        check_groups(self.groups, channels)
        self._check_mask(channels)
        return (*w.out_sizes, self.features)

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        size, c = self.over(in_shape).size, in_shape[-1] // self.groups
        taps, shape = volume(size), (*size, c, self.features)
        if self.mask:
            connections = sum(map(len, self.mask))
            c, shape = max(1, connections // self.features), (*size, connections)
        draw = (
            by_shape(
                self.kernel_init, partial(self._connected, (*size, in_shape[-1], self.features))
            )
            if self.mask
            else self.kernel_init
        )
        return with_bias(
            self,
            Parameter(shape, draw, fan_in=taps * c, fan_out=taps * self.features),
            (self.features,),
        )

    def macs(self, in_shape: Shape) -> int:
        return volume(self.over(in_shape).out_sizes) * volume(
            self.parameters(in_shape)["kernel"].shape
        )

    def saves(self, in_shape: Shape) -> Saved:
        return Saved(
            input=True,
            fixed=volume(self.over(in_shape).size) * in_shape[-1] * self.features
            if self.mask
            else 0,
        )

    def apply(self, params, state, x, *, train=False, key=None):
        (kernel,) = like(x, params["kernel"])
        kernel = self.full_kernel(kernel, x.shape[-1])
        y = ops.conv(
            x,
            kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            rounding=self.rounding,
            padding_mode=self.padding_mode,
            method=self.method,
            precision=self.precision,
        )
        return add_bias(params, y), state

    def _check_mask(self, channels: int) -> None:
        highest = max(map(max, self.mask)) if self.mask else 0
        if highest >= channels:
            raise ShapeError(
                f"the mask names input channel {highest}, but the input has channels 0 to "
                f"{channels - 1}"
            )

    def full_kernel(self, kernel, channels: int):
        """The kernel as the op takes it: (*F, connections) -> (*F, channels, features), zero where
        the mask has none.
        """
        if not self.mask:
            return kernel
        self._check_mask(channels)  # an index beyond the channels would be dropped without a word
        full = jnp.zeros((*kernel.shape[:-1], channels, self.features), kernel.dtype)
        return full.at[..., *self._connections()].set(kernel)

    def _connected(self, shape: Shape, key: jax.Array, dtype: Any) -> jax.Array:
        """The weights that the mask leaves of a kernel drawn for all connections."""
        return self.kernel_init(key, shape, dtype)[..., *self._connections()]

    def _connections(self) -> tuple[np.ndarray, np.ndarray]:
        """The input and the output channel of each connection, ordered by output channel."""
        table = np.array([(c, k) for k, row in enumerate(self.mask or ()) for c in row])
        return table[:, 0], table[:, 1]
