"""Which module of a PyTorch file is which layer of a net.

By name, where the file is one of those whose names are known (names.py); else by what the arrays
are: the convolutions of the file against those of the net in the order in which they run, and so
the dense layers and the norms, each kind by itself, as files list a block's norms and convolutions
in orders of their own. Where the two lists are not the same, shape by shape, only what is there
once is matched; the rest is listed, and `given` settles it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import jax
import numpy as np

from ..compose import Visit, walk
from ..edit.dense import resting_heads
from ..errors import InputError, near
from ..geometry import Shape
from ..layer import Layer, name_hash
from ..layers import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    PRelu,
    RMSNorm,
    Scale,
)
from .graph import Came
from .layout import Order, dense_from_first, kernel_from_first, reordered
from .names import by_name
from .orders import input_orders
from .reading import Reading, as_kept, as_reading
from .stored import StoredArray
from .tensors import Tensors

NORMS = (BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm, Scale)
LISTED = 3  # so many places of a kind in an error


class Module(NamedTuple):
    """The arrays of one module of the file, by their last names."""

    name: str
    arrays: dict[str, StoredArray]

    def shapes(self) -> dict[str, Shape]:
        return {leaf: array.shape for leaf, array in self.arrays.items()}


def read_torch(
    tensors: Tensors, net: Layer, in_shape: Shape, given: Mapping[str, str] | None = None
) -> Reading:
    """The weights of a net from the arrays of a PyTorch file. `given` says of modules which layer
    they are: {"features.0": "conv1"}.

    Raises InputError that lists what is missing, left over or ambiguous, or of another shape.
    """
    visits = [v for v in walk(net, in_shape) if _has_arrays(v)]
    for visit in visits:
        if visit.copies > 1 or not isinstance(visit.layer, KINDS):
            raise InputError(
                f"{tensors.where}: {visit.path} of the net is a {type(visit.layer).__name__}"
                + (" in a loop" if visit.copies > 1 else "")
                + ", which has no counterpart in a file of PyTorch"
            )
    layers = {v.path: v for v in visits if v.turn == 1}
    modules = {m.name: m for m in _modules(tensors.arrays)}
    pairs, notes = _with_or_without_heads(net, tensors.where, layers, modules, dict(given or {}))
    orders = input_orders(net, in_shape)
    trees: dict[str, dict[str, Any]] = {"params": {}, "state": {}}
    for path, module in pairs.items():
        for what, arrays in _converted(
            tensors.where, layers[path], modules[module], orders[path]
        ).items():
            if arrays:
                _put(trees[what], path, arrays)
    for path, visit in layers.items():
        if path not in pairs:  # a head that rests at test time
            key = jax.random.fold_in(jax.random.key(0), name_hash(path))
            for what, drawn in zip(trees, visit.layer.init(key, visit.in_shape), strict=True):
                came = {leaf: Came(a, "drawn", a.shape) for leaf, a in drawn.items()}
                if came:
                    _put(trees[what], path, came)
    return as_reading(net, in_shape, trees, "PyTorch", [*tensors.notes, *notes])


def _with_or_without_heads(
    net: Layer,
    where: str,
    layers: Mapping[str, Visit],
    modules: dict[str, Module],
    given: dict[str, str],
) -> tuple[dict[str, str], list[str]]:
    """The pairs of all layers, or, for a file that was saved without auxiliary heads, of the
    others.
    """
    try:
        return _pairs(where, layers, modules, given)
    except InputError:
        heads = resting_heads(net)
        rest = {path: visit for path, visit in layers.items() if not path.startswith(heads)}
        if len(rest) == len(layers):
            raise
        with suppress(InputError):
            pairs, notes = _pairs(where, rest, modules, given)
            return pairs, [*notes, "has no auxiliary heads: those of the net are drawn"]
        raise


def _has_arrays(visit: Visit) -> bool:
    return bool(visit.layer.parameters(visit.in_shape) or visit.layer.statistics(visit.in_shape))


def _modules(arrays: Mapping[str, StoredArray]) -> list[Module]:
    found: dict[str, dict[str, StoredArray]] = {}
    for name, array in arrays.items():
        module, _, leaf = name.rpartition(".")
        found.setdefault(module, {})[leaf] = array
    return [Module(name, arrays) for name, arrays in found.items()]


def _pairs(
    where: str, layers: Mapping[str, Visit], modules: dict[str, Module], given: dict[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Of each layer's path the module's name, and what to say of how they were found."""
    for module, path in given.items():
        if module not in modules or path not in layers:
            wrong, known = (module, modules) if module not in modules else (path, layers)
            raise InputError(f"{where}: there is no {wrong!r}; {near(wrong, known)}")
    pairs = {path: module for module, path in given.items()}
    rest = {p: v for p, v in layers.items() if p not in pairs}
    free = {n: m for n, m in modules.items() if n not in given}
    family, named = by_name(list(free), list(rest))
    if family and len(named) >= 0.75 * min(len(rest), len(free)):
        try:
            _check_complete(where, family, rest, free, named)
            return pairs | named, [f"names as of {family}"]
        except InputError:  # other nets have modules of such names too
            with suppress(InputError):
                matched, notes = _by_order(where, rest, free)
                return pairs | matched, notes
            raise
    matched, notes = _by_order(where, rest, free)
    return pairs | matched, notes


