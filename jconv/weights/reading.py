"""What reading a file of others gives: weights, and where each array came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from ..data.pixels import UNIT, PixelScale
from ..errors import InputError
from ..geometry import Shape
from ..layer import Layer
from .graph import Came
from .native import Weights

MOST_CLASSES = 10**6


class SizeUnknown(InputError):
    """A file that leaves open how large images are."""


class Origin(NamedTuple):
    """Where one array of the net came from."""

    path: str  # "conv1/kernel"
    shape: Shape
    source: str  # its name in the file
    came: Shape
    how: str  # what was done to it


class Reading(NamedTuple):
    """Weights, and the story of how they were read."""

    weights: Weights
    origins: tuple[Origin, ...]
    notes: tuple[str, ...]  # conventions met, and what was left out
    format: str  # "PyTorch", "Caffe", ...
    # of a layer's path the names of the values that it takes and makes in the source
    values: Mapping[str, tuple[str, str]] = {}


def as_reading(
    net: Layer,
    in_shape: Shape,
    trees: dict[str, Any],
    format: str,
    notes: Sequence[str] = (),
    pixels: PixelScale | None = None,
    class_names: Sequence[str] = (),
) -> Reading:
    """A reading of `trees`, {"params": ..., "state": ...}, whose leaves are each a Came."""
    is_leaf = lambda leaf: isinstance(leaf, Came)
    origins = (*_origins(trees["params"]), *_origins(trees["state"]))
    arrays = jax.tree.map(lambda came: as_kept(came.array), trees, is_leaf=is_leaf)
    names = tuple(class_names) or numbered(net, in_shape)
    weights = Weights(net, in_shape, names, arrays["params"], arrays["state"], pixels or UNIT)
    return Reading(weights, origins, tuple(notes), format)


def numbered(net: Layer, in_shape: Shape) -> tuple[str, ...]:
    """The names of classes that have none: "0", "1", ... Raises InputError for more than any net
    has, which a damaged file may say.
    """
    classes = net.out_shape(in_shape)[-1]
    if classes > MOST_CLASSES:
        raise InputError(f"{classes:,} classes: at most {MOST_CLASSES:,} were expected")
    return tuple(str(i) for i in range(classes))


def as_kept(array: Any) -> jax.Array:
    """An array in the form in which weights are kept: float32."""
    if isinstance(array, jax.Array):
        return array
    # not jnp.asarray, which compiles a program for each shape
    return jax.device_put(np.ascontiguousarray(array, np.float32))


def _origins(tree: dict[str, Any], path: str = "") -> Iterator[Origin]:
    for name, branch in tree.items():
        inside = f"{path}/{name}" if path else name
        if isinstance(branch, Came):
            yield Origin(inside, branch.array.shape, branch.source, branch.shape, branch.how)
        else:
            yield from _origins(branch, inside)
