"""What the layers with a kernel share: their checks, how it is drawn, and their bias."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from ..errors import ShapeError
from ..geometry import Shape, Window, window
from ..layer import Draw, Parameter, like


def check_spatial(in_shape: Shape) -> None:
    """Refuse a shape that is not (*sizes, channels) with 1 to 3 sizes."""
    if not 2 <= len(in_shape) <= 4:
        raise ShapeError(
            f"the input shape {in_shape} has {len(in_shape) - 1} spatial axes, 1 to 3 were "
            "expected: one example's (*sizes, channels)"
        )


def sliding(in_shape: Shape, size: int | Shape, **settings: Any) -> Window:
    """The window over an example. Raises ShapeError, which names an axis that is too many where
    that explains why it does not fit.
    """
    check_spatial(in_shape)
    try:
        return window(in_shape[:-1], size, **settings)
    except ShapeError as error:
        raise ShapeError(error.message + slip(in_shape)) from None


def slip(in_shape: Shape) -> str:
    """What an in_shape may be that is too small for a window: that of a batch, or with the channels
    first; "" where it looks right.
    """
    first, rest = in_shape[0], in_shape[1:]
    if len(in_shape) > 2 and first < min(rest[:-1]) and (len(in_shape) > 3 or first in (1, 3)):
        if len(in_shape) == 4:
            return f"; {in_shape} has three spatial axes: leave the batch out, {rest}"
        return f"; {in_shape} may have its channels first: give {(*rest, first)}"
    return ""


def check_groups(groups: int, channels: int, what: str = "channels of the input") -> None:
    if channels % groups:
        raise ShapeError(
            f"{groups} groups do not divide the {channels} {what}; use a divisor of {channels}"
        )


def with_bias(layer, kernel: Parameter, shape: Shape) -> dict[str, Parameter]:
    """The kernel, and the layer's bias if it has one. A bias is drawn by the fans of its kernel, as
    PyTorch does.
    """
    bias = (
        {"bias": Parameter(shape, layer.bias_init, kernel.fan_in, kernel.fan_out)}
        if layer.bias
        else {}
    )
    return {"kernel": kernel} | bias


def by_shape(init: Draw, draw: Callable[[jax.Array, Any], jax.Array]) -> Draw:
    """What draws a kernel whose axes are not (*F, channels a unit reads, features), which is what
    jax's initializers count fans by.

    An initializer that is told the fans draws it as it lies; for a function of the shape alone,
    `draw(key, dtype)` asks `init` for such a kernel and brings it to where it lies.
    """
    return init if hasattr(init, "for_fans") else lambda key, _, dtype: draw(key, dtype)


def add_bias(params, y):
    """y + bias, the bias (features,) or of an example's whole shape."""
    if "bias" not in params:
        return y
    (bias,) = like(y, params["bias"])
    return y + bias.reshape((1,) * (y.ndim - bias.ndim) + bias.shape)