def _check_complete(
    where: str,
    family: str,
    layers: Mapping[str, Visit],
    modules: Mapping[str, Module],
    named: Mapping[str, str],
) -> None:
    if missing := [path for path in layers if path not in named]:
        raise InputError(
            f"{where}: looks like {family}, but has nothing for {_some(missing)} of the net; give "
            "the net that it is of"
        )
    taken = set(named.values())
    if extra := [name for name in modules if name not in taken]:
        raise InputError(
            f"{where}: looks like {family}, but the net has nothing for {_some(extra)}; give the "
            "net that it is of"
        )


def _by_order(
    where: str, layers: Mapping[str, Visit], modules: Mapping[str, Module]
) -> tuple[dict[str, str], list[str]]:
    ours: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    theirs: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    for path, visit in layers.items():
        ours[_kind(visit.layer)].append((path, _key(_expected(visit))))
    for name, module in modules.items():
        theirs[_kind_of(module)].append((name, _key(module.shapes())))
    pairs: dict[str, str] = {}
    left: list[str] = []
    for kind in sorted({*ours, *theirs}):
        mine, file = ours[kind], theirs[kind]
        if [key for _, key in mine] == [key for _, key in file]:
            pairs |= {path: name for (path, _), (name, _) in zip(mine, file, strict=True)}
            continue
        counts = Counter(key for _, key in mine), Counter(key for _, key in file)
        for path, key in mine:
            if counts[0][key] == counts[1][key] == 1:
                pairs[path] = next(name for name, other in file if other == key)
        left += _left(kind, mine, file, pairs)
    if left:
        raise InputError(
            f"{where}: does not match the net, {len(pairs)} of {len(layers)} layers were found. "
            + "; ".join(left)
            + ". Give the net that the file is of, or say which layer each of these is (modules)"
        )
    return pairs, ["matched by kind, shape and order"]


def _left(
    kind: str,
    mine: Sequence[tuple[str, Any]],
    file: Sequence[tuple[str, Any]],
    pairs: Mapping[str, str],
) -> list[str]:
    """What of a kind was not matched, for an error."""
    taken = set(pairs.values())
    missing = [f"{path} {_shown(key)}" for path, key in mine if path not in pairs]
    extra = [f"{name} {_shown(key)}" for name, key in file if name not in taken]
    counts = Counter(key for _, key in mine), Counter(key for _, key in file)
    found = []
    if missing:
        found.append(f"{kind}s of the net without a module: {_some(missing)}")
    if extra:
        found.append(f"{kind}s of the file without a layer: {_some(extra)}")
    if any(counts[0][key] == counts[1][key] for path, key in mine if path not in pairs):
        found.append("several have one shape and stand in another order")
    return found


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _kind(layer: Layer) -> str:
    if isinstance(layer, (Conv, ConvTranspose)):
        return "convolution"
    return "dense layer" if isinstance(layer, Dense) else "norm"


def _kind_of(module: Module) -> str:
    weight = module.arrays.get("weight")
    if weight is not None and weight.ndim > 2:
        return "convolution"
    return "dense layer" if weight is not None and weight.ndim == 2 else "norm"


def _key(shapes: Mapping[str, Shape]) -> tuple:
    return tuple(sorted(shapes.items()))


def _shown(key: tuple) -> str:
    return "(" + ", ".join(f"{leaf} {'x'.join(map(str, shape))}" for leaf, shape in key) + ")"


# of a layer's arrays the names in PyTorch
LEAVES = {
    Conv: {"kernel": "weight", "bias": "bias"},
    ConvTranspose: {"kernel": "weight", "bias": "bias"},
    Dense: {"kernel": "weight", "bias": "bias"},
    PRelu: {"slope": "weight"},
}
NORM_LEAVES = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
KINDS = (*LEAVES, *NORMS)


