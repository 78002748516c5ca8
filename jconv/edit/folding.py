"""Batch norms folded into the layers before them: an edit for inference and export.

At test time a batch norm is y = a*x + b for each channel, a = scale / sqrt(var + eps), b = bias -
a*mean. Where x comes from a convolution alone, its kernel times a, and its bias times a plus b, say
the same. What depends on the statistics of a batch is gone then, so a folded net is not for
training.

A batch norm that has no such layer before it stays as it is, with its numbers to the last bit: as a
`Scale` it would read and write as much, and XLA fuses either with what is around it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..compose import Composite, Following, Placeholder, Tap, path_to
from ..errors import LayerError
from ..geometry import Shape
from ..layer import Layer, Params, State, computes_as, map_layers
from ..layers import BatchNorm, Conv, ConvTranspose, Dense, Identity, Local

# exactly these: a class derived from one may compute something else
KINDS = (Conv, ConvTranspose, Dense, Local)
FIX = "pass what init(key, in_shape) of this very net returned"


def fold_batch_norm(net: Layer, params: Params, state: State) -> tuple[Layer, Params, State]:
    """The net, and its arrays, with every BatchNorm that comes right after a Conv, ConvTranspose,
    Local or Dense folded into that.

    The BatchNorm becomes an Identity, so that every path stays, and its arrays go; the layer before
    gets a bias where it had none. `apply(..., train=False)` gives the same but for rounding. Both
    stay as they are where anything beside the BatchNorm reads the layer's output, such as a Tap or
    another branch, or where a composite runs one of them more than once. Arrays keep their dtype.
    Raises LayerError with the path where params or state are not the net's.
    """
    _check("", net, params, state)
    while pairs := _foldable(net):  # again, as a BatchNorm may have come after another
        edits: dict[str, Layer] = {}
        for before, norm in pairs:
            at = before.path, norm.path
            if (came := _get(state, at[1])["mean"].shape) != (expected := (before.layer.features,)):
                raise LayerError(
                    f"mean and var have the shape {came}, {expected} was expected after "
                    f"{before.path}; {FIX}",
                    norm.path,
                )
            edits |= {before.path: replace(before.layer, bias=True), norm.path: Identity()}
            folded = _folded(
                before.layer,
                _get(params, at[0]),
                norm.layer,
                _get(params, at[1]),
                _get(state, at[1]),
            )
            params, state = _put(_put(params, at[0], folded), at[1], {}), _put(state, at[1], {})
        net = map_layers(net, partial(_edited, edits))
    return net, params, state


# Who reads what
# --------------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """A layer as it is met when the net runs, and the number of the value it reads; its own output
    is the number of the next step.
    """

    path: str
    layer: Any  # None where branches meet
    reads: int


class Number(Placeholder):
    """What stands for an array: a number of its own. The input is 0."""

    def __init__(self, number: int):
        self.number = number

    @property
    def shape(self) -> Shape:
        raise LayerError(
            "fold_batch_norm follows no shapes, and the run of this Composite asks for one; fold "
            "what is inside it by itself"
        )


@dataclass
class Readers(Following):
    """Follows values through a net: what makes each of them, and how many read it."""

    steps: list[Step] = field(default_factory=list)
    readers: Counter[int] = field(default_factory=Counter)
    train: bool = True

    def leaf(self, path: str, layer: Layer, x: Number) -> Number:
        return x if computes_as(layer, Identity) else self._made(path, layer, x)

    def join(self, f, *parts, shapes=None, pointwise=False, in_place=False) -> Number:
        self.readers.update(part.number for part in parts[1:])
        return self._made(self.path, None, parts[0])

    def repeat(self, name, layer, x, times, *, shared=False, unroll=False) -> Number:
        # more than once, which is all that matters here
        return self.child(name, layer, self.child(name, layer, x))

    def record(self, name: str, y: Number) -> None:
        self.readers[y.number] += 1

    def _made(self, path: str, layer: Layer | None, x: Number) -> Number:
        self.readers[x.number] += 1
        self.steps.append(Step(path, layer, x.number))
        return Number(len(self.steps))


def _foldable(net: Layer) -> list[tuple[Step, Step]]:
    """Each layer that a batch norm can be folded into, and the batch norm: at test time, and for
    whoever reads it in training alone.
    """
    paths = lambda pairs: {(before.path, norm.path) for before, norm in pairs}
    (tested, at_test_time), (trained, in_training) = (_pairs(net, train) for train in (False, True))
    both = paths(at_test_time) & paths(in_training)
    # in heads that exist in training alone
    resting = [pair for pair in in_training if not {step.path for step in pair} & tested]
    return [
        pair for pair in at_test_time if paths([pair]) <= both or pair[0].path not in trained
    ] + resting


def _pairs(net: Layer, train: bool) -> tuple[set[str], list[tuple[Step, Step]]]:
    """Which layers are gone through, and the pairs."""
    found = Readers(train=train)
    found.readers[found.follow("", net, Number(0)).number] += 1  # by whoever applies the net
    runs = Counter(step.path for step in found.steps)

    def pairs() -> Iterator[tuple[Step, Step]]:
        for norm in found.steps:
            if type(norm.layer) is BatchNorm and norm.reads > 0 and found.readers[norm.reads] == 1:
                before = found.steps[norm.reads - 1]
                if type(before.layer) in KINDS and runs[before.path] == runs[norm.path] == 1:
                    yield before, norm

    return set(runs), list(pairs())


# The arithmetic
# --------------------------------------------------------------------------------------------------


def _folded(layer: Any, params: Params, norm: Any, norm_params: Params, stats: State) -> Params:
    """The layer's kernel and bias with the batch norm in them, computed in float32 at least."""
    wide = (
        jnp.float64
        if any(
            a.dtype == jnp.float64
            for a in (*params.values(), *norm_params.values(), *stats.values())
        )
        else jnp.float32
    )
    to_wide = lambda tree: {name: jnp.asarray(a, wide) for name, a in tree.items()}
    own, affine, running = to_wide(params), to_wide(norm_params), to_wide(stats)
    # (features,)
    a = affine.get("scale", jnp.ones_like(running["var"])) / jnp.sqrt(running["var"] + norm.eps)
    b = affine.get("bias", jnp.zeros_like(a)) - a * running["mean"]
    kernel = own["kernel"] * _per_kernel(layer, a, own["kernel"].shape)
    positions = (
        own["kernel"].shape[: (own["kernel"].ndim - 2) // 2] if isinstance(layer, Local) else ()
    )
    bias = own["bias"] if "bias" in own else jnp.zeros((*positions, layer.features), wide)
    bias = bias * _last(a, bias.ndim) + _last(b, bias.ndim)
    dtype = lambda name: params.get(name, params["kernel"]).dtype
    return {"kernel": kernel.astype(dtype("kernel")), "bias": bias.astype(dtype("bias"))}


def _per_kernel(layer: Any, a: jax.Array, shape: Shape) -> jax.Array:
    """One number for each output channel (features,) as an array that multiplies a kernel of this
    shape.
    """
    rank, inputs = len(shape), shape[-1]
    if isinstance(layer, Conv) and layer.mask:  # (*F, connections), ordered by output channel
        return _last(
            a[np.repeat(np.arange(layer.features), [len(row) for row in layer.mask])], rank
        )
    # (*F, features/groups, K): the K inputs lie group by group, each with features of its own
    if isinstance(layer, ConvTranspose):
        by_group = a.reshape(layer.groups, -1).T  # (features/groups, groups)
        by_input = jnp.repeat(by_group, inputs // layer.groups, axis=1)  # (features/groups, K)
        return by_input.reshape((1,) * (rank - 2) + by_input.shape)
    return _last(a, rank)


def _last(a: jax.Array, rank: int) -> jax.Array:
    return a.reshape((1,) * (rank - 1) + a.shape)


# Trees by path
# --------------------------------------------------------------------------------------------------


def _edited(edits: Mapping[str, Layer], path: str, layer: Layer) -> Layer:
    return edits.get(path, layer)


def _get(tree: Any, path: str) -> dict[str, Any]:
    """What the tree holds for the layer at `path`; nothing where it is absent."""
    for name in path.split("/"):
        tree = tree.get(name, {})
    return tree


def _put(tree: Mapping[str, Any], path: str, leaves: dict[str, Any]) -> dict[str, Any]:
    """The tree with these leaves at `path`; what holds nothing is left out."""
    name, _, rest = path.partition("/")
    child = _put(tree.get(name, {}), rest, leaves) if rest else leaves
    return (
        {**tree, name: child}
        if child
        else {other: inner for other, inner in tree.items() if other != name}
    )


def _check(path: str, layer: Any, params: Any, state: Any) -> None:
    """Refuse arrays that are not this layer's, as far as that can be told without the shape of an
    image.
    """
    for what, tree in (("params", params), ("state", state)):
        if not isinstance(tree, Mapping):
            raise LayerError(
                f"{what} is of type {type(tree).__name__} here, a dict was expected; {FIX}", path
            )
    if isinstance(layer, Composite):
        children = dict(layer.children)
        _refuse("params", params.keys() - children.keys(), path)
        _refuse(
            "state",
            state.keys() - children.keys() - ({layer.name} if isinstance(layer, Tap) else set()),
            path,
        )
        for name, child in children.items():
            _check(path_to(path, name), child, params.get(name, {}), state.get(name, {}))
    elif type(layer) in KINDS:
        _check_names(path, "params", params, {"kernel": True, "bias": layer.bias})
        _check_features(path, layer, params)
    elif type(layer) is BatchNorm:
        _check_names(path, "params", params, {"scale": layer.scale, "bias": layer.bias})
        _check_names(path, "state", state, {"mean": True, "var": True})
        if len(shapes := {a.shape for a in (*params.values(), *state.values())}) > 1:
            raise LayerError(
                f"its arrays have the shapes {', '.join(map(str, sorted(shapes)))}, one was "
                f"expected for all; {FIX}",
                path,
            )


def _check_features(path: str, layer: Any, params: Mapping[str, Any]) -> None:
    shape, expected = params["kernel"].shape, layer.features
    if isinstance(layer, ConvTranspose):
        came = shape[-2] * layer.groups if len(shape) > 2 else None
    elif isinstance(layer, Conv) and layer.mask:
        came, expected = shape[-1], sum(map(len, layer.mask))
    else:
        came = shape[-1]
    if came != expected:
        raise LayerError(
            f"the kernel has the shape {shape}, which is none of {layer.features} features; {FIX}",
            path,
        )


def _check_names(path: str, what: str, tree: Mapping[str, Any], wanted: dict[str, bool]) -> None:
    names = {name for name, there in wanted.items() if there}
    _refuse(what, tree.keys() - names, path)
    if missing := names - tree.keys():
        raise LayerError(f"{what} has no {' and no '.join(sorted(missing))}; {FIX}", path)


def _refuse(what: str, names: set[str], path: str) -> None:
    if names:
        raise LayerError(
            f"{what} has {' and '.join(sorted(names))}, which the net has not; {FIX}", path
        )
