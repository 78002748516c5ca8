"""Looking inside a network: every layer's output, or the network up to one of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp

from ..compose import Arrays, Composite, Sequential, path_to, turn_name
from ..errors import LayerError, located
from ..layer import Layer, Params, State, computes_as


def activations(net: Layer, params: Params, state: State, x: jax.Array) -> dict[str, jax.Array]:
    """What every layer gives for a batch, at test time, by path and in the order of `walk`. Under
    jit, what is unused costs nothing.

    What a layer gives when it is gone through again, with shared weights or in a loop, is under its
    path and "#2", "#3", ...
    """
    if not isinstance(net, Composite):
        return {"": net.apply(params, state, x)[0]}
    call = Recorder(params, state, False, None)
    net.run(call, jnp.asarray(x))
    return call.found


@dataclass
class Recorder(Arrays):
    """An apply that keeps every output that is no composite's."""

    found: dict[str, jax.Array] = field(default_factory=dict)
    seen: Counter = field(default_factory=Counter)  # how often each layer, by path

    def child(self, name: str, layer: Layer, x):
        y, path = super().child(name, layer, x), path_to(self.path, name)
        if not isinstance(layer, Composite):
            self.seen[path] += 1
            self.found[turn_name(path, self.seen[path])] = y
        return y

    def repeat(self, name, layer, x, times, *, shared=False, unroll=False):
        """Written out: what is computed inside a lax.scan cannot be kept."""
        given = self.params.get(name, {}), self.state.get(name, {})
        state = given[1]
        for i in range(times):
            params, state = (
                (given[0], state) if shared else jax.tree.map(lambda a, i=i: a[i], given)
            )
            one = replace(
                self,
                params={name: params},
                state={name: state},
                changed={},
                turns=Counter(),
                recorded=set(),
            )
            x = one.child(name, layer, x)
            state = one.changed.get(name, state)
        return x


def features(net: Layer, upto: str) -> Layer:
    """The net up to the layer at path `upto`, that one included: a feature extractor. Its
    parameters are among the net's own.

    Raises LayerError for a path that does not exist, listing its siblings, or that ends inside a
    branch.
    """
    name, _, rest = upto.partition("/")
    if not computes_as(net, Sequential):
        raise LayerError(
            f"{type(net).__name__} has branches and cannot end inside one; end at it, or at a "
            "layer of a Sequential"
        )
    names = [n for n, _ in net.layers]
    if name not in names:
        raise LayerError(f"there is no layer {name!r} here; there are {', '.join(names)}")
    kept = dict(net.layers[: names.index(name) + 1])
    if rest:
        kept[name] = located(name, features, kept[name], rest)
    return Sequential(**kept)
