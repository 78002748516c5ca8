"""What a net costs by layer, as bars: parameters, and the values that are kept of an image."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis import Summary, budget, summary
from ..analysis.memory import MIB
from ..geometry import Shape
from ..layer import Layer
from .frame import NORMAL, SMALL, new_figure
from .palette import LIGHT

MOST = 40  # bars; the layers that cost least are put together
ROW = 0.21  # inches
BYTES = 4  # of a float32


class Cost(NamedTuple):
    """One bar: parameters, and values for one image."""

    name: str
    params: int
    values: int


def costs(table: Summary, most: int = MOST) -> list[Cost]:
    """The image and every layer that costs something, in order; beyond `most` the cheapest are one
    bar at the end.
    """
    every = [Cost("image", 0, table.in_values)]
    every += [Cost(row.path, row.params, row.values) for row in table.rows]
    every = [cost for cost in every if cost.params or cost.values]
    if len(every) <= most:
        return every
    params = sum(cost.params for cost in every) or 1
    values = sum(cost.values for cost in every) or 1
    weight = lambda i: max(every[i].params / params, every[i].values / values)
    kept = sorted(sorted(range(len(every)), key=weight, reverse=True)[: most - 1])
    rest = [cost for i, cost in enumerate(every) if i not in set(kept)]
    others = Cost(
        f"{len(rest)} more layers", sum(c.params for c in rest), sum(c.values for c in rest)
    )
    return [*(every[i] for i in kept), others]


def cost_picture(net: Layer, in_shape: Shape) -> Figure:
    """Horizontal bars by layer, in execution order: the memory of the parameters, and that of the
    activations of one image, in float32; and in the title what a training step takes.
    """
    table = summary(net, in_shape)
    bars = costs(table)
    figure = new_figure(8.6, ROW * len(bars) + 1.1)
    left, right = figure.subplots(1, 2, sharey=True)
    _bars(left, [bar.params for bar in bars], "parameters", "right")
    _bars(right, [bar.values for bar in bars], "activations of one image", "train")
    names = [bar.name if len(bar.name) <= 34 else f"…{bar.name[-33:]}" for bar in bars]
    left.set_yticks(range(len(bars)), names, parse_math=False)
    left.set_ylim(len(bars) - 0.4, -0.6)
    figure.suptitle(
        _totals(net, in_shape, table), x=0.01, ha="left", fontsize=NORMAL, color=LIGHT["ink"]
    )
    return figure


def size(count: float) -> str:
    """So many float32 values in words: "1.5 MiB", "312 KiB"."""
    total = BYTES * count
    if total >= MIB:
        return f"{total / MIB:,.1f} MiB"
    return f"{total / 1024:,.1f} KiB" if total >= 1024 else f"{total:,.0f} B"


def _totals(net: Layer, in_shape: Shape, table: Summary) -> str:
    text = f"{table.totals.params:,} parameters, {size(table.totals.params)}"
    total = budget(net, in_shape, 1).total
    if total is None:
        return text
    return f"{text}; training takes {size(total / BYTES)} with one image a step (momentum, float32)"


def _bars(axes: Axes, values: list[int], what: str, colour: str) -> None:
    largest = max(values) or 1
    axes.barh(range(len(values)), values, height=0.66, color=LIGHT[colour])
    for i, value in enumerate(values):
        if value:
            axes.text(
                value + 0.015 * largest,
                i,
                size(value),
                va="center",
                fontsize=SMALL,
                color=LIGHT["muted"],
            )
    axes.set_title(what, loc="left", fontsize=NORMAL, color=LIGHT["muted"])
    axes.set(xlim=(0, 1.22 * largest), xticks=[])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines[:].set_color(LIGHT["line"])
    axes.tick_params(colors=LIGHT["ink"], labelsize=SMALL, length=0)
