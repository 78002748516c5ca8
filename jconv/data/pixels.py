"""How pixels become the numbers that a net takes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..errors import InputError


class PixelScale(NamedTuple):
    """x = (value/255 - mean) / std, one number for all channels or one per channel.

    It belongs to the net, or else to the images that it was trained on, and is stored with its
    weights: other numbers than those that it learned from give other answers.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __str__(self) -> str:
        if self == UNIT:
            return "value/255"
        numbers = lambda values: (
            f"{values[0]:g}" if len(values) == 1 else f"({', '.join(f'{v:g}' for v in values)})"
        )
        less = f"value/255 - {numbers(self.mean)}"
        return less if set(self.std) == {1.0} else f"({less}) / {numbers(self.std)}"


UNIT = PixelScale()  # value/255
# of red, green and blue over ImageNet; the numbers of fb.resnet.torch and torchvision
IMAGENET = PixelScale((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def as_pixel_scale(mean: Any, std: Any, channels: int | None = None) -> PixelScale:
    """The scale of these numbers. Raises InputError unless they are finite, one or one for each of
    `channels`, and `std` above 0.
    """
    scale = PixelScale(tuple(map(float, mean)), tuple(map(float, std)))
    for name, values in zip(("pixel_mean", "pixel_std"), scale, strict=True):
        if not values or (channels is not None and len(values) not in (1, channels)):
            raise InputError(
                f"{name}={values}: one number was expected, or {channels or 'one per channel'}"
            )
        if not all(map(math.isfinite, values)) or (name == "pixel_std" and min(values) <= 0):
            raise InputError(f"{name}={values}: finite numbers, and a std above 0, were expected")
    return scale


def scaled(values: jax.Array, pixels: PixelScale = UNIT) -> jax.Array:
    """(values/255 - mean) / std in float32. (..., C) of 0 to 255 -> the same"""
    x = values.astype(jnp.float32) / 255
    if pixels == UNIT:
        return x
    per_channel = lambda numbers: jnp.asarray(numbers, jnp.float32).reshape(
        (1,) * (x.ndim - 1) + (-1,)
    )
    return (x - per_channel(pixels.mean)) / per_channel(pixels.std)
