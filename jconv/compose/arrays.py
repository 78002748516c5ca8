"""A batch followed through a net: every layer's `apply`, with the arrays under its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from ..errors import LayerError, located
from ..geometry import Shape
from ..layer import Layer, Params, State, child_key
from .call import Call, path_to

if TYPE_CHECKING:
    from .composite import Composite


@dataclass
class Arrays(Call):
    """Follows a batch: the arrays its children share, and the states they return."""

    params: Params
    state: State
    train: bool
    key: jax.Array | None
    path: str = ""
    changed: State = field(default_factory=dict)
    turns: Counter = field(default_factory=Counter)  # how often each child was gone through
    recorded: set[str] = field(default_factory=set)  # by taps, anywhere in the net

    def child(self, name: str, layer: Layer, x):
        inner = self.inside(name)
        with jax.named_scope(name):
            y, new = inner.through(layer, x)
        if new:
            self.changed[name] = new
        self.turns[name] += 1
        return checkpoint_name(y, inner.path)

    def inside(self, name: str) -> Arrays:
        """The call of what is in the child `name`; gone through again, it follows on from the state
        it left, and draws anew.
        """
        for what, tree in (("params", self.params), ("state", self.state)):
            if not isinstance(tree, Mapping):
                kind = type(tree).__name__
                raise LayerError(
                    f"{what} is of type {kind}, a dict with {name!r} in it was expected, as init "
                    "returns it",
                    self.path,
                )
        turn = self.turns[name]
        key = (
            None
            if self.key is None
            else child_key(self.key, f"{name}#{turn + 1}" if turn else name)
        )
        state = self.changed.get(name, self.state.get(name, {}))
        path = path_to(self.path, name)
        return replace(
            self,
            params=self.params.get(name, {}),
            state=state,
            key=key,
            path=path,
            changed={},
            turns=Counter(),
        )

    def through(self, layer: Layer, x) -> tuple[Any, State]:
        """What a layer makes of x with this call's arrays, and its new state."""
        if layer.composed:  # told its path, so that names and errors below are whole
            return cast("Composite", layer).run(self, x), {**self.state, **self.changed}
        try:
            return located(
                self.path, layer.apply, self.params, self.state, x, train=self.train, key=self.key
            )
        except KeyError as missing:
            raise LayerError(_missing(missing, self.params, self.state), self.path) from missing

    def join(self, f, *parts, shapes=None, pointwise=False, in_place=False):
        if shapes:  # an axis of size 1 would broadcast
            located(self.path, shapes, *(part.shape[1:] for part in parts))
        return f(*parts)

    def repeat(self, name, layer, x, times, *, shared=False, unroll=False):
        inner = self.inside(name)

        def once(x, params, state, i):
            key = None if inner.key is None else jax.random.fold_in(inner.key, i)
            y, new = replace(
                inner, params=params, state=state, key=key, changed={}, turns=Counter()
            ).through(layer, x)
            if y.dtype != x.dtype:
                raise LayerError(
                    f"it is repeated, but makes {y.dtype} of {x.dtype}; a repeated layer keeps its "
                    "dtype",
                    inner.path,
                )
            return y, new

        with jax.named_scope(name):
            y, new = (_looped_shared if shared else _looped)(once, inner, x, times, unroll)
        if new:
            self.changed[name] = new
        self.turns[name] += 1
        return checkpoint_name(y, inner.path)

    def record(self, name: str, y) -> None:
        path = path_to(self.path, name)
        if path in self.recorded:
            raise LayerError(
                f"the tap {name!r} records twice, as its layer is gone through again; put the tap "
                "outside",
                self.path,
            )
        self.recorded.add(path)
        self.changed[name] = y

    def shape(self, x) -> Shape:
        return x.shape[1:]


def _looped(once: Callable, inner: Arrays, x, times: int, unroll: bool) -> tuple[Any, State]:
    """Each time with arrays of its own; what the times leave is stacked."""
    if not unroll:
        one = lambda x, given: once(x, *given)
        return jax.lax.scan(
            one, x, (inner.params, inner.state, jnp.arange(times, dtype=jnp.uint32))
        )
    left = []
    for i in range(times):
        params, state = jax.tree.map(lambda a, i=i: a[i], (inner.params, inner.state))
        inner.recorded.difference_update(
            [path for path in inner.recorded if path.startswith(f"{inner.path}/")]
        )
        x, new = once(x, params, state, jnp.uint32(i))
        left.append(new)
    return x, jax.tree.map(lambda *a: jnp.stack(a), *left)


def _looped_shared(once: Callable, inner: Arrays, x, times: int, unroll: bool) -> tuple[Any, State]:
    """Each time with the same parameters, and the state that the one before left."""

    def one(kept, i):
        x, state = kept
        y, new = once(x, inner.params, state, i)
        if jax.tree.structure(new) != jax.tree.structure(state):
            raise LayerError(
                "a tap records inside a loop that shares its parameters; put it outside, or use "
                "shared=False",
                inner.path,
            )
        return (y, new), None

    if not unroll:
        return jax.lax.scan(one, (x, inner.state), jnp.arange(times, dtype=jnp.uint32))[0]
    kept = x, inner.state
    for i in range(times):
        kept, _ = one(kept, jnp.uint32(i))
    return kept


def _missing(name: KeyError, params: Params, state: State) -> str:
    given = " and ".join(
        f"{what} holds {', '.join(tree) or 'nothing'}"
        for what, tree in (("params", params), ("state", state))
    )
    return (
        f"{name} was looked up and is not there: for this layer {given}; pass what init(key, "
        "in_shape) of this very net returned"
    )
