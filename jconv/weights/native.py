"""jconv's own weights file: safetensors, with the net itself in the metadata, so that the file
alone is enough to run it.

Arrays are named by what they are and where: "params/conv1/kernel", "state/bn1/mean". The metadata
has one entry, "jconv", a JSON object with the `version` of this layout, the `net` (see to_json),
its `in_shape`, the `class_names` and the pixel scale (`pixel_mean`, `pixel_std`; files of before it
was kept mean value/255). (One entry, because safetensors writes several in no set
order, and equal weights should be equal files.)
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..data.pixels import UNIT, PixelScale, as_pixel_scale
from ..edit import from_json, to_json
from ..errors import InputError
from ..geometry import Shape
from ..layer import Layer, Params, State

VERSION = 1


class Weights(NamedTuple):
    """What a weights file holds."""

    net: Layer
    in_shape: Shape
    class_names: tuple[str, ...]
    params: Params
    state: State
    pixels: PixelScale = UNIT  # what the net was trained with, and takes


def save_weights(path: Path | str, weights: Weights) -> None:
    """Write the file, whole or not at all. Raises InputError naming the leaf when an array is not
    what the net has there.
    """
    path = Path(path)
    arrays = {
        name: np.asarray(leaf)
        for name, leaf in _by_name({"params": weights.params, "state": weights.state}).items()
    }
    _check(path, _expected(weights.net, weights.in_shape), arrays)
    net = json.loads(to_json(weights.net))
    about = {
        "version": VERSION,
        "net": net,
        "in_shape": weights.in_shape,
        "class_names": weights.class_names,
        "pixel_mean": weights.pixels.mean,
        "pixel_std": weights.pixels.std,
    }
    unfinished = path.with_name(path.name + ".unfinished")
    # (save_file would make a file that others cannot read)
    unfinished.write_bytes(save(arrays, {"jconv": json.dumps(about)}))
    os.replace(unfinished, path)


def load_weights(path: Path | str, own: Sequence[type[Layer]] = ()) -> Weights:
    """Read a file that `save_weights` wrote; `own` lists layer classes that are not jconv's.

    Raises InputError naming the file, and the leaf when an array is not what the net has there.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path}: not a whole safetensors file ({error}); it was cut short or damaged, copy or "
            "write it again"
        ) from None
    net, in_shape, class_names, pixels = _read_metadata(path, metadata, own)
    expected = _expected(net, in_shape)
    _check(path, expected, arrays)
    tree = jax.tree_util.tree_map_with_path(lambda at, _: jnp.asarray(arrays[_name(at)]), expected)
    return Weights(net, in_shape, class_names, tree["params"], tree["state"], pixels)


def fingerprint(params: Params, state: State) -> str:
    """SHA-256 of every array with its name, in hexadecimal: two trainings that ended with the same
    bits have the same.
    """
    digest = hashlib.sha256()
    for name, leaf in sorted(_by_name({"params": params, "state": state}).items()):
        a = np.asarray(leaf)
        digest.update(f"{name} {a.dtype} {a.shape}\n".encode() + a.tobytes())
    return digest.hexdigest()


def _read_metadata(
    path: Path, metadata: dict[str, str], own: Sequence[type[Layer]]
) -> tuple[Layer, Shape, tuple[str, ...], PixelScale]:
    if "jconv" not in metadata:
        raise InputError(
            f"{path}: holds arrays but says nothing of a net; a file written by jconv was expected"
        )
    try:
        about = json.loads(metadata["jconv"])
        if about["version"] != VERSION:
            raise ValueError(
                f"layout version {about['version']}, this jconv reads version {VERSION}"
            )
        net, in_shape = from_json(json.dumps(about["net"]), own), tuple(about["in_shape"])
        net.out_shape(in_shape)
        mean, std = about.get("pixel_mean", UNIT.mean), about.get("pixel_std", UNIT.std)
        pixels = as_pixel_scale(mean, std, in_shape[-1])
        return net, in_shape, tuple(about["class_names"]), pixels
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: what it says of its net cannot be used ({error})") from None


def _expected(net: Layer, in_shape: Shape) -> dict[str, Any]:
    """The shape and dtype of every array of the net, without drawing any."""
    params, state = jax.eval_shape(lambda key: net.init(key, in_shape), jax.random.key(0))
    return {"params": params, "state": state}


def _check(path: Path, expected: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    wanted = _by_name(expected)
    if missing := sorted(wanted.keys() - arrays.keys()):
        raise InputError(
            f"{path}: {missing[0]} is missing; the net has it with shape {wanted[missing[0]].shape}"
        )
    if extra := sorted(arrays.keys() - wanted.keys()):
        raise InputError(
            f"{path}: {extra[0]} was found, with shape {arrays[extra[0]].shape}, but the net has "
            "no such array"
        )
    for name, want in wanted.items():
        came = arrays[name]
        if (came.shape, came.dtype) != (want.shape, want.dtype):
            raise InputError(
                f"{path}: {name} is {came.dtype}{list(came.shape)}, the net has "
                f"{want.dtype}{list(want.shape)} there"
            )


def _by_name(tree: dict[str, Any]) -> dict[str, Any]:
    return {_name(at): leaf for at, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _name(at: tuple) -> str:
    return jax.tree_util.keystr(at, simple=True, separator="/")
