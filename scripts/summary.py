"""Print the table of a network: shapes, parameters, multiply-adds and activations, layer by layer.

    jconv summary lenet5
    jconv summary tiny_vgg --classes 100 --in-shape 64 64 3
    jconv summary alexnet --variant caffenet --lint
    jconv summary vgg16 --memory --batch 32 --optimizer adam --fits 12
    jconv summary vgg16 --memory --topology v6e:2x2 --wait 600
    jconv summary resnet50 --format csv

Nothing is trained or allocated: it is integer arithmetic, and takes a second. Only --memory, where
libtpu is installed, goes on to have XLA compile the training step for a TPU and prints its figure
beside the prediction: half a minute to many, as long as --wait allows. Exit code 2 for an unknown
model or topology, an input that does not fit, or a --fits too small for one image.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Literal

import jax.numpy as jnp
import tyro
from rich import box
from rich.measure import Measurement
from rich.table import Table

from jconv import Finding, Layer, Summary, budget, largest_batch, lint, streaming_peak, summary
from jconv.analysis.memory import GIB, MIB
from jconv.analysis.table import NUMBERS, UNKNOWN
from jconv.cli.command import command, console, parse, status
from jconv.geometry import Shape
from jconv.models import build, sized
from jconv.models.remarks import REMARKS
from jconv.optimizer import OPTIMIZERS, Optimizer, arrays_kept


@dataclass(frozen=True)
class Options:
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """A name of jconv.models, a pattern ("INPUT32x32x3 -> CONV3-8 -> RELU -> POOL -> FC-10"), or
    FILE.py:FUNCTION.
    """
    classes: int | None = None
    """Number of outputs. The model's own by default."""
    in_shape: tuple[int, ...] = ()
    """One image as height, width, channels. The model's own by default."""
    variant: str | None = None
    """Which of its published forms, where there are several."""
    fields: bool = False
    """Show receptive fields: size, /distance between neighbours, @where the first begins, in input
    pixels.
    """
    memory: bool = False
    """Print what a training step takes, below the table."""
    batch: int = 1
    """Images in a step, for --memory."""
    optimizer: Optimizer = "momentum"
    """Whose cache counts, for --memory."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of images and activations, for --memory; parameters stay float32."""
    topology: str = "v5e:2x2"
    """TPU whose compiler gives its own figure for --memory, where libtpu is installed; "none"
    leaves it out.
    """
    wait: float = 300.0
    """Seconds that compiler has."""
    fits: float = 0.0
    """GiB of memory: print the largest batch that fits."""
    format: Literal["table", "markdown", "csv", "json"] = "table"
    """How to print the table; all but the first have every column."""
    lint: bool = False
    """Print what the CS231n notes' rules for sizes would change, below the table."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = parse(Options, argv, prog="jconv summary", doc=__doc__)
    net, in_shape = sized(
        options.model, classes=options.classes, variant=options.variant, in_shape=options.in_shape
    )
    whole = summary(net, in_shape)
    if options.format != "table":
        print({"markdown": whole.markdown, "csv": whole.csv, "json": whole.json}[options.format]())
        return 0
    out = console()
    shown = table(options.model, whole, options.fields)
    needed = Measurement.get(out, out.options.update(max_width=1000), shown).maximum
    console(width=max(out.width, needed)).print(shown)  # a cut number would be a wrong one
    # remarks are about the published form
    if options.model in REMARKS and (net, in_shape) == build(options.model):
        for remark in REMARKS.get(options.model, ()):
            out.print(remark, soft_wrap=True)
    if options.memory or options.fits:
        out.print(plan(net, in_shape, options), soft_wrap=True)
    if options.memory and options.topology != "none" and find_spec("libtpu"):
        with status(
            out,
            f"XLA compiles the training step for {options.topology}, {options.wait:g} s at most",
        ):
            said = compilers_figure(net, in_shape, options)
        out.print(said, soft_wrap=True)
    if options.lint:
        out.print(findings(lint(net, in_shape)), soft_wrap=True)
    return 0


def findings(found: Sequence[Finding]) -> str:
    """One line per finding, or one that says there are none."""
    return "\n".join(map(str, found)) or "nothing to find: every rule of the CS231n notes is kept"


def table(title: str, s: Summary, fields: bool) -> Table:
    """The summary as a rich table."""
    head, *body, total = s.cells(fields)
    out = Table(title=title, box=box.SIMPLE_HEAD, show_footer=True)
    for i, (name, foot) in enumerate(zip(head, total, strict=True)):
        out.add_column(
            name,
            foot,
            justify="right" if i in NUMBERS else "left",
            no_wrap=i not in (1, 2, len(head) - 1),
        )
    for row in body:
        out.add_row(*row)
    return out


def plan(net: Layer, in_shape: Shape, options: Options) -> str:
    """What training and testing take, in a few lines."""
    b = budget(net, in_shape, options.batch, optimizer=options.optimizer, dtype=options.dtype)
    mib = lambda size: f"{UNKNOWN:>12}" if size is None else f"{size / MIB:12,.2f} MiB"
    values = summary(net, in_shape).totals.values * jnp.dtype(options.dtype).itemsize
    kept = {name: arrays_kept(name) for name in OPTIMIZERS}
    caches = {
        arrays: ", ".join(name for name, n in kept.items() if n == arrays)
        for arrays in sorted(set(kept.values()))
    }
    lines = [
        f"one image's values, as the CS231n notes count them: {values / MIB:,.2f} MiB forward, "
        f"{2 * values / MIB:,.2f} MiB with their gradients",
        f"training {options.batch} images a step in {options.dtype} with {options.optimizer}:",
        f"  parameters               {mib(b.parameters)}",
        f"  their gradients          {mib(b.gradients)}",
        f"  the optimizer's cache    {mib(b.optimizer)}",
        f"  running statistics       {mib(b.statistics)}",
        f"  the images               {mib(b.images)}",
        f"  saved for the gradient   {mib(b.saved)}",
        f"  total                    {mib(b.total)}, without what the compiler needs for a moment",
        "caches of other optimizers: "
        + "; ".join(f"{names} {n * b.parameters / MIB:,.2f} MiB" for n, names in caches.items()),
        f"testing one image keeps {streaming_peak(net, in_shape):,} values alive at most",
    ]
    if options.fits:
        batch = largest_batch(
            net, in_shape, int(options.fits * GIB), optimizer=options.optimizer, dtype=options.dtype
        )
        lines.append(f"the largest batch that fits {options.fits:g} GiB: {batch:,}")
    return "\n".join(lines)


def compilers_figure(net: Layer, in_shape: Shape, options: Options) -> str:
    """What XLA says of the same training step, or why it says nothing."""
    # optax, which takes half a second to import
    from jconv.train.compiled import CompilationFailed, compiled_memory

    settings = {
        "optimizer": options.optimizer,
        "dtype": options.dtype,
        "topology": options.topology,
        "timeout": options.wait,
    }
    try:
        found = compiled_memory(net, in_shape, options.batch, **settings)
    except CompilationFailed as error:
        return f"no figure from XLA for {options.topology}: {error}"
    mib = lambda size: f"{size / MIB:12,.2f} MiB"
    return "\n".join(
        [
            f"XLA's own account of that step, compiled for one {found.chip}:",
            f"  what goes in             {mib(found.arguments)}",
            f"  what comes out beside    {mib(found.results)}",
            f"  what it needs between    {mib(found.between)}",
            f"  total                    {mib(found.total)}, layouts padded for the chip",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
