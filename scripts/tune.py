"""Measure, for every convolution of a network, which method is fastest on this machine, and write the choices as a plan.

    jconv tune lenet5
    jconv tune cifar_resnet20 --batch 64 --out resnet.json
    jconv tune resnet50 --in-shape 160 160 3 --dtype bfloat16
    jconv train --model lenet5 --plan plan.json                    what a plan is for

Prints a line for each operation: what was found, or that the library's own choice is left; then what a step's convolutions gain in
all, and where the plan is. Layers of equal shape are measured once. Exit code 2 for wrong input.
On two cores of an AMD EPYC LeNet-5 takes 11 s and ResNet-20 at batch 64 takes 40 s; at most some --limit seconds an operation.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from jconv import save_plan, tune
from jconv.backend import Backend, use_backend
from jconv.command import command
from jconv.errors import InputError
from jconv.models import build
from jconv.timing import PAIRS


@dataclass(frozen=True)
class Options:
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """Name of the model."""
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
    options = tyro.cli(Options, args=argv, prog="jconv tune", description=__doc__)
    use_backend(options.backend)
    net, in_shape = build(options.model, classes=options.classes, variant=options.variant)
    in_shape = options.in_shape or in_shape
    check_out(options.out)
    console = Console(highlight=False)
    with console.status("") as status:
        tuning = tune(
            net,
            in_shape,
            options.batch,
            dtype=options.dtype,
            pairs=options.pairs,
            limit=options.limit,
            report=lambda found: console.print(str(found), soft_wrap=True, markup=False),
            watch=lambda i, of, title: status.update(f"operation {i} of {of}: {title}"),
        )
    save_plan(options.out, tuning)
    console.print(f"{tuning}\nplan: {options.out}", soft_wrap=True, markup=False)
    return 0


def check_out(path: Path) -> None:
    """Make the folder of the file to write. Raises InputError now rather than after minutes of measuring."""
    if path.is_dir():
        raise InputError(f"--out {path}: is a folder; give the name of a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {path}: its folder cannot be made ({error.strerror})") from None


if __name__ == "__main__":
    sys.exit(main())
