"""Tell what is on images, with a trained network.

    jconv predict runs/lenet5-digits-20260101-120000 photo.jpg scan.png

Each image is cropped about its centre, resized and changed to gray or colour as the network takes
it, and nothing else: a net trained on bright digits before a dark ground wants such digits. Prints
the five most probable classes of each (the softmax of the scores). A few seconds for LeNet-5. Exit
code 2 for a missing or damaged run, or a file that is no image.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich import box
from rich.table import Table

from jconv.cli.backend import Backend, use_backend
from jconv.cli.command import command, console, parse
from jconv.data.image import read_image
from jconv.errors import InputError
from jconv.models.own import load_run
from jconv.train import all_logits, make_predict, probabilities

TOP = 5
BATCH = 64  # images at a time


@dataclass(frozen=True)
class Options:
    run: tyro.conf.Positional[Path]
    """Folder of a finished training."""
    images: tyro.conf.Positional[tuple[Path, ...]]
    """Image files, of any size and kind."""
    backend: Backend = "auto"
    """What computes; by itself jax takes an accelerator that it finds."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = parse(Options, argv, prog="jconv predict", doc=__doc__)
    use_backend(options.backend)
    weights = load_run(options.run)
    if not options.images:
        raise InputError(
            "no images given; name some after the run folder: jconv predict RUN IMAGE..."
        )
    images = np.stack([read_image(path, weights.in_shape) for path in options.images])
    logits = all_logits(
        make_predict(weights.net, pixels=weights.pixels),
        weights.params,
        weights.state,
        images,
        min(BATCH, len(images)),
    )
    table = Table("image", "class", box=box.SIMPLE_HEAD)
    table.add_column("probability", justify="right")
    for path, row in zip(options.images, probabilities(logits), strict=True):
        for rank, label in enumerate(np.argsort(-row)[:TOP]):
            last = rank == min(TOP, len(row)) - 1
            table.add_row(
                "" if rank else str(path),
                weights.class_names[label],
                f"{row[label]:.2%}",
                end_section=last,
            )
    console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