def leaves_of(layer: Layer) -> Mapping[str, str]:
    """The names in PyTorch of the arrays of a layer."""
    return next((names for kind, names in LEAVES.items() if isinstance(layer, kind)), NORM_LEAVES)


def _expected(visit: Visit) -> dict[str, Shape]:
    """The shapes that a layer's arrays have in PyTorch, by their names there."""
    layer, in_shape = visit.layer, visit.in_shape
    declared = layer.parameters(in_shape) | layer.statistics(in_shape)
    names = leaves_of(layer)
    return {names[leaf]: torch_shape(leaf, p.shape) for leaf, p in declared.items()}


def torch_shape(leaf: str, shape: Shape) -> Shape:
    """The shape in PyTorch of an array of ours."""
    return (shape[-1], shape[-2], *shape[:-2]) if leaf == "kernel" else shape


def _converted(
    where: str, visit: Visit, module: Module, order: Order
) -> dict[str, dict[str, Came]]:
    """The arrays of a layer from those of its module. Raises InputError where they do not fit."""
    layer, path = visit.layer, visit.path
    names, wanted = leaves_of(layer), _expected(visit)
    arrays = module.arrays
    if missing := [leaf for leaf in wanted if leaf not in arrays]:
        raise InputError(
            f"{where}: {module.name} has no {', '.join(missing)}, which {path} of the net needs"
        )
    if extra := [leaf for leaf in arrays if leaf not in wanted]:
        raise InputError(
            f"{where}: {module.name} has {', '.join(extra)}, which {path} of the net lacks: "
            f"{type(layer).__name__}({_setting(extra)}) would have it"
        )
    found: dict[str, dict[str, Came]] = {"params": {}, "state": {}}
    statistics = layer.statistics(visit.in_shape)
    for leaf, theirs in names.items():
        if theirs not in wanted or leaf not in {**layer.parameters(visit.in_shape), **statistics}:
            continue
        stored, source = arrays[theirs], f"{module.name}.{theirs}".lstrip(".")
        shape = stored.shape
        if isinstance(layer, Dense) and shape[2:] == (1,) * (len(shape) - 2):
            shape = shape[:2]  # a 1x1 convolution after a global pool
        if shape != wanted[theirs]:
            raise InputError(
                f"{where}: {source} has shape {shape}, {path}/{leaf} of the net is "
                f"{wanted[theirs]} there{explained(shape, wanted[theirs])}"
            )
        what = "state" if leaf in statistics else "params"
        array, how = _ours(layer, leaf, stored.read().reshape(shape), order)
        # at once in the form that is kept, so that the file's own goes
        found[what][leaf] = Came(as_kept(array), source, stored.shape, how)
    return found


def _ours(layer: Layer, leaf: str, array: np.ndarray, order: Order) -> tuple[np.ndarray, str]:
    """An array as it is here, and what was done to it."""
    if isinstance(layer, Dense) and leaf == "kernel":
        moved = "" if order is None else ", inputs from (C, H, W) to (H, W, C)"
        return dense_from_first(array, order), f"transposed{moved}"
    if leaf == "kernel":
        return kernel_from_first(array), "OIHW to HWIO"
    if isinstance(layer, (*NORMS, PRelu)) and array.size > 1:
        return reordered(array, order), ""
    return array, ""


def _setting(leaves: Iterable[str]) -> str:
    ours = {theirs: leaf for leaf, theirs in NORM_LEAVES.items()}
    return ", ".join(f"{ours.get(leaf, leaf)}=True" for leaf in leaves)


def explained(shape: Shape, wanted_shape: Shape) -> str:
    """What would explain an array of another shape, for an error."""
    came, wanted = list(shape), list(wanted_shape)
    if len(came) == len(wanted) == 4 and came == [*wanted[2:], wanted[1], wanted[0]]:
        return "; it lies as HWIO, which PyTorch does not write"
    if len(came) > 1 and came == [*wanted[1::-1], *wanted[2:]]:
        return "; transposed it would fit"
    if len(came) == len(wanted) == 2 and came[0] == wanted[0]:
        return f"; it takes {came[1]:,} features: the net is for images of another size"
    if came and came[1:] == wanted[1:]:
        return f"; it has {came[0]:,} classes or filters: give classes={came[0]}, or that net"
    return ""


def _put(tree: dict[str, Any], path: str, arrays: Mapping[str, Came]) -> None:
    *above, last = path.split("/")
    for name in above:
        tree = tree.setdefault(name, {})
    tree[last] = dict(arrays)
