"""Measure, for every convolution of a network, which method is fastest on this machine, and write
the choices as a plan.

    jconv tune lenet5
    jconv tune cifar_resnet20 --batch 64 --out resnet.json
    jconv tune resnet50 --in-shape 160 160 3 --dtype bfloat16
    jconv train --model lenet5 --plan plan.json                    what a plan is for

Prints a line for each operation: what was found, or that the library's own choice is left; then
what a step's convolutions gain in all, and where the plan is. Layers of equal shape are measured
once. Exit code 2 for wrong input. On two cores of an AMD EPYC LeNet-5 takes 11 s and ResNet-20 at
batch 64 takes 40 s; at most some --limit seconds an operation.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jconv import save_plan, tune
from jconv.cli.backend import Backend, use_backend
from jconv.cli.command import command, console, parse, status
from jconv.files import check_writable
from jconv.models import sized
from jconv.tuning.timing import PAIRS


@dataclass(frozen=True)
class Options:
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """A name of jconv.models, a pattern ("INPUT32x32x3 -> CONV3-8 -> RELU -> POOL -> FC-10"), or
    FILE.py:FUNCTION.
    """
    batch: int = 32
    """Images in a step."""
    in_shape: tuple[int, ...] = ()
    """One image as height, width, channels. The model's own by default."""
    classes: int | None = None
    """Number of outputs. The model's own by default."""
    variant: str | None = None
    """Which of its published forms, where there are several."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of images and activations."""
    pairs: int = PAIRS
    """Interleaved rounds of an operation's methods."""
    limit: float = 10.0
    """Seconds that these rounds may take before no further one begins."""
    out: Path = Path("plan.json")
    """The file to write; a plan that is there is replaced."""
    backend: Backend = "auto"
    """What computes; by itself jax takes an accelerator that it finds."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = parse(Options, argv, prog="jconv tune", doc=__doc__)
    use_backend(options.backend)
    net, in_shape = sized(
        options.model, classes=options.classes, variant=options.variant, in_shape=options.in_shape
    )
    check_writable(options.out, "--out")
    out = console()
    with status(out, "") as update:
        tuning = tune(
            net,
            in_shape,
            options.batch,
            dtype=options.dtype,
            pairs=options.pairs,
            limit=options.limit,
            report=lambda found: out.print(str(found), soft_wrap=True),
            watch=lambda i, of, title: update(f"operation {i} of {of}: {title}"),
        )
    save_plan(options.out, tuning)
    out.print(f"{tuning}\nplan: {options.out}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
