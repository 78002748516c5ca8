"""Activations: functions of each value. The shape stays, and but for PRelu none has parameters
(CS231n notes, ConvNet Layers).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ..errors import ShapeError
from ..geometry import Shape, check_settings, volume
from ..layer import Layer, Parameter, Pointwise, Saved, like
from ..settings import check_range
from .initializer import constant


class Activation(Pointwise):
    """A layer that is a function of x alone."""

    in_place = True

    def function(self, x):
        raise NotImplementedError(f"{type(self).__name__} does not define function")

    def apply(self, params, state, x, *, train=False, key=None):
        return self.function(x), state


@dataclass(frozen=True)
class Identity(Activation):
    """y = x"""

    def saves(self, in_shape: Shape) -> Saved:
        return Saved()

    def function(self, x):
        return x


@dataclass(frozen=True)
class Relu(Activation):
    """y = max(0, x)"""

    def saves(self, in_shape: Shape) -> Saved:
        return Saved(bytes=volume(in_shape))

    def function(self, x):
        return jax.nn.relu(x)


@dataclass(frozen=True)
class Clip(Activation):
    """y = x held between `least` and `most`; as it stands, ReLU6.

    Raises ValueError unless least is below most. Source: Howard et al. 2017, "MobileNets".
    """

    least: float = 0.0
    most: float = 6.0

    def __post_init__(self):
        super().__post_init__()
        if not self.least < self.most:
            raise ValueError(f"Clip: least={self.least} is not below most={self.most}")

    def function(self, x):
        return jnp.clip(x, self.least, self.most)


@dataclass(frozen=True)
class LeakyRelu(Activation):
    """y = x where x > 0, else slope * x"""

    slope: float = 0.01

    def function(self, x):
        return jax.nn.leaky_relu(x, self.slope)


@dataclass(frozen=True)
class PRelu(Pointwise):
    """y = x where x > 0, else slope[c] * x, the slope trained; with `shared` one slope serves all
    channels.

    Shapes: (*S, C) -> the same. Params: slope (C,), or (1,) if shared. Source: He et al. 2015,
    "Delving Deep into Rectifiers"; PyTorch's is shared by default.
    """

    slope: float = 0.25
    shared: bool = False

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        return {"slope": Parameter((1,) if self.shared else in_shape[-1:], constant(self.slope))}

    def apply(self, params, state, x, *, train=False, key=None):
        (slope,) = like(x, params["slope"])
        return jnp.where(x > 0, x, slope.reshape((1,) * (x.ndim - 1) + slope.shape) * x), state


@dataclass(frozen=True)
class Elu(Activation):
    """y = x where x > 0, else alpha * (exp(x) - 1)"""

    alpha: float = 1.0

    def function(self, x):
        return jax.nn.elu(x, self.alpha)


@dataclass(frozen=True)
class Gelu(Activation):
    """y = x * Phi(x), Phi the normal distribution's. `approximate`, as in jax: y = x/2 * (1 +
    tanh(sqrt(2/pi) * (x + 0.044715 * x^3)))

    PyTorch's default is the exact form.
    """

    approximate: bool = True

    def function(self, x):
        return jax.nn.gelu(x, self.approximate)


@dataclass(frozen=True)
class Silu(Activation):
    """y = x * sigmoid(x)"""

    def function(self, x):
        return jax.nn.silu(x)


@dataclass(frozen=True)
class Sigmoid(Activation):
    """y = 1 / (1 + exp(-x))"""

    def function(self, x):
        return jax.nn.sigmoid(x)


@dataclass(frozen=True)
class Tanh(Activation):
    """y = scale * tanh(slope * x); LeNet's is Tanh(1.7159, 2/3)"""

    scale: float = 1.0
    slope: float = 1.0

    def function(self, x):
        return self.scale * jnp.tanh(self.slope * x)


@dataclass(frozen=True)
class Softplus(Activation):
    """y = log(1 + exp(beta * x)) / beta, which nears max(0, x) as beta grows. Source: Dugas et al.
    2000; PyTorch's beta.
    """

    beta: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        check_range("Softplus", beta=self.beta, above=0)

    def function(self, x):
        return jax.nn.softplus(x) if self.beta == 1 else jax.nn.softplus(self.beta * x) / self.beta


@dataclass(frozen=True)
class Softmax(Activation):
    """y = exp(x) / sum over channels of exp(x). Losses take scores before it."""

    def function(self, x):
        return jax.nn.softmax(x, axis=-1)


@dataclass(frozen=True)
class Maxout(Activation):
    """y = the largest of each group of `pieces` consecutive channels.

    Shapes: (*S, C) -> (*S, C/pieces). Raises ShapeError unless `pieces` divides C. Source:
    Goodfellow et al. 2013; ConvNetJS.
    """

    pieces: int = 2
    in_place = False

    def __post_init__(self):
        super().__post_init__()
        check_settings("Maxout", pieces=self.pieces)

    def out_shape(self, in_shape: Shape) -> Shape:
        if in_shape[-1] % self.pieces:
            raise ShapeError(
                f"{self.pieces} pieces do not divide {in_shape[-1]} channels; use a divisor of "
                f"{in_shape[-1]}"
            )
        return (*in_shape[:-1], in_shape[-1] // self.pieces)

    def function(self, x):
        return x.reshape(*x.shape[:-1], x.shape[-1] // self.pieces, self.pieces).max(axis=-1)


@dataclass(frozen=True)
class Lambda(Layer):
    """y = f(x), f a pure function of a batch. It compares by its function and refuses to be
    saved.
    """

    f: Callable

    def apply(self, params, state, x, *, train=False, key=None):
        return self.f(x), state
