"""Ten layers and composites as a user would write them, and a small net around each; for the tests
of any module.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp

from jconv import (
    Composite,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    LayerNorm,
    Parameter,
    Relu,
    Sequential,
    ShapeError,
    Sigmoid,
)
from jconv.layers import he_normal, ones


@dataclass(frozen=True)
class Swish(Layer):
    """y = x * sigmoid(beta[c] * x)"""

    def parameters(self, in_shape):
        return {"beta": Parameter(in_shape[-1:], ones)}

    def apply(self, params, state, x, *, train=False, key=None):
        return x * jax.nn.sigmoid(
            params["beta"].astype(x.dtype).reshape((1,) * (x.ndim - 1) + (-1,)) * x
        ), state


@dataclass(frozen=True)
class SqueezeExcite(Composite):
    """y = x * gate(x), the gate one number per channel made of the mean over all positions."""

    squeeze: Layer
    excite: Layer

    def run(self, call, x):
        gate = call.child("excite", self.excite, call.child("squeeze", self.squeeze, x))
        return call.join(scaled, x, gate)


def scaled(x, gate):
    return x * gate.reshape(gate.shape[0], *(1,) * (x.ndim - 2), gate.shape[-1])


@dataclass(frozen=True)
class StandardizedConv(Conv):
    """A Conv whose kernel has mean 0 and standard deviation 1 over each output's inputs."""

    def apply(self, params, state, x, *, train=False, key=None):
        kernel = params["kernel"]
        axes = tuple(range(kernel.ndim - 1))
        kernel = (kernel - kernel.mean(axes, keepdims=True)) / (
            kernel.std(axes, keepdims=True) + 1e-5
        )
        return super().apply({**params, "kernel": kernel}, state, x, train=train, key=key)


@dataclass(frozen=True)
class Twice(Composite):
    """y = layer(layer(x)), with the same weights."""

    layer: Layer

    def run(self, call, x):
        return call.child("layer", self.layer, call.child("layer", self.layer, x))


@dataclass(frozen=True)
class DenseBlock(Composite):
    """Every layer reads what went into the block and what all layers before it made."""

    layers: tuple[Layer, ...]

    def run(self, call, x):
        for i, layer in enumerate(self.layers, 1):
            x = call.join(beside, x, call.child(f"layers{i}", layer, x))
        return x


def beside(*parts):
    return jnp.concatenate(parts, axis=-1)


@dataclass(frozen=True)
class GatedSum(Composite):
    """y = g * a(x) + (1 - g) * b(x), g = gate(x)"""

    a: Layer
    b: Layer
    gate: Layer

    def run(self, call, x):
        return call.join(mixed, *(call.child(name, layer, x) for name, layer in self.children))


def mixed(a, b, g):
    return g * a + (1 - g) * b


@dataclass(frozen=True)
class Looped(Composite):
    """The same block several times, each with weights of its own, compiled once."""

    block: Layer
    times: int = 3

    def run(self, call, x):
        return call.join(jnp.add, x, call.repeat("block", self.block, x, self.times))


@dataclass(frozen=True)
class ConvNeXtBlock(Composite):
    """y = x + contract(act(expand(norm(depthwise(x)))))"""

    depthwise: Layer
    norm: Layer
    expand: Layer
    act: Layer
    contract: Layer

    def run(self, call, x):
        y = x
        for name, layer in self.children:
            y = call.child(name, layer, y)
        return call.join(jnp.add, x, y)


@dataclass(frozen=True)
class SpaceToDepth(Layer):
    """(H, W, C) -> (H/size, W/size, size*size*C)"""

    size: int = 2

    def out_shape(self, in_shape):
        if any(n % self.size for n in in_shape[:-1]):
            raise ShapeError(f"{self.size} does not divide {in_shape[:-1]}")
        return (
            *(n // self.size for n in in_shape[:-1]),
            self.size ** (len(in_shape) - 1) * in_shape[-1],
        )

    def apply(self, params, state, x, *, train=False, key=None):
        s = self.size
        return jnp.concatenate(
            [x[:, i::s, j::s] for i in range(s) for j in range(s)], axis=-1
        ), state


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _clipped(x, limit):
    return jnp.clip(x, -limit, limit)


def _clipped_forward(x, limit):
    return _clipped(x, limit), jnp.abs(x) < limit


def _clipped_backward(limit, inside, y):
    return (jnp.where(inside, y, 0),)


_clipped.defvjp(_clipped_forward, _clipped_backward)


@dataclass(frozen=True)
class Clipped(Layer):
    """y = x within the limit, with a gradient rule of its own that keeps one bit per value."""

    limit: float = 1.5

    def apply(self, params, state, x, *, train=False, key=None):
        return _clipped(x, self.limit), state


IN_SHAPE, BATCH = (12, 8, 3), 8
SAME = partial(Conv, kernel=3, padding=1)
OWN = {
    "swish": Swish(),
    "squeeze and excite": SqueezeExcite(
        Sequential(pool=GlobalAvgPool(), fc=Dense(4), relu=Relu()),
        Sequential(fc=Dense(8, kernel_init=he_normal()), gate=Sigmoid()),
    ),
    "standardized conv": StandardizedConv(8, 3, padding=1),
    "shared weights": Twice(Sequential(conv=SAME(8), act=Swish())),
    "dense block": DenseBlock(
        (Sequential(conv=SAME(4), relu=Relu()), Sequential(conv=SAME(4), act=Swish()))
    ),
    "gated sum": GatedSum(SAME(8), Conv(8, 1), Sequential(conv=Conv(8, 1), gate=Sigmoid())),
    "looped block": Looped(Sequential(conv=SAME(8), act=Swish()), times=3),
    "ConvNeXt block": ConvNeXtBlock(
        Conv(8, 5, padding=2, groups=8), LayerNorm(), Conv(16, 1), Swish(), Conv(8, 1)
    ),
    "space to depth": SpaceToDepth(2),
    "custom gradient": Clipped(),
}
CLASSES = [
    Swish,
    SqueezeExcite,
    StandardizedConv,
    Twice,
    DenseBlock,
    GatedSum,
    Looped,
    ConvNeXtBlock,
    SpaceToDepth,
    Clipped,
]


def net_of(layer: Layer) -> Layer:
    """The layer between a convolution and a classifier."""
    return Sequential(
        conv1=SAME(8), own=layer, conv2=Conv(6, 3, stride=2), flatten=Flatten(), fc=Dense(5)
    )


def image_of(layer: Layer) -> Layer:
    """The layer between two convolutions, to see how far it sees."""
    return Sequential(conv1=SAME(8), own=layer, conv2=Conv(6, 3))
