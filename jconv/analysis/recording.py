"""Looking inside a network: every layer's output, or the network up to one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

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
    return _recorded(net, params, state, x, {})[1]


class Backward(NamedTuple):
    """What a function of a net's output does to everything before it."""

    value: jax.Array  # of the function
    activations: dict[str, jax.Array]  # by path, as of `activations`
    gradients: dict[str, jax.Array]  # of the value, by each of them
    params: Params  # of the value, by each parameter
    x: jax.Array  # of the value, by the batch


def backward(
    net: Layer,
    params: Params,
    state: State,
    x: jax.Array,
    f: Callable[[jax.Array], jax.Array],
) -> Backward:
    """Every layer's output for a batch at test time, and the gradient of f(output of the net), one
    number, by all of them, by the parameters and by the batch: backpropagation, watched.
    """
    x = jnp.asarray(x)
    shapes = jax.eval_shape(lambda params: _recorded(net, params, state, x, {})[1], params)
    zeros = {path: jnp.zeros(a.shape, a.dtype) for path, a in shapes.items()}

    def value(params, x, added):
        y, found = _recorded(net, params, state, x, added)
        return f(y), found

    of_all = jax.value_and_grad(value, argnums=(0, 1, 2), has_aux=True)
    (found, seen), (by_params, by_x, by_added) = of_all(params, x, zeros)
    return Backward(found, seen, by_added, by_params, by_x)


def _recorded(
    net: Layer, params: Params, state: State, x: jax.Array, added: Mapping[str, jax.Array]
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The output, and every layer's, with what is `added` to some of them."""
    if not isinstance(net, Composite):
        y = net.apply(params, state, x)[0] + added.get("", 0)
        return y, {"": y}
    call = Recorder(params, state, False, None, added=added)
    return net.run(call, jnp.asarray(x)), call.found


@dataclass
class Recorder(Arrays):
    """An apply that keeps every output that is no composite's."""

    added: Mapping[str, jax.Array] = field(default_factory=dict)
    found: dict[str, jax.Array] = field(default_factory=dict)
    seen: Counter = field(default_factory=Counter)  # how often each layer, by path

    def child(self, name: str, layer: Layer, x):
        y, path = super().child(name, layer, x), path_to(self.path, name)
        if not isinstance(layer, Composite):
            self.seen[path] += 1
            turn = turn_name(path, self.seen[path])
            if turn in self.added:
                y = y + self.added[turn]
            self.found[turn] = y
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
