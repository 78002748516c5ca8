"""The table of a network: one row per layer, in execution order, by integer arithmetic alone."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from typing import NamedTuple

from ..compose import Visit, walk
from ..geometry import ReceptiveField, Shape, Window, volume
from ..html import piece, table
from ..layer import Layer
from .example import example_shape
from .field import Field, fields
from .measure import declared_window, in_place, macs_of, parameters_of
from .text import aligned

UNKNOWN = "unknown"
NUMBERS = (4, 5, 6)  # the columns of numbers, flush right


class Row(NamedTuple):
    """One layer: `params` trained values, `macs` multiply-adds and `values` activations (none in
    place) for one example.

    `macs` is None where they are unknown. `fields` are its receptive fields, one per axis of the
    input; none where `no_field` says why.
    """

    path: str
    kind: str
    settings: str
    out_shape: Shape
    params: int
    macs: int | None
    values: int
    note: str
    fields: tuple[ReceptiveField, ...] = ()
    no_field: str = ""


class Totals(NamedTuple):
    """Sums over the layers; `values` counts the input too. `macs` is None where those of a layer
    are unknown.
    """

    params: int
    macs: int | None
    values: int


@dataclasses.dataclass(frozen=True)
class Summary:
    """What `summary` returns: rows and totals; str() and the methods give the whole table in other
    forms.
    """

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

    __repr__ = __str__  # what a terminal shows of a last line

    def _repr_html_(self) -> str:
        """What a notebook shows: the table with its receptive fields."""
        head, *body, total = self.cells(fields=True)
        caption = f"Layers, for one example of {_times(self.in_shape)}"
        return piece(table(head, body, total, caption=caption, right=NUMBERS))

    def cells(self, fields: bool = False) -> list[tuple[str, ...]]:
        """The table as text, cell by cell: the head, the input, the layers, the total; with
        `fields` their receptive fields too.

        A field is its size, "/jump" where neighbours lie more than a pixel apart, and "@start", the
        first one's first pixel.
        """
        seen = lambda axes, why="": (_field(axes) or (UNKNOWN if why else ""),) if fields else ()
        return [
            (
                "layer",
                "kind",
                "settings",
                "output",
                "params",
                "multiply-adds",
                "values",
                *(("field",) if fields else ()),
                "",
            ),
            (
                "input",
                "",
                "",
                _times(self.in_shape),
                "0",
                "0",
                _number(self.in_values),
                *seen(()),
                "",
            ),
            *(
                (
                    r.path,
                    r.kind,
                    r.settings,
                    _times(r.out_shape),
                    *map(_number, (r.params, r.macs, r.values)),
                    *seen(r.fields, r.no_field),
                    r.note,
                )
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
        """The layers as comma-separated values with a header line: plain numbers, and a receptive
        field's three for the first axis.
        """
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(
            (
                "layer",
                "kind",
                "settings",
                "output",
                "params",
                "macs",
                "values",
                "field",
                "jump",
                "start",
                "note",
            )
        )
        for r in self.rows:
            field = r.fields[0] if r.fields else ((UNKNOWN,) * 3 if r.no_field else ("", "", ""))
            macs = UNKNOWN if r.macs is None else r.macs
            writer.writerow(
                (
                    r.path,
                    r.kind,
                    r.settings,
                    _times(r.out_shape),
                    r.params,
                    macs,
                    r.values,
                    *field,
                    r.note,
                )
            )
        return out.getvalue()

    def json(self) -> str:
        """Everything as JSON; what is unknown is null."""
        rows = [r._asdict() | {"fields": [f._asdict() for f in r.fields]} for r in self.rows]
        return json.dumps(
            {"in_shape": self.in_shape, "rows": rows, "totals": self.totals._asdict()}, indent=2
        )


def summary(net: Layer, in_shape: Shape) -> Summary:
    """The net's table for one example of `in_shape`. Raises ShapeError with the path of the layer.

    Parameters are the trained values (a batch norm's scale and bias, not its running statistics).
    Multiply-adds are those of convolutions and matrix products. Pixels that a window leaves out at
    the far border are noted, and so are parameters that an earlier row has, and how often a loop
    goes through a layer, whose costs the row then has in all. All of it is arithmetic on what
    layers declare; what a layer does not declare is measured (measure.py), or "unknown", in its row
    and in the totals.

    Three 3x3 convolutions see what one 7x7 sees, with fewer weights and two activations more
    between them (CS231n notes, Layer Patterns):

    >>> from jconv import Conv, Relu, Sequential, net_field
    >>> conv = lambda size: Conv(64, size, padding=size // 2, bias=False)
    >>> three, one = Sequential(conv(3), Relu(), conv(3), Relu(), conv(3)), Sequential(conv(7))
    >>> [net_field(net, (56, 56, 64))[0].size for net in (three, one)]
    [7, 7]
    >>> [summary(net, (56, 56, 64)).totals.params for net in (three, one)]
    [110592, 200704]
    """
    in_shape = example_shape(net, in_shape)
    rows = tuple(
        _row(visit, seen)
        for visit, seen in zip(walk(net, in_shape), fields(net, in_shape), strict=True)
    )
    macs = [r.macs for r in rows]
    totals = Totals(
        sum(r.params for r in rows),
        None if None in macs else sum(m for m in macs if m),
        volume(in_shape) + sum(r.values for r in rows),
    )
    return Summary(in_shape, rows, totals)


def _row(visit: Visit, seen: Field) -> Row:
    layer, in_shape = visit.layer, visit.in_shape
    macs = macs_of(layer, in_shape)
    notes = [f"{visit.times} times"] if visit.times > 1 else []
    notes += ["the same parameters again"] if visit.turn > 1 else []
    border = _border(declared_window(layer, in_shape))
    return Row(
        visit.name or type(layer).__name__.lower(),
        type(layer).__name__,
        _settings(layer),
        visit.out_shape,
        parameters_of(layer, in_shape)[0] * visit.copies if visit.turn == 1 else 0,
        macs if macs is None else macs * visit.times,
        0 if in_place(layer) else volume(visit.out_shape) * visit.times,
        ", ".join([*notes, *([border] if border else [])]),
        seen.axes,
        seen.why,
    )


def _settings(layer: Layer) -> str:
    """What shapes the layer: settings without a default, and others that differ from theirs, as in
    "20, 5, stride=2".
    """
    parts = []
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        # initializers, and functions, whose names say little
        if callable(value) and not isinstance(value, Layer):
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
    sizes, jumps, starts = (
        [str(v) for v in (values[:1] if same else values)] for values in zip(*axes, strict=True)
    )
    jump = f"/{'x'.join(jumps)}" if set(jumps) != {"1"} else ""
    return f"{'x'.join(sizes)}{jump}@{','.join(starts)}"


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _number(n: int | None) -> str:
    return UNKNOWN if n is None else f"{n:,}"
