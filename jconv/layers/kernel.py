"""What the layers with a kernel share: their checks, and their bias."""

from __future__ import annotations

from ..errors import ShapeError
from ..geometry import Shape
from ..layer import Parameter, like


def check_spatial(in_shape: Shape) -> None:
    """Refuse a shape that is not (*sizes, channels) with 1 to 3 sizes."""
    if not 2 <= len(in_shape) <= 4:
        raise ShapeError(
            f"the input shape {in_shape} has {len(in_shape) - 1} spatial axes, 1 to 3 were expected: one example's (*sizes, channels)"
        )


def check_groups(groups: int, channels: int, what: str = "channels of the input") -> None:
    if channels % groups:
        raise ShapeError(f"{groups} groups do not divide the {channels} {what}; use a divisor of {channels}")


def bias_parameter(layer, shape: Shape) -> dict[str, Parameter]:
    return {"bias": Parameter(shape, layer.bias_init)} if layer.bias else {}


def add_bias(params, y):
    """y + bias, the bias (features,) or of an example's whole shape."""
    if "bias" not in params:
        return y
    (bias,) = like(y, params["bias"])
    return y + bias.reshape((1,) * (y.ndim - bias.ndim) + bias.shape)
