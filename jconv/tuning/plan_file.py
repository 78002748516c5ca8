"""Plans as files: the methods that `tune` chose, as JSON, with what they were measured on.

    format, net (JSON by edit/serial.py), in_shape, batch, dtype, backend, device, jax, jaxlib,
    measurements (see result.py)

A plan is of one backend, one net and one shape of images, and is ignored for others. With other
versions, on another device of that backend, or for another batch or dtype it is used, and that is
said: methods differ in speed, not in what they compute.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax

from ..analysis.trace import operations
from ..edit import with_method
from ..edit.serial import from_json, to_json
from ..errors import InputError, located
from ..files import write_text
from ..geometry import Shape
from ..layer import Layer, computes_as, map_layers
from ..layers import Conv, ConvTranspose
from ..ops.methods import WHOLE, check_serves
from .passes import convolution
from .result import Tuning

FORMAT = 1
ANEW = "`jconv tune` measures anew"


class Plan(NamedTuple):
    """What a plan file holds beside its measurements."""

    net: Layer
    in_shape: Shape
    batch: int
    dtype: str
    backend: str
    device: str
    jax: str
    jaxlib: str


def save_plan(path: Path | str, tuning: Tuning) -> None:
    """Write the file, whole or not at all. Raises LayerError for a net that JSON cannot hold."""
    about = {
        "format": FORMAT,
        **here(),
        "batch": tuning.batch,
        "dtype": tuning.dtype,
        "in_shape": tuning.in_shape,
    }
    about |= {
        "net": json.loads(to_json(tuning.net)),
        "measurements": [m._asdict() for m in tuning.measurements],
    }
    write_text(Path(path), json.dumps(about, indent=1) + "\n")


def load_plan(
    path: Path | str,
    net: Layer,
    in_shape: Shape,
    *,
    batch: int | None = None,
    dtype: str | None = None,
) -> tuple[Layer, str | None]:
    """The net with the methods of a plan file, and a line to print: why the file was ignored (the
    net is then the one given), or what differs from when it was made. `batch` and `dtype` are those
    it is about to be used with, where they are known.

    Raises InputError naming the file and the field of one that is damaged, or that asks for a
    method that cannot be.
    """
    plan = read_plan(path, net)
    if plan.backend != jax.default_backend():
        return (
            net,
            f"{path}: ignored, it was made for the backend {plan.backend} and this is "
            f"{jax.default_backend()}; {ANEW}",
        )
    if plan.in_shape != tuple(in_shape):
        return (
            net,
            f"{path}: ignored, it was made for images of {plan.in_shape} and these are "
            f"{tuple(in_shape)}; {ANEW}",
        )
    if with_method(plan.net, "auto") != with_method(net, "auto"):
        return net, f"{path}: ignored, it was made for another net; {ANEW}"
    wanted = here() | {
        name: value for name, value in (("batch", batch), ("dtype", dtype)) if value is not None
    }
    differ = [
        f"{name} {getattr(plan, name)}, not {value}"
        for name, value in wanted.items()
        if getattr(plan, name) != value
    ]
    line = (
        f"{path}: used, but made with {'; '.join(differ)}: right in any case, maybe not the "
        f"fastest; {ANEW}"
        if differ
        else None
    )
    return _with_methods_of(plan.net, net), line


def here() -> dict[str, str]:
    """What choices depend on beside the net."""
    device = jax.devices()[0].device_kind
    return {
        "backend": jax.default_backend(),
        "device": device,
        "jax": version("jax"),
        "jaxlib": version("jaxlib"),
    }


def read_plan(path: Path | str, net: Layer) -> Plan:
    """A plan file, every field checked. The layer classes of `net` are known to it. Raises
    InputError.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; `jconv tune` writes one")
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: is not JSON ({error}); it was cut short or damaged, {ANEW}"
        ) from None
    if not isinstance(about, dict):
        raise InputError(
            f"{path}: holds a JSON {type(about).__name__}, a plan is an object; {ANEW}"
        )
    for name, (expected, fits) in FIELDS.items():
        if name not in about:
            raise InputError(f"{path}: {name} is missing; {ANEW}")
        if not fits(about[name]):
            raise InputError(
                f"{path}: {name} is {json.dumps(about[name]):.60}, {expected} was expected; {ANEW}"
            )
    try:
        planned = from_json(json.dumps(about["net"]), own=_classes(net))
        _check_methods(planned, tuple(about["in_shape"]))
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: net: {error}") from None
    return Plan(planned, tuple(about["in_shape"]), *(about[name] for name in Plan._fields[2:]))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_WORD = ("a word", lambda value: isinstance(value, str))
FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "format": (str(FORMAT), lambda value: _whole(value) and value == FORMAT),
    "in_shape": (
        "a list of whole numbers",
        lambda value: isinstance(value, list) and bool(value) and all(map(_whole, value)),
    ),
    "batch": ("a whole number", _whole),
    **dict.fromkeys(("dtype", "backend", "device", "jax", "jaxlib"), _WORD),
    "net": ("the JSON of a net", lambda value: isinstance(value, dict)),
    "measurements": (
        "a list of objects",
        lambda value: isinstance(value, list) and all(isinstance(row, dict) for row in value),
    ),
}


def _check_methods(net: Layer, in_shape: Shape) -> None:
    """Raises ShapeError, with the path, for a method that cannot do its convolution; such a word
    would else be found out while training.
    """
    for path, layer, inputs, *_ in operations(net, in_shape):
        if computes_as(layer, Conv, ConvTranspose) and layer.method not in WHOLE:
            located(path, check_serves, layer.method, *convolution(layer, inputs[0].shape))


def _with_methods_of(planned: Layer, net: Layer) -> Layer:
    """The net with the convolutions' methods of the same net."""
    methods = {}
    note = lambda path, layer: (
        methods.update({path: layer.method}) or layer
        if computes_as(layer, Conv, ConvTranspose)
        else layer
    )
    map_layers(planned, note)
    return map_layers(
        net, lambda path, layer: replace(layer, method=methods[path]) if path in methods else layer
    )


def _classes(net: Layer) -> list[type[Layer]]:
    """The classes of its layers."""
    found: set[type[Layer]] = set()
    map_layers(net, lambda _, layer: found.add(type(layer)) or layer)
    return sorted(found, key=lambda cls: cls.__name__)
