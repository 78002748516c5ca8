"""Print the table of a network: shapes, parameters, multiply-adds and activations, layer by layer.

    jconv summary lenet5
    jconv summary tiny_vgg --classes 100 --in-shape 64 64 3

Nothing is trained or allocated: it is integer arithmetic. Exit code 2 for an unknown model or an input that does not fit.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from jconv import Summary, summary
from jconv.command import command
from jconv.models import build


@dataclass(frozen=True)
class Options:
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """Name of the model."""
    classes: int = 10
    """Number of outputs."""
    in_shape: tuple[int, ...] = ()
    """One image as height, width, channels. The model's own by default."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = tyro.cli(Options, prog="jconv summary", description=__doc__, args=argv)
    net, in_shape = build(options.model, classes=options.classes)
    Console().print(table(options.model, summary(net, options.in_shape or in_shape)))
    return 0


def table(title: str, s: Summary) -> Table:
    """The summary as a rich table."""
    out = Table(title=title, box=box.SIMPLE_HEAD, show_footer=True)
    size = "x".join(map(str, s.in_shape))
    out.add_column("layer", "total", no_wrap=True)
    out.add_column("kind")
    out.add_column("settings")
    out.add_column("output", no_wrap=True)
    for name, total in zip(("params", "multiply-adds", "values"), s.totals, strict=True):
        out.add_column(name, f"{total:,}", justify="right", no_wrap=True)
    out.add_column("")
    out.add_row("input", "", "", size, "0", "0", f"{s.in_values:,}", "")
    for r in s.rows:
        out.add_row(r.path, r.kind, r.settings, "x".join(map(str, r.out_shape)), f"{r.params:,}", f"{r.macs:,}", f"{r.values:,}", r.note)
    return out


if __name__ == "__main__":
    sys.exit(main())
