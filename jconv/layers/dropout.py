"""Layers that draw while they are trained and do nothing at test time: what they keep is scaled up
by 1/(1 - rate).
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ..errors import LayerError
from ..geometry import Shape
from ..layer import Pointwise
from ..settings import check_range


class _Drop(Pointwise):
    """What they share: `rate` is the fraction dropped, and `mask_shape` says what is dropped as
    one.
    """

    rate: float
    in_place = True

    def __post_init__(self):
        super().__post_init__()
        check_range(type(self).__name__, rate=self.rate, least=0, below=1)

    def mask_shape(self, x_shape: Shape) -> Shape:
        raise NotImplementedError

    def apply(self, params, state, x, *, train=False, key=None):
        if not train or self.rate == 0:
            return x, state
        if key is None:
            raise LayerError(
                f"{type(self).__name__} draws in training and got no key; call apply(..., "
                "train=True, key=jax.random.key(0))"
            )
        keep = jax.random.bernoulli(key, 1 - self.rate, self.mask_shape(x.shape))
        return jnp.where(keep, x * (1 / (1 - self.rate)), 0), state


@dataclass(frozen=True)
class Dropout(_Drop):
    """y = x * m / (1 - rate), each value (or with `channels` each channel of an example) dropped
    with probability `rate`.

    Shapes: (*S, C) -> the same. Raises LayerError without a key in training. Source: Srivastava et
    al. 2014.
    """

    rate: float = 0.5
    channels: bool = False

    def mask_shape(self, x_shape: Shape) -> Shape:
        return (x_shape[0], *(1,) * (len(x_shape) - 2), x_shape[-1]) if self.channels else x_shape


@dataclass(frozen=True)
class DropPath(_Drop):
    """y = x * m / (1 - rate), each example dropped whole: stochastic depth, for the body of a
    Residual.

    Shapes: any -> the same. Raises LayerError without a key in training. Source: Huang et al. 2016.
    """

    rate: float = 0.1

    def mask_shape(self, x_shape: Shape) -> Shape:
        return (x_shape[0], *(1,) * (len(x_shape) - 1))
