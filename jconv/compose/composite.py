"""What layers made of layers share: init and apply by name, and the ways to follow how their
children are connected.

A composite is a frozen dataclass whose settings hold layers, and one method, `run`, which says how
they are connected:

    @dataclass(frozen=True)
    class Gated(Composite):
        body: Layer
        gate: Layer

        def run(self, call, x):
            y, g = call.child("body", self.body, x), call.child("gate", self.gate, x)
            return call.join(jnp.multiply, y, g)

Everything follows from it: shapes, init, apply, the table, receptive fields, memory, edits, JSON,
gradient checks. For `run` is followed with arrays, where it computes, and with what stands for
arrays where none are needed, so x may only be passed on:

    call.child(name, layer, x)         through a child; twice with one name shares its weights
    call.join(f, *parts)               through a function of arrays, where branches meet
    call.repeat(name, layer, x, n)     through a child n times, by lax.scan
    call.shape(x)                      one example's shape

A composite gives each child its own entry of `params` and `state` under the child's name, its own
key (folded from that name), a `jax.named_scope`, and a name for its output that `jax.checkpoint`
policies know: its path, such as "stage2/block1/body/conv2".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import jax
import jax.numpy as jnp

from ..errors import FeaturesError, ShapeError, located
from ..geometry import Shape, as_shape
from ..layer import Layer, Params, State, check_composed, check_key, child_key, name_hash
from .arrays import Arrays
from .call import Call, Placeholder, Shapes, Step, passed_on
from .walking import walk


@dataclass(frozen=True)
class Composite(Layer):
    """A layer made of layers. It says once, in `run`, how its children are connected; see the top
    of this file.
    """

    composed = True

    def __init_subclass__(cls, **settings):
        super().__init_subclass__(**settings)
        if "apply" in vars(cls):
            raise TypeError(
                f"{cls.__name__} is a Composite and defines apply, which nothing but arrays would "
                "follow; say it in run(self, call, x)"
            )

    def __post_init__(self):
        super().__post_init__()
        kind = type(self).__name__
        for f in fields(self):
            if f.type in ("Layer", Layer):
                check_names(kind, [(f.name, getattr(self, f.name))])
        if self.children:
            check_names(kind, self.children)

    def run(self, call: Call, x):
        """The output for x, made by `call` alone: `call.child`, `call.join`, `call.repeat`."""
        raise NotImplementedError(f"{type(self).__name__} does not define run")

    @property
    def children(self) -> tuple[tuple[str, Layer], ...]:
        """The settings that are layers, by name: a setting of several layers numbers them (layers1,
        layers2, ...) unless it is made of (name, layer) pairs.
        """
        return tuple(pair for f in fields(self) for pair in _named(f.name, getattr(self, f.name)))

    def with_children(self, children: Mapping[str, Layer]) -> Layer:
        """The same composite around other children."""
        return replace(
            self,
            **{
                f.name: _exchanged(f.name, getattr(self, f.name), children)
                for f in fields(self)
                if f.init
            },
        )

    def out_shape(self, in_shape: Shape) -> Shape:
        return self.followed(in_shape)[0]

    def steps(self, in_shape: Shape) -> Iterator[Step]:
        """Each child as `run` goes through it, in that order; one whose weights are shared comes
        several times.
        """
        return iter(self.followed(in_shape)[1])

    def followed(self, in_shape: Shape) -> tuple[Shape, list[Step]]:
        """The shape that `run` gives, and its steps. Raises ShapeError, and LayerError for a layer
        in `run` that is not a child.
        """
        call = Shapes(self)
        return passed_on(self, call, Placeholder(as_shape(in_shape))).shape, call.steps

    def init(self, key: jax.Array, in_shape: Shape) -> tuple[Params, State]:
        check_key(self, key)
        params, state = {}, {}
        first: dict[str, Step] = {}
        for step in self.steps(in_shape):
            before = first.setdefault(step.name, step)
            if before is not step:
                _check_shared(before, step)
                continue
            p, s = located(step.name, _drawn, step, child_key(key, step.name))
            params |= {step.name: p} if p else {}
            state |= {step.name: s} if s else {}
        return params, state

    def apply(
        self,
        params: Params,
        state: State,
        x: jax.Array,
        *,
        train: bool = False,
        key: jax.Array | None = None,
    ) -> tuple[Any, State]:
        call = Arrays(params, state, train, key)
        try:
            return self.run(call, x), {**state, **call.changed}
        except FeaturesError as error:
            raise ShapeError(
                f"{error.message}; {_sizes_that_give(self, error, x.shape[1:])}", error.path
            ) from None


def _named(name: str, value: Any) -> list[tuple[str, Layer]]:
    """The layers that a setting holds, by name."""
    if isinstance(value, Layer):
        return [(name, value)]
    if not isinstance(value, tuple):
        return []
    pairs = [
        v
        for v in value
        if isinstance(v, tuple)
        and len(v) == 2
        and isinstance(v[0], str)
        and isinstance(v[1], Layer)
    ]
    return pairs or [
        (f"{name}{i}", layer) for i, layer in enumerate(value, 1) if isinstance(layer, Layer)
    ]


def _exchanged(name: str, value: Any, children: Mapping[str, Layer]) -> Any:
    """The setting with the layers that `children` has under its names."""
    if isinstance(value, Layer):
        return children.get(name, value)
    if not _named(name, value):
        return value

    def exchanged(i: int, entry: Any) -> Any:
        if isinstance(entry, Layer):
            return children.get(f"{name}{i}", entry)
        if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[1], Layer):
            return entry[0], children.get(entry[0], entry[1])
        return entry  # an optional layer that is not there, say

    return tuple(exchanged(i, entry) for i, entry in enumerate(value, 1))


def _drawn(step: Step, key: jax.Array) -> tuple[Params, State]:
    """A child's arrays; those of a loop stacked, a draw for each time."""
    if step.times is None or step.shared:
        return step.layer.init(key, step.in_shape)
    keys = jnp.stack([child_key(key, str(i)) for i in range(step.times)])
    return jax.vmap(lambda key: step.layer.init(key, step.in_shape))(keys)


