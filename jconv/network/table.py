"""The table of a network: one row a layer, in execution order, by integer arithmetic alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from ..geometry import Shape, Window, volume
from ..layer import Layer, Visit, walk
from ..layers import Initializer
from .text import aligned


class Row(NamedTuple):
    """One layer: `params` trained values, `macs` multiply-adds and `values` activations (none in place) for one example."""

    path: str
    kind: str
    settings: str
    out_shape: Shape
    params: int
    macs: int
    values: int
    note: str


class Totals(NamedTuple):
    """Sums over the layers; `values` counts the input too."""

    params: int
    macs: int
    values: int


@dataclasses.dataclass(frozen=True)
class Summary:
    """What `summary` returns: rows, totals, and str() for the whole table as text."""

    in_shape: Shape
    rows: tuple[Row, ...]
    totals: Totals

    @property
    def in_values(self) -> int:
        """The values of one input example."""
        return volume(self.in_shape)

    def __str__(self) -> str:
        head = ("layer", "kind", "settings", "output", "params", "multiply-adds", "values", "")
        body = [
            (r.path, r.kind, r.settings, _times(r.out_shape), _number(r.params), _number(r.macs), _number(r.values), r.note)
            for r in self.rows
        ]
        first = ("input", "", "", _times(self.in_shape), "0", "0", _number(self.in_values), "")
        total = ("total", "", "", "", *(_number(n) for n in self.totals), "")
        return aligned(head, [first, *body], total, right={4, 5, 6})


def summary(net: Layer, in_shape: Shape) -> Summary:
    """The net's table for one example of `in_shape`. Nothing is allocated. Raises ShapeError with the path of the layer.

    Parameters are the trained values (a batch norm's scale and bias, not its running statistics). Multiply-adds are those of
    convolutions and matrix products. Pixels that a window leaves out at the far border are noted.
    """
    rows = tuple(_row(visit) for visit in walk(net, in_shape))
    totals = Totals(sum(r.params for r in rows), sum(r.macs for r in rows), volume(in_shape) + sum(r.values for r in rows))
    return Summary(in_shape, rows, totals)


def _row(visit: Visit) -> Row:
    layer, in_shape = visit.layer, visit.in_shape
    params = sum(p.size for p in layer.parameters(in_shape).values())
    return Row(
        visit.path or type(layer).__name__.lower(),
        type(layer).__name__,
        _settings(layer),
        visit.out_shape,
        params,
        layer.macs(in_shape),
        0 if layer.in_place else volume(visit.out_shape),
        _border(layer.over(in_shape)),
    )


def _settings(layer: Layer) -> str:
    """What shapes the layer: settings without a default, and others that differ from theirs, as in "20, 5, stride=2"."""
    parts = []
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if isinstance(value, Initializer):
            continue
        if field.default is dataclasses.MISSING:
            parts.append(_short(value))
        elif value != field.default:
            parts.append(f"{field.name}={_short(value)}")
    return ", ".join(parts)


def _short(value) -> str:
    text = str(value).replace(" ", "")
    return text if len(text) <= 24 else f"{text[:21]}..."


def _border(w: Window | None) -> str:
    if w is None or not any(w.unused):
        return ""
    if any(w.dropped):
        return f"drops {_times(w.dropped)} px at the border"
    return f"leaves {_times(w.unused)} px of padding unused"


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _number(n: int) -> str:
    return f"{n:,}"
