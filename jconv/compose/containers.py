"""The composites that nets are made of: layers one after another, side by side, added, or in a
loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ..errors import ShapeError
from ..geometry import Padding, Shape, check_settings
from ..layer import Layer
from ..layers.activation import Identity, Relu
from ..layers.pool import MaxPool
from ..ops.max_pooling import route, switches
from ..spelling import in_lines
from .call import Call
from .composite import Composite, check_names


@dataclass(frozen=True, init=False)
class Named(Composite):
    """Children given by keyword, or in order with automatic names: conv1, relu1, conv2, ..."""

    layers: tuple[tuple[str, Layer], ...]

    def __init__(self, /, *layers: Layer, **named: Layer):
        kinds = Counter()
        pairs = []
        for layer in layers:
            kind = type(layer).__name__.lower()
            kinds[kind] += 1
            pairs.append((f"{kind}{kinds[kind]}", layer))
        pairs += named.items()
        check_names(type(self).__name__, pairs)
        object.__setattr__(self, "layers", tuple(pairs))

    @property
    def children(self):
        return self.layers

    def with_children(self, children: Mapping[str, Layer]):
        other = copy(self)  # a class derived from this may have an __init__ of its own
        object.__setattr__(
            other, "layers", tuple((name, children.get(name, layer)) for name, layer in self.layers)
        )
        return other

    def __getitem__(self, name: str) -> Layer:
        """The layer of that name, or of that path through the layers inside. Raises KeyError, with
        the names there are.
        """
        layer: Layer = self
        for i, part in enumerate(parts := str(name).split("/")):
            children = dict(layer.children)
            if part not in children:
                there, where = ", ".join(children) or "none", "/".join(parts[:i]) or "the net"
                raise KeyError(f"{where} has no layer called {part!r}; it has {there}")
            layer = children[part]
        return layer

    def __repr__(self):
        return in_lines(type(self).__name__, [(name, repr(layer)) for name, layer in self.layers])


@dataclass(frozen=True, init=False, repr=False)
class Sequential(Named):
    """One layer after another: `Sequential(conv1=Conv(20, 5), relu1=Relu())` or
    `Sequential(Conv(20, 5), Relu())`.
    """

    def run(self, call: Call, x):
        for name, layer in self.layers:
            x = call.child(name, layer, x)
        return x


@dataclass(frozen=True, init=False, repr=False)
class Concat(Named):
    """y = [branch(x) for each branch], joined along channels.

    Shapes: (*S, C) -> (*S', C1 + C2 + ...); every branch must give the same *S'. Raises ShapeError
    naming the first that differs. Source: the Inception module, Szegedy et al. 2014, "Going Deeper
    with Convolutions".
    """

    def run(self, call: Call, x):
        parts = [call.child(name, layer, x) for name, layer in self.layers]
        return call.join(side_by_side, *parts, shapes=self._shape, pointwise=True)

    def _shape(self, *parts: Shape) -> Shape:
        (first, _), expected = self.layers[0], parts[0]
        for (name, _), shape in zip(self.layers, parts, strict=True):
            if shape[:-1] != expected[:-1]:
                raise ShapeError(
                    f"gives {shape}, but {first} gives {expected}: branches may differ in channels "
                    "only; adjust stride or padding",
                    name,
                )
        return (*expected[:-1], sum(shape[-1] for shape in parts))


def side_by_side(*parts: jax.Array) -> jax.Array:
    return jnp.concatenate(parts, axis=-1)


@dataclass(frozen=True)
class Residual(Composite):
    """y = then(body(x) + shortcut(x)).

    Shapes: body and shortcut must give the same shape; ShapeError says what each gives.
    Source: He et al. 2015, "Deep Residual Learning for Image Recognition".
    """

    body: Layer
    shortcut: Layer = Identity()
    then: Layer = Relu()

    def run(self, call: Call, x):
        body, shortcut = call.child("body", self.body, x), call.child("shortcut", self.shortcut, x)
        return call.child(
            "then",
            self.then,
            call.join(summed, body, shortcut, shapes=_shape_of_sum, pointwise=True, in_place=True),
        )


def summed(body: jax.Array, shortcut: jax.Array) -> jax.Array:
    return body + shortcut


def _shape_of_sum(body: Shape, shortcut: Shape) -> Shape:
    if body != shortcut:
        raise ShapeError(
            f"body gives {body} but shortcut gives {shortcut}, and they are added; "
            f"give the shortcut the same stride and channels, e.g. shortcut=Conv({body[-1]}, 1, "
            "stride=...)"
        )
    return body


@dataclass(frozen=True)
class MaxUnpool(Composite):
    """y = body(max pool of x), each value put back where its window's maximum was, zeros elsewhere;
    values that meet are added.

    Shapes: (*S, C) -> (*S, C); the body keeps the shape of the pooled image, or ShapeError says
    what it gives. Windows as MaxPool's. Source: Zeiler and Fergus 2013, "Visualizing and
    Understanding Convolutional Networks"; SegNet (Badrinarayanan et al. 2015) unpools so.
    """

    body: Layer
    window: int | Shape = 2
    stride: int | Shape | None = None
    padding: Padding = 0
    rounding: str = "floor"

    @property
    def pool(self) -> MaxPool:
        """The pool that comes first."""
        return MaxPool(self.window, self.stride, self.padding, self.rounding)

    def __post_init__(self):
        super().__post_init__()
        _ = self.pool  # checks the settings

    def run(self, call: Call, x):
        pooled = call.join(self._pooled, x, shapes=self.pool.out_shape)
        return call.join(
            self._unpooled, call.child("body", self.body, pooled), x, shapes=self._shape
        )

    def _pooled(self, x: jax.Array) -> jax.Array:
        return self.pool.apply({}, {}, x)[0]

    def _unpooled(self, y: jax.Array, x: jax.Array) -> jax.Array:
        pool = self.pool
        found = switches(
            x, pool.window, stride=pool.stride, padding=pool.padding, rounding=pool.rounding
        )
        return route(y, found, pool.over(x.shape[1:]))

    def _shape(self, y: Shape, x: Shape) -> Shape:
        if y != (pooled := self.pool.out_shape(x)):
            raise ShapeError(
                f"gives {y} of the pooled image, {pooled}, whose shape it has to keep: its values "
                "go to the maxima",
                "body",
            )
        return x


@dataclass(frozen=True)
class Repeat(Composite):
    """y = layer(...layer(x)), `times` times, by lax.scan: compiled once, however often it goes
    round.

    Each time has parameters of its own, stacked along a first axis of every array; with `shared`
    all have the same. `unroll` writes the times out in the program: longer to compile, for what
    runs slower inside a loop.
    Shapes: those of the layer, which must keep its input's. Raises ShapeError.
    """

    layer: Layer
    times: int
    shared: bool = False
    unroll: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_settings("Repeat", times=self.times)

    def run(self, call: Call, x):
        return call.repeat(
            "layer", self.layer, x, self.times, shared=self.shared, unroll=self.unroll
        )
