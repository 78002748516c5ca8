"""Pooling layers. None has parameters; each channel is pooled apart (CS231n notes, Pooling
Layer).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from .. import ops
from ..errors import ShapeError
from ..geometry import Padding, Shape, Window, check_settings, per_axis, pool_window, volume, window
from ..layer import Layer, Parameter, Saved, like
from ..ops.methods import check_whole
from ..ops.pooling import window_sum
from ..settings import check_range
from .initializer import constant, zeros
from .kernel import check_spatial, slip


@dataclass(frozen=True)
class _Pool(Layer):
    """The settings all windowed pools share. The stride is the window by default; `rounding="ceil"`
    is Caffe's.

    `dilation` spreads the window as a convolution's. `padding_mode` says what padding holds:
    nothing ("zeros": it never is the largest, and adds nothing to a sum), or pixels of the image
    ("reflect", "replicate", "circular"), which count as such.
    """

    window: int | Shape
    stride: int | Shape | None = None
    padding: Padding = 0
    rounding: str = "floor"
    method: str = "auto"
    dilation: int | Shape = 1
    padding_mode: str = "zeros"

    def __post_init__(self):
        super().__post_init__()
        kind = type(self).__name__
        stride = self.window if self.stride is None else self.stride
        check_settings(
            kind, window=self.window, stride=stride, padding=self.padding, rounding=self.rounding
        )
        check_settings(kind, dilation=self.dilation, padding_mode=self.padding_mode)
        check_whole(self.method, f"{kind}: ")

    def over(self, in_shape: Shape) -> Window:
        """The window over this input."""
        check_spatial(in_shape)
        try:
            return pool_window(
                in_shape[:-1], self.window, self.stride, self.padding, self.rounding, self.dilation
            )
        except ShapeError as error:
            raise ShapeError(error.message + slip(in_shape)) from None

    def out_shape(self, in_shape: Shape) -> Shape:
        return (*self.over(in_shape).out_sizes, in_shape[-1])

    def macs(self, in_shape: Shape) -> int:
        return 0

    def how(self) -> dict[str, Any]:
        """The settings as the operations take them."""
        names = ("stride", "padding", "rounding", "dilation", "padding_mode", "method")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class MaxPool(_Pool):
    """y = the largest of each window; padding never wins. Its gradient goes to the first largest,
    row-major.

    Shapes: (*S, C) -> (*S', C). Raises ShapeError. Source: CS231n notes, Pooling Layer.
    """

    def saves(self, in_shape: Shape) -> Saved:
        # switches
        return Saved(
            bytes=volume(self.out_shape(in_shape))
            * (1 if volume(self.over(in_shape).size) <= 256 else 2)
        )

    def apply(self, params, state, x, *, train=False, key=None):
        return ops.max_pool(x, self.window, **self.how()), state


@dataclass(frozen=True)
class AvgPool(_Pool):
    """y = the mean of each window; `count_padding` counts padded zeros (Caffe, Torch), else not
    (TensorFlow, Inception-v4).

    Shapes: (*S, C) -> (*S', C). Raises ShapeError. Source: CS231n notes, Pooling Layer.
    """

    count_padding: bool = True

    def saves(self, in_shape: Shape) -> Saved:
        return Saved()

    def apply(self, params, state, x, *, train=False, key=None):
        like(x)
        return ops.avg_pool(x, self.window, count_padding=self.count_padding, **self.how()), state


@dataclass(frozen=True)
class LpPool(_Pool):
    """y = (sum over each window of |x|^p)^(1/p); p = 2 is the CS231n notes' L2-norm pooling, with
    gradient 0 where y is 0.

    Shapes: (*S, C) -> (*S', C). Raises ShapeError. Source: CS231n notes, Pooling Layer.
    """

    p: float = 2.0

    def __post_init__(self):
        super().__post_init__()
        check_range("LpPool", p=self.p, least=1)

    def apply(self, params, state, x, *, train=False, key=None):
        like(x)
        return ops.lp_pool(x, self.window, p=self.p, **self.how()), state


@dataclass(frozen=True)
class _Adaptive(Layer):
    """Pools to a size of their output: bin i of n reaches from floor(i*W/n) to ceil((i+1)*W/n)
    pixels.
    """

    sizes: int | Shape

    def __post_init__(self):
        super().__post_init__()
        check_settings(type(self).__name__, sizes=self.sizes)

    def out_shape(self, in_shape: Shape) -> Shape:
        check_spatial(in_shape)
        return (*per_axis(self.sizes, len(in_shape) - 1, "sizes"), in_shape[-1])

    def over(self, in_shape: Shape) -> Window | None:
        """The window that the bins are, where they are alike and as far apart; None where bins
        differ.
        """
        found = []
        for size, n in zip(in_shape[:-1], self.out_shape(in_shape)[:-1], strict=True):
            each = ops.pooling.bins(size, n)
            widths = {end - begin for begin, end in each}
            steps = {later - begin for (begin, _), (later, _) in itertools.pairwise(each)} or {size}
            if len(widths) > 1 or len(steps) > 1:
                return None
            found.append((widths.pop(), steps.pop()))
        widths, steps = zip(*found, strict=True)
        return window(in_shape[:-1], widths, stride=steps)

    def macs(self, in_shape: Shape) -> int:
        return 0


@dataclass(frozen=True)
class AdaptiveAvgPool(_Adaptive):
    """y = the means of `sizes` bins that cover the image, whatever its size; overlapping where they
    do not divide it.

    Shapes: (*S, C) -> (*sizes, C). Raises ShapeError. Source: PyTorch's AdaptiveAvgPool.
    """

    def saves(self, in_shape: Shape) -> Saved:
        return Saved()

    def apply(self, params, state, x, *, train=False, key=None):
        like(x)
        return ops.adaptive_avg_pool(x, self.out_shape(x.shape[1:])[:-1]), state


@dataclass(frozen=True)
class AdaptiveMaxPool(_Adaptive):
    """y = the largest values of `sizes` bins that cover the image, as AdaptiveAvgPool's. Gradients
    go to the first largest, row-major.

    Shapes: (*S, C) -> (*sizes, C). Raises ShapeError. Source: PyTorch's AdaptiveMaxPool.
    """

    method: str = "auto"

    def __post_init__(self):
        super().__post_init__()
        check_whole(self.method, "AdaptiveMaxPool: ")

    def apply(self, params, state, x, *, train=False, key=None):
        return ops.adaptive_max_pool(x, self.out_shape(x.shape[1:])[:-1], method=self.method), state


class _Global(Layer):
    """Pools of all positions into one."""

    def over(self, in_shape: Shape) -> Window:
        """All of the input is one window."""
        check_spatial(in_shape)
        return window(in_shape[:-1], in_shape[:-1])

    def out_shape(self, in_shape: Shape) -> Shape:
        check_spatial(in_shape)
        return in_shape[-1:]

    def macs(self, in_shape: Shape) -> int:
        return 0


@dataclass(frozen=True)
class GlobalAvgPool(_Global):
    """y = the mean over all positions. Shapes: (*S, C) -> (C,)"""

    def saves(self, in_shape: Shape) -> Saved:
        return Saved()

    def apply(self, params, state, x, *, train=False, key=None):
        return ops.global_avg_pool(x), state


@dataclass(frozen=True)
class GlobalMaxPool(_Global):
    """y = the largest over all positions. Shapes: (*S, C) -> (C,)"""

    def apply(self, params, state, x, *, train=False, key=None):
        return ops.global_max_pool(x), state


@dataclass(frozen=True)
class Subsampling(Layer):
    """LeNet-5's trainable pool: y = scale[c] * (sum of each window) + bias[c]; an activation
    follows as its own layer.

    Shapes: (*S, C) -> (*S', C). Params: scale (C,), bias (C,). Raises ShapeError. Source: LeCun et
    al. 1998.
    """

    window: int | Shape = 2
    stride: int | Shape | None = None
    method: str = "auto"

    def __post_init__(self):
        super().__post_init__()
        check_settings(
            "Subsampling",
            window=self.window,
            stride=self.window if self.stride is None else self.stride,
        )
        check_whole(self.method, "Subsampling: ")

    def over(self, in_shape: Shape) -> Window:
        """The window over this input."""
        check_spatial(in_shape)
        return pool_window(in_shape[:-1], self.window, self.stride, 0, "floor")

    def out_shape(self, in_shape: Shape) -> Shape:
        return (*self.over(in_shape).out_sizes, in_shape[-1])

    def macs(self, in_shape: Shape) -> int:
        return 0

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        mean = constant(1 / volume(self.over(in_shape).size))  # it begins as average pooling
        return {"scale": Parameter(in_shape[-1:], mean), "bias": Parameter(in_shape[-1:], zeros)}

    def apply(self, params, state, x, *, train=False, key=None):
        like(x)
        total = window_sum(x, self.over(x.shape[1:]), self.method)
        scale, bias = (
            a.astype(total.dtype).reshape((1,) * (x.ndim - 1) + a.shape)
            for a in like(x, params["scale"], params["bias"])
        )
        return (total * scale + bias).astype(x.dtype), state
