"""Radial basis functions: LeNet-5's output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from ..errors import ShapeError
from ..geometry import Shape, check_settings, volume
from ..layer import Parameter, Pointwise, like
from ..ops.widening import wide


@dataclass(frozen=True)
class Rbf(Pointwise):
    """y_k = -sum over j of (x_j - codes[j, k])^2: minus the squared distance to a class's code of
    signs, so the nearest scores highest.

    Shapes: (in,) -> (features,), or with `positions`, everywhere in a map, (*S, in) -> (*S,
    features). No parameters: the codes (in, features) are state, drawn as -1 or 1 and never
    trained.
    Cost: in * features multiply-adds a position. Raises ShapeError for an input that is not flat,
    without `positions`.
    Source: LeCun et al. 1998.
    """

    features: int
    positions: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_settings("Rbf", features=self.features)

    def out_shape(self, in_shape: Shape) -> Shape:
        if len(in_shape) != 1 and not self.positions:
            raise ShapeError(
                f"the input shape {in_shape} has {len(in_shape)} axes, (features,) was expected; "
                "put a Flatten() before"
            )
        return (*in_shape[:-1], self.features)

    def statistics(self, in_shape: Shape) -> dict[str, Parameter]:
        return {"codes": Parameter((in_shape[-1], self.features), _signs)}

    def macs(self, in_shape: Shape) -> int:
        return volume(in_shape) * self.features

    def apply(self, params, state, x, *, train=False, key=None):
        (codes,) = like(x, state["codes"])
        if (x.ndim != 2 and not self.positions) or x.shape[-1] != codes.shape[0]:
            raise ShapeError(
                f"x of shape {x.shape} for codes of shape {codes.shape}: features disagree; "
                "initialise for this input"
            )
        # (N, *S, in, features)
        difference = wide(x)[..., None] - wide(codes).reshape((1,) * (x.ndim - 1) + codes.shape)
        return -jnp.square(difference).sum(axis=-2).astype(x.dtype), state


def _signs(key: jax.Array, shape: Shape, dtype: Any) -> jax.Array:
    return jax.random.rademacher(key, shape, dtype)
