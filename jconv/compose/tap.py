"""Tap: what passes through a network, recorded in its state; and reading it back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import jax

from ..errors import LayerError
from ..layer import Layer, State
from ..layers.activation import Identity
from .call import Call
from .composite import Composite, check_names


@dataclass(frozen=True)
class Tap(Composite):
    """y = x, while body(x) is recorded in the state under `name`, at test time too; read it back
    with `split_taps`.

    With its default body it records what passes; with a classifier as body it is an auxiliary head,
    as GoogLeNet's, which `train_only=True` leaves out at test time.
    """

    name: str
    body: Layer = Identity()
    train_only: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_names("Tap", [(self.name, self.body)])  # the name it records under
        if self.name == "body":
            raise ValueError('Tap: the name "body" is taken by its own child; choose another')

    def run(self, call: Call, x):
        if call.train or not self.train_only:
            call.record(self.name, call.child("body", self.body, x))
        return x


def split_taps(net: Layer, state: State) -> tuple[State, dict[str, jax.Array]]:
    """What taps recorded, apart from the rest: (state, {tap name: value}). Carry the first through
    a `scan`; read the second.

    Raises LayerError when two taps of the net have one name.
    """
    if isinstance(net, Tap):
        rest, taps = _split_children(net, {k: v for k, v in state.items() if k != net.name})
        found = [(net.name, state[net.name])] if net.name in state else []
        return rest, _join_taps([*found, *taps.items()])
    return _split_children(net, state)


def _split_children(net: Layer, state: State) -> tuple[State, dict[str, jax.Array]]:
    rest, taps = dict(state), []
    for name, child in net.children:
        if name in state:
            rest[name], inside = split_taps(child, state[name])
            taps += inside.items()
            if not rest[name]:
                del rest[name]
    return rest, _join_taps(taps)


def _join_taps(taps: list[tuple[str, jax.Array]]) -> dict[str, jax.Array]:
    for name, count in Counter(name for name, _ in taps).items():
        if count > 1:
            raise LayerError(f"{count} taps are called {name!r}; give each its own name")
    return dict(taps)