def _check_shared(first: Step, again: Step) -> None:
    arrays = lambda step: jax.eval_shape(lambda key: _drawn(step, key), jax.random.key(0))
    if first != again and arrays(first) != arrays(again):
        raise ShapeError(
            f"it is applied to {first.in_shape} and to {again.in_shape}, for which its parameters "
            "differ; one name is one set of "
            "parameters: give it the same channels each time, or use two children",
            first.name,
        )


def _sizes_that_give(net: Layer, error: FeaturesError, in_shape: Shape) -> str:
    """Which square images bring that many features to the layer the error comes from."""
    sizes, channels = in_shape[:-1], in_shape[-1]
    square = lambda n: (*(n,) * len(sizes), channels)
    fit = [
        n
        for n in range(1, 2 * max(sizes, default=0) + 64)
        if _arrives(net, error.path, square(n)) == error.features
    ]
    if not fit:
        return f"no square image with {channels} channels gives that: initialise for this input"
    span = f"{fit[0]}" if len(fit) == 1 else f"{fit[0]} to {fit[-1]}"
    return (
        f"images of {span} pixels a side give that, these have {'x'.join(map(str, sizes))}: resize "
        "them, or initialise for this input"
    )


def _arrives(net: Layer, path: str, in_shape: Shape) -> int | None:
    try:
        return next(
            (visit.in_shape[0] for visit in walk(net, in_shape) if visit.path == path), None
        )
    except ShapeError:  # too small for some window
        return None


def _no_layer(kind: str, name: str, value: Any) -> str:
    """What to say of a value that stands where a layer was expected."""
    if isinstance(value, type) and issubclass(value, Layer):
        return (
            f"{name} is the class {value.__name__}, a layer was expected; write "
            f"{value.__name__}(...), with its settings"
        )
    came = type(value).__name__
    if isinstance(value, (list, tuple)):
        return (
            f"{name} is a {came}, layers were expected one by one; write {kind}(*layers) for a "
            f"{came} of them"
        )
    if isinstance(value, Mapping):
        return (
            f"{name} is a {came}, layers were expected by name; write {kind}(**layers) for a "
            f"{came} of them"
        )
    said = f"{name} is {value!r:.60}, a layer was expected"
    return f"{said}; wrap a function of a batch as Lambda(f)" if callable(value) else said


def check_names(kind: str, pairs) -> None:
    if not pairs:
        raise ValueError(
            f"{kind}: no layers given, at least one was expected; Identity() is the layer that "
            "does nothing"
        )
    hashes: dict[int, str] = {}
    for name, layer in pairs:
        if not isinstance(layer, Layer):
            raise TypeError(f"{kind}: {_no_layer(kind, name, layer)}")
        check_composed(layer)
        if not name or "/" in name or "#" in name:
            raise ValueError(
                f"{kind}: the name {name!r} may not be empty or hold '/' or '#', which separate "
                "the parts of a path"
            )
        other = hashes.setdefault(name_hash(name), name)
        if other != name:
            raise ValueError(
                f"{kind}: the names {other!r} and {name!r} have one crc32, so they would draw the "
                "same parameters; rename one"
            )
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise ValueError(
                f"{kind}: {count} layers are called {name!r}; the automatic and the given names "
                "must differ"
            )
