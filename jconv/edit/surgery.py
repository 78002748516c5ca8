"""Editing a net: a new net, the old one untouched."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from ..compose import Tap
from ..errors import LayerError, located, unknown
from ..layer import Layer, has_setting, map_layers
from ..layers import Conv, GroupNorm, PadChannels
from ..ops.methods import WHOLE, Choice, check_method

PRECISIONS = (None, "default", "high", "highest")


def replace(net: Layer, path: str, layer: Layer) -> Layer:
    """The net with the layer at `path` ("stage2/block1/body/conv2") exchanged. Raises LayerError
    listing the names there are.
    """
    name, _, rest = path.partition("/")
    children = dict(net.children)
    if name not in children:
        raise LayerError(
            f"there is no layer {name!r} here; there are {', '.join(children) or 'none'}", path
        )
    children[name] = located(name, replace, children[name], rest, layer) if rest else layer
    return net.with_children(children)


def with_method(net: Layer, method: Choice) -> Layer:
    """The net with every layer that has a `method` set to it: `with_method(net, "im2col")` is the
    reference path.

    A method of convolutions alone, or a word for each of their operations, leaves the other layers
    as they are. Raises ValueError for an unknown method.
    """
    check_method(method)

    def change(_: str, layer: Layer) -> Layer:
        knows = has_setting(layer, "method", _is_method) and (
            method in WHOLE or layer.method_per_operation
        )
        return dataclasses.replace(layer, method=method) if knows else layer

    return map_layers(net, change)


def with_precision(net: Layer, precision: str | None) -> Layer:
    """The net with every convolution and matrix product at one precision: "highest", "high",
    "default" or None, which is jax's own setting. Raises ValueError for another word.
    """
    if precision not in PRECISIONS:
        raise ValueError(unknown("precision", precision, tuple(filter(None, PRECISIONS)), "None"))
    known = PRECISIONS.__contains__
    set_to = lambda _, layer: (
        dataclasses.replace(layer, precision=precision)
        if has_setting(layer, "precision", known)
        else layer
    )
    return map_layers(net, set_to)


def thin(net: Layer, factor: float) -> Layer:
    """The net with `factor` times the channels everywhere (at least 4, rounded up to an even
    number): the same architecture at a size for tests. Every layer with a setting `features` is
    made narrower, but for the last of the net, and of each Tap (an auxiliary head).

    Groups shrink along; a connection mask keeps the rows and the inputs that remain.
    """
    last = last_widths(net)

    def shrink(path: str, layer: Any) -> Layer:
        if isinstance(layer, PadChannels):
            # at a few channels there may be no room before them
            return dataclasses.replace(layer, channels=_fewer(layer.channels, factor), before=0)
        if isinstance(layer, GroupNorm):
            # the channels are even now
            return dataclasses.replace(layer, groups=math.gcd(layer.groups, 2))
        if not has_setting(layer, "features", _is_count) or path in last:
            return layer
        features = _fewer(layer.features, factor)
        if has_setting(layer, "groups", _is_count) and layer.groups > 1:
            groups = max(2, math.gcd(_fewer(layer.groups, factor), features))
            layer = dataclasses.replace(layer, groups=1, features=features)
            return dataclasses.replace(layer, groups=groups)
        if isinstance(layer, Conv) and layer.mask:
            return dataclasses.replace(
                layer, features=features, mask=_sliced(layer.mask, features, factor)
            )
        return dataclasses.replace(layer, features=features)

    return map_layers(net, shrink)


def last_widths(net: Layer) -> tuple[str, ...]:
    """Where the classifiers are: the last layer with `features` of the net, and of each of its
    taps.
    """
    widths: list[str] = []
    taps: list[str] = []

    def note(path: str, layer: Layer) -> Layer:
        if has_setting(layer, "features", _is_count):
            widths.append(path)
        if isinstance(layer, Tap) and widths and widths[-1].startswith(f"{path}/"):
            taps.append(widths[-1])
        return layer

    map_layers(net, note)
    return tuple(dict.fromkeys([*widths[-1:], *taps]))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _fewer(count: int, factor: float) -> int:
    return min(count, max(4, 2 * math.ceil(count * factor / 2)))


def _sliced(
    mask: tuple[tuple[int, ...], ...], features: int, factor: float
) -> tuple[tuple[int, ...], ...]:
    inputs = _fewer(1 + max(map(max, mask)), factor)
    return tuple(tuple(c for c in row if c < inputs) or (0,) for row in mask[:features])


def _is_method(value: Any) -> bool:
    try:
        check_method(value)
    except (ValueError, TypeError):
        return False
    return True
