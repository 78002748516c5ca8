"""Check every gradient of a network, in float64 at highest precision: autodiff against central
differences, and the im2col twin.

    jconv gradcheck lenet5
    jconv gradcheck convnetjs --thin 0.25 --per-coordinate
    jconv gradcheck resnet18 --errors

Prints a table with one row per parameter array, and the worst of them. Some ten seconds for LeNet-5
on two cores. With --errors it checks nothing, and prints how far logits and gradients are from the
true ones under each precision policy: float32 at highest and at default precision (TF32 on a GPU),
and bfloat16. Exit code 1 when a gradient is wrong, 2 for an unknown model.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from jconv import gradcheck, precision_errors, thin
from jconv.cli.backend import Backend, use_backend
from jconv.cli.command import command, console, parse, status
from jconv.models import sized


@dataclass(frozen=True)
class Options:
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """A name of jconv.models, a pattern ("INPUT32x32x3 -> CONV3-8 -> RELU -> POOL -> FC-10"), or
    FILE.py:FUNCTION.
    """
    thin: float = 1.0
    """Share of the channels to keep: 0.25 checks the same architecture, smaller."""
    in_shape: tuple[int, ...] = ()
    """One image as height, width, channels. The model's own by default."""
    batch: int = 3
    """Number of random images, at least 3."""
    directions: int = 3
    """Random directions for every array."""
    per_coordinate: bool = False
    """Go through every coordinate instead of random directions; slow beyond a few thousand
    parameters.
    """
    train: bool = True
    """Check the network as it is in training (dropout, batch statistics) or, with --no-train, at
    test time.
    """
    errors: bool = False
    """Print the errors of float32 and bfloat16 on this backend instead."""
    tolerance: float = 1e-6
    """Largest relative error against central differences."""
    seed: int = 0
    """Draws the parameters, the images and the directions."""
    backend: Backend = "auto"
    """What computes; by itself jax takes an accelerator that it finds."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = parse(Options, argv, prog="jconv gradcheck", doc=__doc__)
    use_backend(options.backend)
    net, in_shape = sized(options.model, in_shape=options.in_shape)
    if options.thin != 1:
        net = thin(net, options.thin)
    out = console()
    if options.errors:
        with status(out, f"computing {options.model} in float64, float32 and bfloat16"):
            found = precision_errors(
                net, in_shape, train=options.train, batch=options.batch, seed=options.seed
            )
        out.print(str(found), soft_wrap=True)
        return 0
    with status(out, f"checking {options.model}"):
        check = gradcheck(
            net,
            in_shape,
            train=options.train,
            batch=options.batch,
            directions=options.directions,
            per_coordinate=options.per_coordinate,
            tolerance=options.tolerance,
            seed=options.seed,
        )
    out.print(str(check), soft_wrap=True)
    return 0 if check.passed else 1


if __name__ == "__main__":
    sys.exit(main())
