"""Layers made of layers: Sequential, Residual, Concat. Tap, which listens in, is in tap.py.

A composite gives each child its own entry of `params` and `state` under the child's name, its own key (folded from that name), a
`jax.named_scope`, and a name for its output that `jax.checkpoint` policies know: its path, such as "stage2/block1/body/conv2".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from .errors import ShapeError, located
from .geometry import Shape
from .layer import Layer, Params, State, child_key, name_hash
from .layers.activation import Identity, Relu


class Composite(Layer):
    """What the layers of this file share: init and apply that go through the children, by name."""

    def init(self, key: jax.Array, in_shape: Shape) -> tuple[Params, State]:
        self.out_shape(in_shape)
        params, state = {}, {}
        for name, child, shape in self.steps(in_shape):
            p, s = located(name, child.init, child_key(key, name), shape)
            params |= {name: p} if p else {}
            state |= {name: s} if s else {}
        return params, state

    def apply(self, params: Params, state: State, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> tuple[Any, State]:
        call = Call(params, state, train, key, path="", changed={})
        return self.run(call, x), {**state, **call.changed}

    def run(self, call: Call, x):
        """The output for x; `call.child` runs one child and keeps its new state."""
        raise NotImplementedError


@dataclass
class Call:
    """One apply of a composite: the arrays its children share, and the states they return."""

    params: Params
    state: State
    train: bool
    key: jax.Array | None
    path: str
    changed: State

    def child(self, name: str, layer: Layer, x):
        path = f"{self.path}/{name}" if self.path else name
        params, state = self.params.get(name, {}), self.state.get(name, {})
        key = None if self.key is None else child_key(self.key, name)
        with jax.named_scope(name):
            if isinstance(layer, Composite):  # told its path, so that names and errors below are whole
                inner = Call(params, state, self.train, key, path, changed={})
                y, new = layer.run(inner, x), {**state, **inner.changed}
            else:
                y, new = located(path, layer.apply, params, state, x, train=self.train, key=key)
        if new:
            self.changed[name] = new
        return checkpoint_name(y, path)


@dataclass(frozen=True, init=False)
class Named(Composite):
    """Children given by keyword, or in order with automatic names: conv1, relu1, conv2, ..."""

    layers: tuple[tuple[str, Layer], ...]

    def __init__(self, *layers: Layer, **named: Layer):
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


class Sequential(Named):
    """One layer after another: `Sequential(conv1=Conv(20, 5), relu1=Relu())` or `Sequential(Conv(20, 5), Relu())`."""

    def steps(self, in_shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        for name, layer in self.layers:
            yield name, layer, in_shape
            in_shape = located(name, layer.out_shape, in_shape)

    def out_shape(self, in_shape: Shape) -> Shape:
        for name, layer in self.layers:
            in_shape = located(name, layer.out_shape, in_shape)
        return in_shape

    def run(self, call: Call, x):
        for name, layer in self.layers:
            x = call.child(name, layer, x)
        return x


class Concat(Named):
    """y = [branch(x) for each branch], joined along channels.

    Shapes: (*S, C) -> (*S', C1 + C2 + ...); every branch must give the same *S'. Raises ShapeError naming the first that differs.
    Source: the Inception module (facts B6).
    """

    def steps(self, in_shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        return iter([(name, layer, in_shape) for name, layer in self.layers])

    def out_shape(self, in_shape: Shape) -> Shape:
        shapes = {name: located(name, layer.out_shape, in_shape) for name, layer in self.layers}
        first, expected = next(iter(shapes.items()))
        for name, shape in shapes.items():
            if shape[:-1] != expected[:-1]:
                raise ShapeError(
                    f"gives {shape}, but {first} gives {expected}: branches may differ in channels only; adjust stride or padding", name
                )
        return (*expected[:-1], sum(shape[-1] for shape in shapes.values()))

    def run(self, call: Call, x):
        return jnp.concatenate([call.child(name, layer, x) for name, layer in self.layers], axis=-1)


@dataclass(frozen=True)
class Residual(Composite):
    """y = then(body(x) + shortcut(x)).

    Shapes: body and shortcut must give the same shape; ShapeError says what each gives.
    Source: He et al. 2015, "Deep Residual Learning for Image Recognition" (facts B8).
    """

    body: Layer
    shortcut: Layer = Identity()
    then: Layer = Relu()

    @property
    def children(self):
        return (("body", self.body), ("shortcut", self.shortcut), ("then", self.then))

    def with_children(self, children: Mapping[str, Layer]):
        return replace(self, **children)

    def steps(self, in_shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        yield "body", self.body, in_shape
        yield "shortcut", self.shortcut, in_shape
        yield "then", self.then, self._sum_shape(in_shape)

    def _sum_shape(self, in_shape: Shape) -> Shape:
        body, shortcut = (located(name, layer.out_shape, in_shape) for name, layer in self.children[:2])
        if body != shortcut:
            raise ShapeError(
                f"body gives {body} but shortcut gives {shortcut}, and they are added; "
                f"give the shortcut the same stride and channels, e.g. shortcut=Conv({body[-1]}, 1, stride=...)"
            )
        return body

    def out_shape(self, in_shape: Shape) -> Shape:
        return located("then", self.then.out_shape, self._sum_shape(in_shape))

    def run(self, call: Call, x):
        y = call.child("body", self.body, x) + call.child("shortcut", self.shortcut, x)
        return call.child("then", self.then, y)


def check_names(kind: str, pairs) -> None:
    if not pairs:
        raise ValueError(f"{kind}: no layers given, at least one was expected; Identity() is the layer that does nothing")
    hashes: dict[int, str] = {}
    for name, layer in pairs:
        if not isinstance(layer, Layer):
            raise TypeError(f"{kind}: {name} is {layer!r}, a layer was expected; wrap a function as Lambda(f)")
        if not name or "/" in name:
            raise ValueError(f"{kind}: the name {name!r} may not be empty or hold '/', which separates the parts of a path")
        other = hashes.setdefault(name_hash(name), name)
        if other != name:
            raise ValueError(f"{kind}: the names {other!r} and {name!r} have one crc32, so they would draw the same parameters; rename one")
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise ValueError(f"{kind}: {count} layers are called {name!r}; the automatic and the given names must differ")
