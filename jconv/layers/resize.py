"""Layers that make an image larger without weights: repeating or interpolating pixels, and channels
dealt out as pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import ops
from ..errors import ShapeError, unknown
from ..geometry import Shape, Window, check_settings, per_axis, pointwise
from ..layer import Layer, like
from ..ops.methods import check_whole
from ..ops.resizing import MODES
from .kernel import check_spatial


@dataclass(frozen=True)
class Upsample(Layer):
    """y[p] = x at p * in/out, its nearest pixel before, or between pixels by linear interpolation
    along every axis.

    Say `scale`, how many times as many pixels, or `sizes`, how many. mode "nearest" takes pixel
    floor(p * in/out); "bilinear" (over one axis linear, over three trilinear) interpolates at (p +
    1/2) * in/out - 1/2, held at the border pixels, or with `align_corners` at p * (in - 1)/(out -
    1). Sizes may also shrink, without any smoothing. Shapes: (*S, C) -> (*S*scale, C) or (*sizes,
    C). No parameters. Raises ShapeError. Source: PyTorch's Upsample.
    """

    scale: int | Shape | None = None
    sizes: int | Shape | None = None
    mode: str = "nearest"
    align_corners: bool = False
    method: str = "auto"

    def __post_init__(self):
        super().__post_init__()
        if (self.scale is None) == (self.sizes is None):
            raise ValueError(
                "Upsample: give scale, how many times as many pixels, or sizes, how many: one of "
                "the two"
            )
        check_settings(
            "Upsample", **({"scale": self.scale} if self.sizes is None else {"sizes": self.sizes})
        )
        if self.mode not in MODES:
            raise ValueError(f"Upsample: {unknown('mode', self.mode, MODES)}")
        if self.align_corners and self.mode == "nearest":
            raise ValueError(
                'Upsample: align_corners=True is for mode="bilinear"; the nearest pixel has no '
                "corners to align"
            )
        check_whole(self.method, "Upsample: ")

    def out_shape(self, in_shape: Shape) -> Shape:
        check_spatial(in_shape)
        rank = len(in_shape) - 1
        if self.sizes is not None:
            return (*per_axis(self.sizes, rank, "sizes"), in_shape[-1])
        scale = per_axis(self.scale or 1, rank, "scale")
        return (*(n * s for n, s in zip(in_shape[:-1], scale, strict=True)), in_shape[-1])

    def over(self, in_shape: Shape) -> Window | None:
        """Each pixel by itself, where the size stays; else None, as no one window slides over the
        input.
        """
        return pointwise(in_shape[:-1]) if self.out_shape(in_shape) == in_shape else None

    def macs(self, in_shape: Shape) -> int:
        return 0

    def apply(self, params, state, x, *, train=False, key=None):
        like(x)
        sizes = self.out_shape(x.shape[1:])[:-1]
        return ops.resize(
            x, sizes, mode=self.mode, align_corners=self.align_corners, method=self.method
        ), state


@dataclass(frozen=True)
class PixelShuffle(Layer):
    """y[p*r + i, c] = x[p, c*r^n + i], i counted row-major over n axes: groups of r^n channels
    become r pixels along every axis.

    Shapes: (*S, C) -> (*S*factor, C/factor^n). No parameters. Raises ShapeError unless factor^n
    divides C.
    Source: Shi et al. 2016, "Real-Time Single Image and Video Super-Resolution"; the order of
    channels is PyTorch's.
    """

    factor: int

    def __post_init__(self):
        super().__post_init__()
        check_settings("PixelShuffle", factor=self.factor)

    def out_shape(self, in_shape: Shape) -> Shape:
        check_spatial(in_shape)
        pieces = self.factor ** (len(in_shape) - 1)
        if in_shape[-1] % pieces:
            raise ShapeError(
                f"factor^axes = {pieces} does not divide the {in_shape[-1]} channels; use a "
                f"multiple of {pieces}"
            )
        return (*(n * self.factor for n in in_shape[:-1]), in_shape[-1] // pieces)

    def over(self, in_shape: Shape) -> Window | None:
        """A pixel, at factor 1; else none, as neighbours see the same."""
        return pointwise(in_shape[:-1]) if self.factor == 1 else None

    def macs(self, in_shape: Shape) -> int:
        return 0

    def apply(self, params, state, x, *, train=False, key=None):
        return ops.pixel_shuffle(x, self.factor), state
