"""A state dict for PyTorch: the arrays as they lie there, under the names of a known net or under
our own paths.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from ..compose import Visit, walk
from ..errors import InputError
from ..layer import Layer
from ..layers import BatchNorm, Dense, Flatten
from .layout import dense_to_first, kernel_to_first, restored
from .matching import KINDS, leaves_of
from .names import INCEPTION, by_name
from .native import Weights
from .orders import input_orders


def write_torch(path: Path, weights: Weights) -> str:
    """Write the parameters and statistics as a .safetensors file that
    `safetensors.torch.load_file` makes a state dict of; whose names they are is returned.

    They are those of torchvision's AlexNet, VGG, GoogLeNet or ResNet, or of timm's resnetv2, where
    the net is one, so that `load_state_dict` takes them; else the paths here with points. Raises
    InputError with the path of a layer that PyTorch has not.
    """
    visits = [v for v in walk(weights.net, weights.in_shape) if _arrays_of(v)]
    for visit in visits:
        if not isinstance(visit.layer, KINDS) or visit.copies > 1:
            raise InputError(
                f"{path}: {visit.path} is a {type(visit.layer).__name__}"
                + (" in a loop" if visit.copies > 1 else "")
                + ", which has no counterpart in PyTorch"
            )
    family, names = _names(weights.net, [v.path for v in visits if v.turn == 1])
    orders = input_orders(weights.net, weights.in_shape)
    arrays: dict[str, np.ndarray] = {}
    for visit in visits:
        module = names[visit.path]
        for leaf, theirs in leaves_of(visit.layer).items():
            what = "state" if leaf in visit.layer.statistics(visit.in_shape) else "params"
            tree = weights.state if what == "state" else weights.params
            for name in visit.path.split("/"):
                tree = tree.get(name, {})
            if leaf in tree:
                array = np.asarray(tree[leaf])
                made = _theirs(module, visit, leaf, array, orders[visit.path])
                arrays[f"{module}.{theirs}"] = made
        if isinstance(visit.layer, BatchNorm):  # which strict loading asks for
            arrays[f"{module}.num_batches_tracked"] = np.zeros((), np.int64)
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        unfinished.write_bytes(save({n: np.ascontiguousarray(a) for n, a in arrays.items()}))
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return family or "the paths here"


def _arrays_of(visit: Visit) -> bool:
    return bool(visit.layer.parameters(visit.in_shape) or visit.layer.statistics(visit.in_shape))


def _theirs(
    module: str, visit: Visit, leaf: str, array: np.ndarray, order: np.ndarray | None
) -> np.ndarray:
    if leaf == "kernel" and isinstance(visit.layer, Dense):
        matrix = dense_to_first(array, order)
        return matrix[:, :, None, None] if module == "head.fc" else matrix  # timm's is 1x1
    if leaf == "kernel":
        return kernel_to_first(array)
    return restored(array, order) if array.size > 1 and not _makes_features(visit) else array


def _makes_features(visit: Visit) -> bool:
    """Whether a layer's outputs, and so its bias, are features of its own."""
    return "kernel" in visit.layer.parameters(visit.in_shape)


def _names(net: Layer, paths: list[str]) -> tuple[str, dict[str, str]]:
    """Whose names fit all the layers, and by path the name of each."""
    known = sorted({*_published()})
    family, found = by_name(known, paths)
    if len(found) == len(paths):
        return family, found
    if positions := _by_position(net, paths):
        return "torchvision's AlexNet and VGG", positions
    return "", {path: path.replace("/", ".") for path in paths}


def _by_position(net: Layer, paths: list[str]) -> dict[str, str] | None:
    """features.N and classifier.N, as torchvision names what comes before and after the
    flattening.
    """
    children = list(net.children)
    flat = [i for i, (_, layer) in enumerate(children) if isinstance(layer, Flatten)]
    if len(flat) != 1 or any(layer.composed for _, layer in children):
        return None
    found = {}
    for i, (name, _) in enumerate(children):
        part, place = ("features", i) if i < flat[0] else ("classifier", i - flat[0] - 1)
        found[name] = f"{part}.{place}"
    return {path: found[path] for path in paths}


def _published() -> Iterator[str]:
    """The names that modules have in the nets whose names are known."""
    yield from ("conv1", "bn1", "fc", "stem.conv", "norm", "head.fc")
    blocks = list(itertools.product(range(1, 5), range(36)))
    for stage, block in blocks:
        for kind, i in itertools.product(("conv", "bn"), range(1, 4)):
            yield f"layer{stage}.{block}.{kind}{i}"
        yield from (f"layer{stage}.{block}.downsample.{i}" for i in (0, 1))
        inside = f"stages.{stage - 1}.blocks.{block}"
        for kind, i in itertools.product(("conv", "norm"), range(1, 4)):
            yield f"{inside}.{kind}{i}"
        yield f"{inside}.downsample.conv"
    modules = [
        f"inception{n}{a}" for n, letters in ((3, "ab"), (4, "abcde"), (5, "ab")) for a in letters
    ]
    for kind in ("conv", "bn"):
        yield from (f"conv{i}.{kind}" for i in (1, 2, 3))
        yield from (f"{module}.{branch}.{kind}" for module in modules for branch in INCEPTION)
        yield from (f"aux{i}.conv.{kind}" for i in (1, 2))
    yield from (f"aux{i}.fc{j}" for i in (1, 2) for j in (1, 2))
