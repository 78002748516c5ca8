"""The chart of a benchmark: how many times as fast as a reference each contestant is, case by
case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullLocator

from .palette import LIGHT

MARKS = ("o", "D", "s", "^")
ROW = 0.24  # inches


class Group(NamedTuple):
    """One panel: a title, and for each case the speeds by contestant, the reference's being 1."""

    title: str
    speeds: Mapping[str, Mapping[str, float]]


def speed_chart(groups: Sequence[Group], hero: str, reference: str) -> Figure:
    """Bars for `hero`, marks for the others, a panel a group, on a logarithmic axis that all
    share.
    """
    heights = [ROW * (len(group.speeds) + 1.5) for group in groups]
    figure = Figure((8.2, sum(heights) + 0.9), layout="constrained", facecolor=LIGHT["card"])
    panels = figure.subplots(len(groups), squeeze=False, sharex=True, height_ratios=heights)[:, 0]
    others = list(
        dict.fromkeys(
            n
            for g in groups
            for speeds in g.speeds.values()
            for n in speeds
            if n not in (hero, reference)
        )
    )
    for axes, group in zip(panels, groups, strict=True):
        _panel(axes, group, hero, others)
    _frame(panels[-1], f"what {reference} takes ÷ what they take (further right is better)")
    named = {}
    for axes in panels:
        named |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    named = {hero: Patch(color=LIGHT["right"])} | {
        name: handle for name, handle in named.items() if name != hero
    }
    figure.legend(
        named.values(),
        named.keys(),
        loc="outside upper left",
        ncols=6,
        frameon=False,
        fontsize=8,
        labelcolor=LIGHT["ink"],
    )
    return figure


def write_chart(figure: Figure, path: Path) -> None:
    """As an SVG whose bytes follow from the figure alone."""
    with matplotlib.rc_context({"svg.hashsalt": "jconv"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def _panel(axes: Axes, group: Group, hero: str, others: Sequence[str]) -> None:
    names = list(group.speeds)
    axes.set_title(group.title, loc="left", fontsize=8.5, color=LIGHT["muted"])
    for i, name in enumerate(names):
        if (speed := group.speeds[name].get(hero)) is not None:
            colour = LIGHT["right"] if speed >= 1 else LIGHT["wrong"]
            axes.barh(i, speed - 1, left=1, height=0.62, color=colour)
            # numbers in a column of their own, where no mark can lie over them
            beside = axes.get_yaxis_transform()
            axes.text(
                1.01, i, f"{speed:.2g}×", transform=beside, va="center", fontsize=7.5, color=colour
            )
    for mark, other in zip(MARKS, others, strict=False):
        points = [
            (group.speeds[name][other], i)
            for i, name in enumerate(names)
            if other in group.speeds[name]
        ]
        colour = LIGHT["train"] if mark in MARKS[2:] else LIGHT["muted"]
        axes.plot(
            *zip(*points, strict=True) if points else ([], []),
            mark,
            color=colour,
            markeredgecolor=LIGHT["card"],
            markersize=5,
            label=other,
            zorder=3,
        )
    axes.axvline(1, color=LIGHT["ink"], linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines[:].set_color(LIGHT["line"])
    axes.tick_params(colors=LIGHT["ink"], labelsize=7.5, length=0)
    axes.grid(axis="x", color=LIGHT["line"], linewidth=0.7)
    axes.set_axisbelow(True)


def _frame(axes: Axes, text: str) -> None:
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(text, fontsize=8.5, color=LIGHT["muted"])
