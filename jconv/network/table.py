"""The table of a network: one row a layer, in execution order, by integer arithmetic alone."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import LayerError, ShapeError
from ..geometry import ReceptiveField, Shape, Window, volume
from ..layer import Layer, Visit, walk
from ..layers import Initializer
from .field import receptive_fields
from .text import aligned

NUMBERS = (4, 5, 6)  # the columns of numbers, flush right


class Row(NamedTuple):
    """One layer: `params` trained values, `macs` multiply-adds and `values` activations (none in place) for one example.

    `fields` are its receptive fields, one an axis of the input; none where no one size is right.
    """

    path: str
    kind: str
    settings: str
    out_shape: Shape
    params: int
    macs: int
    values: int
    note: str
    fields: tuple[ReceptiveField, ...] = ()


class Totals(NamedTuple):
    """Sums over the layers; `values` counts the input too."""

    params: int
    macs: int
    values: int


@dataclasses.dataclass(frozen=True)
class Summary:
    """What `summary` returns: rows and totals; str() and the methods give the whole table in other forms."""

    in_shape: Shape
    rows: tuple[Row, ...]
    totals: Totals

    @property
    def in_values(self) -> int:
        """The values of one input example."""
        return volume(self.in_shape)

    def __str__(self) -> str:
        head, *body, total = self.cells()
        return aligned(head, body, total, right=NUMBERS)

    def cells(self, fields: bool = False) -> list[tuple[str, ...]]:
        """The table as text, cell by cell: the head, the input, the layers, the total; with `fields` their receptive fields too.

        A field is its size, "/jump" where neighbours lie more than a pixel apart, and "@start", the first one's first pixel.
        """
        seen = lambda axes: (_field(axes),) if fields else ()
        return [
            ("layer", "kind", "settings", "output", "params", "multiply-adds", "values", *(("field",) if fields else ()), ""),
            ("input", "", "", _times(self.in_shape), "0", "0", _number(self.in_values), *seen(()), ""),
            *(
                (r.path, r.kind, r.settings, _times(r.out_shape), *map(_number, (r.params, r.macs, r.values)), *seen(r.fields), r.note)
                for r in self.rows
            ),
            ("total", "", "", "", *map(_number, self.totals), *seen(()), ""),
        ]

    def markdown(self) -> str:
        """The table, fields included, in Markdown."""
        head, *rows = self.cells(fields=True)
        rule = tuple("---:" if i in NUMBERS else "---" for i in range(len(head)))
        return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))

    def csv(self) -> str:
        """The layers as comma-separated values with a header line: plain numbers, and a receptive field's three for the first axis."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("layer", "kind", "settings", "output", "params", "macs", "values", "field", "jump", "start", "note"))
        for r in self.rows:
            field = r.fields[0] if r.fields else ("", "", "")
            writer.writerow((r.path, r.kind, r.settings, _times(r.out_shape), r.params, r.macs, r.values, *field, r.note))
        return out.getvalue()

    def json(self) -> str:
        """Everything as JSON."""
        rows = [r._asdict() | {"fields": [f._asdict() for f in r.fields]} for r in self.rows]
        return json.dumps({"in_shape": self.in_shape, "rows": rows, "totals": self.totals._asdict()}, indent=2)


def summary(net: Layer, in_shape: Shape) -> Summary:
    """The net's table for one example of `in_shape`. Nothing is allocated. Raises ShapeError with the path of the layer.

    Parameters are the trained values (a batch norm's scale and bias, not its running statistics). Multiply-adds are those of
    convolutions and matrix products. Pixels that a window leaves out at the far border are noted.

    Three 3x3 convolutions see what one 7x7 sees, with fewer weights and two activations more between them (facts S76, S77):

    >>> from jconv import Conv, Relu, Sequential, net_field
    >>> conv = lambda size: Conv(64, size, padding=size // 2, bias=False)
    >>> three, one = Sequential(conv(3), Relu(), conv(3), Relu(), conv(3)), Sequential(conv(7))
    >>> [net_field(net, (56, 56, 64))[0].size for net in (three, one)]
    [7, 7]
    >>> [summary(net, (56, 56, 64)).totals.params for net in (three, one)]
    [110592, 200704]
    """
    try:
        fields = [field.axes for field in receptive_fields(net, in_shape)]
        rows = tuple(_row(visit, axes) for visit, axes in zip(walk(net, in_shape), fields, strict=True))
    except ShapeError:
        raise
    except LayerError:  # a layer without one size of field
        rows = tuple(_row(visit, ()) for visit in walk(net, in_shape))
    totals = Totals(sum(r.params for r in rows), sum(r.macs for r in rows), volume(in_shape) + sum(r.values for r in rows))
    return Summary(in_shape, rows, totals)


def _row(visit: Visit, fields: tuple[ReceptiveField, ...]) -> Row:
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
        fields,
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


def _field(axes: Sequence[ReceptiveField]) -> str:
    """ "7", "15/4@-3", or axis by axis "5x7" where axes differ."""
    if not axes:
        return ""
    same = len(set(axes)) == 1
    sizes, jumps, starts = ([str(v) for v in (values[:1] if same else values)] for values in zip(*axes, strict=True))
    jump = f"/{'x'.join(jumps)}" if set(jumps) != {"1"} else ""
    return f"{'x'.join(sizes)}{jump}@{','.join(starts)}"


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _number(n: int) -> str:
    return f"{n:,}"
