"""What a layer is.

A layer is a frozen dataclass of settings: no array, no mode, no name. Everything else is a pure function of those settings:

    layer.out_shape(in_shape)                                   -> the shape of one output example, by integer arithmetic
    layer.init(key, in_shape)                                   -> params, state
    layer.apply(params, state, x, *, train=False, key=None)     -> y, state

`in_shape` is one example's shape, channels last, without the batch; `x` has exactly one leading batch axis. `params` and
`state` are plain dicts by name. `train` is static; `key` is needed only by a layer that draws while it is trained.

To write a layer, declare its arrays in `parameters` (and `statistics`, for what training updates outside the gradient) and
write `out_shape` and `apply`; `init` then follows. See `Scale` in layers/norm.py for the whole of one.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from .errors import LayerError, located
from .geometry import Shape, Window
from .ops.methods import WHOLE, Choice, check_method

Params = dict[str, Any]
State = dict[str, Any]


class Draw(Protocol):
    """What `Parameter.draw` is: an Initializer, one of jax.nn.initializers, or any function of this form.

    One that has a method `for_fans(fan_in, fan_out)`, as an Initializer has, is asked for the function to draw with, and so knows the
    fans that the layer counted; others see the shape alone.
    """

    def __call__(self, key: jax.Array, shape: Shape, dtype: Any, /) -> jax.Array: ...


class Parameter(NamedTuple):
    """One declared array: its shape, what draws it, and the fans an initializer scales by.

    They count the terms that a unit sums (`fan_in`) and the sums that an input takes part in (`fan_out`).
    """

    shape: Shape
    draw: Draw
    fan_in: int = 1
    fan_out: int = 1

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def drawn(self, key: jax.Array) -> jax.Array:
        """The array, float32."""
        for_fans = getattr(self.draw, "for_fans", None)
        draw = for_fans(self.fan_in, self.fan_out) if for_fans else self.draw
        return draw(key, self.shape, jnp.float32)


class Saved(NamedTuple):
    """What a layer keeps between the forward and the backward pass for one example, beside its parameters."""

    input: bool = False  # its input, as it came
    values: int = 0  # values of the input's dtype
    wide: int = 0  # values of float32 at least
    bytes: int = 0  # masks and switches


@dataclass(frozen=True)
class Layer:
    """Base of every layer: settings that compare, hash and pickle, and the three methods with their defaults."""

    method_per_operation = False  # whether its `method`, where it has one, may be any of ops.METHODS, or a word for each operation
    in_place = False  # whether the output can overwrite the input, so that tables count no activations for it

    def __post_init__(self):
        for field in fields(self):  # a list or a NumPy number given as a setting would not hash or go to JSON
            object.__setattr__(self, field.name, _plain(getattr(self, field.name)))

    @property
    def children(self) -> tuple[tuple[str, Layer], ...]:
        """The layers inside this one as (name, layer), in execution order."""
        return ()

    def with_children(self, children: Mapping[str, Layer]) -> Layer:
        """The same layer around other children."""
        return self

    def out_shape(self, in_shape: Shape) -> Shape:
        """The shape of one output example. Raises ShapeError."""
        return in_shape

    def over(self, in_shape: Shape) -> Window | None:
        """The window the layer slides over this input, if it is such a layer."""
        return None

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        """The trained arrays, by leaf name."""
        return {}

    def statistics(self, in_shape: Shape) -> dict[str, Parameter]:
        """The arrays that training updates outside the gradient, by leaf name."""
        return {}

    def macs(self, in_shape: Shape) -> int:
        """Multiply-adds of one example's forward pass in convolutions and matrix products; all else counts as none."""
        return 0

    def saves(self, in_shape: Shape) -> Saved:
        """What training keeps of one example's forward pass for the gradient, as jax does it."""
        return Saved()

    def steps(self, in_shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        """The children as (name, layer, its in_shape), in execution order."""
        return iter(())

    def init(self, key: jax.Array, in_shape: Shape) -> tuple[Params, State]:
        """Draw the parameters and the initial state. Every array's key follows from its name alone."""
        self.out_shape(in_shape)
        draw = lambda name, p: p.drawn(child_key(key, name))
        params = {name: draw(name, p) for name, p in self.parameters(in_shape).items()}
        return params, {name: draw(name, p) for name, p in self.statistics(in_shape).items()}

    def apply(self, params: Params, state: State, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> tuple[Any, State]:
        """The output for a batch, and the new state."""
        raise NotImplementedError(f"{type(self).__name__} does not define apply")


def child_key(key: jax.Array, name: str) -> jax.Array:
    """The key of what is called `name`: it depends on the name, never on the position among its siblings."""
    return jax.random.fold_in(key, np.uint32(name_hash(name)))


def name_hash(name: str) -> int:
    return zlib.crc32(name.encode())


def like(x: jax.Array, *arrays: jax.Array) -> tuple[jax.Array, ...]:
    """The arrays cast to x's dtype: the whole of the mixed-precision rule. Raises LayerError for integer x, which would truncate them;
    a layer whose own arithmetic would truncate or overflow calls it without arrays."""
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise LayerError(
            f"the input has dtype {x.dtype}, a floating-point one was expected; cast it, or begin the net with Normalize(mean, std)"
        )
    return tuple(a.astype(x.dtype) for a in arrays)


class Visit(NamedTuple):
    """One layer of a network as `walk` lists it."""

    path: str
    layer: Layer
    in_shape: Shape
    out_shape: Shape


def walk(net: Layer, in_shape: Shape, path: str = "") -> Iterator[Visit]:
    """Every layer that holds no other, in execution order, with its path and the shapes of one example. Raises ShapeError."""
    if not net.children:
        yield Visit(path, net, in_shape, located(path, net.out_shape, in_shape))
    steps = net.steps(in_shape)
    while step := located(path, next, steps, None):
        name, child, shape = step
        yield from walk(child, shape, f"{path}/{name}" if path else name)


def map_layers(net: Layer, f: Callable[[str, Layer], Layer], path: str = "") -> Layer:
    """The net with every layer replaced by f(path, layer), the inner ones first; the net itself has path ""."""
    inside = {name: map_layers(child, f, f"{path}/{name}" if path else name) for name, child in net.children}
    return f(path, net.with_children(inside) if inside else net)


def with_method(net: Layer, method: Choice) -> Layer:
    """The net with every layer that has a `method` set to it: `with_method(net, "im2col")` is the reference path.

    A method of convolutions alone, or a word for each of their operations, leaves the other layers as they are.
    Raises ValueError for an unknown method.
    """
    check_method(method)

    def change(_: str, layer: Layer) -> Layer:
        knows = hasattr(layer, "method") and (method in WHOLE or layer.method_per_operation)
        return replace(layer, method=method) if knows else layer

    return map_layers(net, change)


def _plain(value):
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return tuple(_plain(v) for v in value)
    return value.item() if isinstance(value, np.generic) else value
