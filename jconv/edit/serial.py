"""A network as JSON and back: class names and settings, nothing else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from .. import compose, layers
from ..errors import LayerError
from ..layer import Layer
from ..layers import Initializer, Lambda

CLASS = "class"  # the key of a class's name: a word that no setting can have


def to_json(net: Layer, indent: int | None = None) -> str:
    """The net as JSON text: every layer an object of its class under "class" and its settings.

    Raises LayerError, with the path, for what JSON cannot hold, such as a Lambda's function.
    """
    return json.dumps(_encode(net, ""), indent=indent)


def from_json(text: str, own: Sequence[type[Layer]] = ()) -> Layer:
    """The net a text describes: `from_json(to_json(net)) == net`. `own` lists the layer classes
    that are not jconv's.

    Raises ValueError for text that is no net, naming the path and what is wrong with it.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ValueError(f"not the JSON of a net: {error}") from None
    known = _jconvs() | {c.__name__: c for c in own} | {Initializer.__name__: Initializer}
    net = _decode(data, known, "")
    if not isinstance(net, Layer):
        raise ValueError(f'the JSON of a net is an object with a "class", got {type(net).__name__}')
    return net


def _jconvs() -> dict[str, type]:
    """The layer classes of jconv by name."""
    classes = (*vars(layers).values(), *vars(compose).values())
    return {c.__name__: c for c in classes if isinstance(c, type) and issubclass(c, Layer)}


def _encode(value: Any, path: str) -> Any:
    if isinstance(value, Lambda):
        raise LayerError(
            "a Lambda holds a function and cannot be saved; write a Layer of your own instead", path
        )
    inside = f"{path}/" if path else ""
    if (
        isinstance(value, Layer)
        and not type(value).__module__.startswith("jconv.")
        and type(value).__name__ in _jconvs()
    ):
        raise LayerError(
            f"{type(value).__name__} is called as a layer of jconv's own, which it would come back "
            "as; rename it",
            path,
        )
    if isinstance(value, compose.Named):
        return {
            CLASS: type(value).__name__,
            "layers": {name: _encode(child, inside + name) for name, child in value.layers},
        }
    if isinstance(value, (Layer, Initializer)):
        settings = {
            f.name: _encode(getattr(value, f.name), inside + f.name)
            for f in dataclasses.fields(value)
            if f.init
        }
        return {CLASS: type(value).__name__, **settings}
    # a named tuple would come back without its names
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return [_encode(v, path) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise LayerError(
        f"a setting of type {type(value).__name__} cannot be saved; settings are numbers, strings, "
        "tuples, layers, initializers",
        path,
    )


def _decode(value: Any, known: dict[str, type], path: str) -> Any:
    inside = f"{path}/" if path else ""
    if isinstance(value, list):
        return tuple(_decode(v, known, path) for v in value)
    if not isinstance(value, dict):
        return value
    kind = value.get(CLASS)
    cls = known.get(str(kind))
    if cls is None:
        raise ValueError(
            f"{path or 'the net'}: unknown layer {kind!r}; if it is yours, give its class: "
            f"own=[{kind}]"
        )
    settings = {name: v for name, v in value.items() if name != CLASS}
    if issubclass(cls, compose.Named):
        settings = settings.get("layers")
        if not isinstance(settings, dict):
            raise ValueError(
                f'{path or "the net"}: {kind} needs "layers", an object with a layer under each '
                "name"
            )
    decoded = {name: _decode(v, known, inside + name) for name, v in settings.items()}
    try:
        return cls(**decoded)
    except (TypeError, ValueError) as error:  # a setting too many, too few, or with a wrong value
        raise ValueError(
            f"{path or 'the net'}: {kind} does not take these settings: {error}"
        ) from None
