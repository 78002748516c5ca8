"""Print the table of a network: shapes, parameters, multiply-adds and activations, layer by layer.

    jconv summary lenet5
    jconv summary tiny_vgg --classes 100 --in-shape 64 64 3
    jconv summary alexnet --variant caffenet --lint
    jconv summary vgg16 --memory --batch 32 --optimizer adam --fits 12
    jconv summary resnet50 --format csv

Nothing is trained or allocated: it is integer arithmetic. Exit code 2 for an unknown model or an input that does not fit.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from jconv import Finding, Layer, Summary, budget, largest_batch, lint, streaming_peak, summary
from jconv.command import command
from jconv.geometry import Shape
from jconv.models import build
from jconv.network.memory import GIB, MIB
from jconv.network.table import NUMBERS


@dataclass(frozen=True)
class Options:
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """Name of the model."""
    classes: int | None = None
    """Number of outputs. The model's own by default."""
    in_shape: tuple[int, ...] = ()
    """One image as height, width, channels. The model's own by default."""
    variant: str | None = None
    """Which of its published forms, where there are several."""
    fields: bool = False
    """Show receptive fields: size, /distance between neighbours, @where the first begins, in input pixels."""
    memory: bool = False
    """Print what a training step takes, below the table."""
    batch: int = 1
    """Images in a step, for --memory."""
    optimizer: Literal["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"] = "momentum"
    """Whose cache counts, for --memory."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of images and activations, for --memory; parameters stay float32."""
    fits: float = 0.0
    """GiB of memory: print the largest batch that fits."""
    format: Literal["table", "markdown", "csv", "json"] = "table"
    """How to print the table; all but the first have every column."""
    lint: bool = False
    """Print what the notes' rules for sizes would change, below the table."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = tyro.cli(Options, prog="jconv summary", description=__doc__, args=argv)
    net, in_shape = build(options.model, classes=options.classes, variant=options.variant)
    in_shape = options.in_shape or in_shape
    whole = summary(net, in_shape)
    if options.format != "table":
        print({"markdown": whole.markdown, "csv": whole.csv, "json": whole.json}[options.format]())
        return 0
    console = Console()
    shown = table(options.model, whole, options.fields)
    needed = Measurement.get(console, console.options.update(max_width=1000), shown).maximum
    Console(width=max(console.width, needed)).print(shown)  # a cut number would be a wrong one
    if options.memory or options.fits:
        console.print(plan(net, in_shape, options), markup=False, highlight=False, soft_wrap=True)
    if options.lint:
        console.print(findings(lint(net, in_shape)), markup=False, highlight=False, soft_wrap=True)
    return 0


def findings(found: Sequence[Finding]) -> str:
    """One line a finding, or one that says there are none."""
    return "\n".join(map(str, found)) or "nothing to find: every rule of the notes is kept"


def table(title: str, s: Summary, fields: bool) -> Table:
    """The summary as a rich table."""
    head, *body, total = s.cells(fields)
    out = Table(title=title, box=box.SIMPLE_HEAD, show_footer=True)
    for i, (name, foot) in enumerate(zip(head, total, strict=True)):
        out.add_column(name, foot, justify="right" if i in NUMBERS else "left", no_wrap=i not in (1, 2, len(head) - 1))
    for row in body:
        out.add_row(*row)
    return out


def plan(net: Layer, in_shape: Shape, options: Options) -> str:
    """What training and testing take, in a few lines."""
    b = budget(net, in_shape, options.batch, optimizer=options.optimizer, dtype=options.dtype)
    mib = lambda size: f"{size / MIB:12,.2f} MiB"
    lines = [
        f"training {options.batch} images a step in {options.dtype} with {options.optimizer}:",
        f"  parameters               {mib(b.parameters)}",
        f"  their gradients          {mib(b.gradients)}",
        f"  the optimizer's cache    {mib(b.optimizer)}",
        f"  running statistics       {mib(b.statistics)}",
        f"  the images               {mib(b.images)}",
        f"  saved for the gradient   {mib(b.saved)}",
        f"  total                    {mib(b.total)}, without what the compiler needs for a moment",
        f"testing one image keeps {streaming_peak(net, in_shape):,} values alive at most",
    ]
    if options.fits:
        batch = largest_batch(net, in_shape, int(options.fits * GIB), optimizer=options.optimizer, dtype=options.dtype)
        lines.append(f"the largest batch that fits {options.fits:g} GiB: {batch:,}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
