"""Layers made of layers: one after another, side by side, or added. Tap, which listens in, is in tap.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp

from .composite import Call, Composite, check_names
from .errors import ShapeError
from .geometry import Shape
from .layer import Layer
from .layers.activation import Identity, Relu


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
        return type(self)(**children)

    def __getitem__(self, name: str) -> Layer:
        return dict(self.layers)[name]

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{name}={layer!r}' for name, layer in self.layers)})"


@dataclass(frozen=True, init=False, repr=False)
class Sequential(Named):
    """One layer after another: `Sequential(conv1=Conv(20, 5), relu1=Relu())` or `Sequential(Conv(20, 5), Relu())`."""

    def run(self, call: Call, x):
        for name, layer in self.layers:
            x = call.child(name, layer, x)
        return x


@dataclass(frozen=True, init=False, repr=False)
class Concat(Named):
    """y = [branch(x) for each branch], joined along channels.

    Shapes: (*S, C) -> (*S', C1 + C2 + ...); every branch must give the same *S'. Raises ShapeError naming the first that differs.
    Source: the Inception module (facts B6).
    """

    def run(self, call: Call, x):
        return call.join(self, {name: call.child(name, layer, x) for name, layer in self.layers})

    def join(self, parts: dict[str, jax.Array]) -> jax.Array:
        return jnp.concatenate(list(parts.values()), axis=-1)

    def join_shapes(self, parts: dict[str, Shape]) -> Shape:
        first, expected = next(iter(parts.items()))
        for name, shape in parts.items():
            if shape[:-1] != expected[:-1]:
                raise ShapeError(
                    f"gives {shape}, but {first} gives {expected}: branches may differ in channels only; adjust stride or padding", name
                )
        return (*expected[:-1], sum(shape[-1] for shape in parts.values()))


@dataclass(frozen=True)
class Residual(Composite):
    """y = then(body(x) + shortcut(x)).

    Shapes: body and shortcut must give the same shape; ShapeError says what each gives.
    Source: He et al. 2015, "Deep Residual Learning for Image Recognition" (facts B8).
    """

    body: Layer
    shortcut: Layer = Identity()
    then: Layer = Relu()
    in_place = True  # the sum can overwrite the body's output

    def __post_init__(self):
        super().__post_init__()
        check_names("Residual", self.children)

    @property
    def children(self):
        return (("body", self.body), ("shortcut", self.shortcut), ("then", self.then))

    def with_children(self, children: Mapping[str, Layer]):
        return replace(self, **children)

    def run(self, call: Call, x):
        parts = {"body": call.child("body", self.body, x), "shortcut": call.child("shortcut", self.shortcut, x)}
        return call.child("then", self.then, call.join(self, parts))

    def join(self, parts: dict[str, jax.Array]) -> jax.Array:
        return parts["body"] + parts["shortcut"]

    def join_shapes(self, parts: dict[str, Shape]) -> Shape:
        body, shortcut = parts["body"], parts["shortcut"]
        if body != shortcut:
            raise ShapeError(
                f"body gives {body} but shortcut gives {shortcut}, and they are added; "
                f"give the shortcut the same stride and channels, e.g. shortcut=Conv({body[-1]}, 1, stride=...)"
            )
        return body
