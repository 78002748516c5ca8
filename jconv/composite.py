"""What layers made of layers share: init and apply by name, and the ways to follow how their children are connected.

A composite gives each child its own entry of `params` and `state` under the child's name, its own key (folded from that name), a
`jax.named_scope`, and a name for its output that `jax.checkpoint` policies know: its path, such as "stage2/block1/body/conv2".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import jax
from jax.ad_checkpoint import checkpoint_name

from .errors import FeaturesError, LayerError, ShapeError, located
from .geometry import Shape
from .layer import Layer, Params, State, child_key, name_hash, walk


class Composite(Layer):
    """What the layers of this file share: they say once, in `run`, how their children are connected.

    Followed with arrays that is `apply`, with shapes `out_shape` and `steps`; whoever wants to know something else of a network
    (its receptive field, its memory) follows it with a Call of its own.
    """

    def run(self, call: Call, x):
        """The output for x: `call.child(name, layer, x)` goes through a child, `call.join(self, parts)` brings branches together."""
        raise NotImplementedError(f"{type(self).__name__} does not define run")

    def join(self, parts: dict[str, jax.Array]) -> jax.Array:
        """The branches' outputs brought together; only for layers whose `run` joins."""
        raise NotImplementedError(f"{type(self).__name__} does not define join")

    def join_shapes(self, parts: dict[str, Shape]) -> Shape:
        """The shape that gives, without the batch. Raises ShapeError for branches that do not go together."""
        raise NotImplementedError(f"{type(self).__name__} does not define join_shapes")

    def out_shape(self, in_shape: Shape) -> Shape:
        return self.run(Shapes(), in_shape)

    def steps(self, in_shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        shapes = Shapes()
        self.run(shapes, in_shape)
        return iter(shapes.steps)

    def init(self, key: jax.Array, in_shape: Shape) -> tuple[Params, State]:
        params, state = {}, {}
        for name, child, shape in self.steps(in_shape):
            p, s = located(name, child.init, child_key(key, name), shape)
            params |= {name: p} if p else {}
            state |= {name: s} if s else {}
        return params, state

    def apply(self, params: Params, state: State, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> tuple[Any, State]:
        call = Arrays(params, state, train, key, path="", changed={})
        try:
            return self.run(call, x), {**state, **call.changed}
        except FeaturesError as error:
            raise ShapeError(f"{error.message}; {_sizes_that_give(self, error, x.shape[1:])}", error.path) from None


class Call:
    """One way to follow a composite through its children: what stands for x, and what a child makes of it."""

    train: bool  # whether branches that exist in training alone are followed

    def child(self, name: str, layer: Layer, x):
        """What `layer` makes of x."""
        raise NotImplementedError

    def join(self, layer: Composite, parts: dict[str, Any]):
        """What `layer` makes of its branches' outputs."""
        raise NotImplementedError

    def record(self, name: str, y) -> None:
        """Keep y beside the output, under a tap's name."""


@dataclass
class Shapes(Call):
    """Follows shapes of one example, and lists the children as (name, layer, its in_shape)."""

    steps: list[tuple[str, Layer, Shape]] = field(default_factory=list)
    train = True

    def child(self, name: str, layer: Layer, x: Shape) -> Shape:
        self.steps.append((name, layer, x))
        return located(name, layer.out_shape, x)

    def join(self, layer: Composite, parts: dict[str, Shape]) -> Shape:
        return layer.join_shapes(parts)


@dataclass
class Arrays(Call):
    """Follows a batch: the arrays its children share, and the states they return."""

    params: Params
    state: State
    train: bool
    key: jax.Array | None
    path: str
    changed: State

    def child(self, name: str, layer: Layer, x):
        inner = self.inside(name)
        with jax.named_scope(name):
            if isinstance(layer, Composite):  # told its path, so that names and errors below are whole
                y, new = layer.run(inner, x), {**inner.state, **inner.changed}
            else:
                try:
                    y, new = located(inner.path, layer.apply, inner.params, inner.state, x, train=inner.train, key=inner.key)
                except KeyError as missing:
                    raise LayerError(_missing(missing, inner.params, inner.state), inner.path) from missing
        if new:
            self.changed[name] = new
        return checkpoint_name(y, inner.path)

    def inside(self, name: str) -> Arrays:
        """The call of what is in the child `name`."""
        key = None if self.key is None else child_key(self.key, name)
        path = f"{self.path}/{name}" if self.path else name
        return replace(self, params=self.params.get(name, {}), state=self.state.get(name, {}), key=key, path=path, changed={})

    def join(self, layer: Composite, parts: dict[str, jax.Array]) -> jax.Array:
        located(self.path, layer.join_shapes, {name: y.shape[1:] for name, y in parts.items()})  # an axis of size 1 would broadcast
        return layer.join(parts)

    def record(self, name: str, y) -> None:
        self.changed[name] = y


def _missing(name: KeyError, params: Params, state: State) -> str:
    given = " and ".join(f"{what} holds {', '.join(tree) or 'nothing'}" for what, tree in (("params", params), ("state", state)))
    return f"{name} was looked up and is not there: for this layer {given}; pass what init(key, in_shape) of this very net returned"


def _sizes_that_give(net: Layer, error: FeaturesError, in_shape: Shape) -> str:
    """Which square images bring that many features to the layer the error comes from."""
    sizes, channels = in_shape[:-1], in_shape[-1]
    square = lambda n: (*(n,) * len(sizes), channels)
    fit = [n for n in range(1, 2 * max(sizes, default=0) + 64) if _arrives(net, error.path, square(n)) == error.features]
    if not fit:
        return f"no square image with {channels} channels gives that: initialise for this input"
    span = f"{fit[0]}" if len(fit) == 1 else f"{fit[0]} to {fit[-1]}"
    return f"images of {span} pixels a side give that, these have {'x'.join(map(str, sizes))}: resize them, or initialise for this input"


def _arrives(net: Layer, path: str, in_shape: Shape) -> int | None:
    try:
        return next((visit.in_shape[0] for visit in walk(net, in_shape) if visit.path == path), None)
    except ShapeError:  # too small for some window
        return None


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
