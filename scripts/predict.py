"""Tell what is on images, with a trained network.

    jconv predict runs/lenet5-digits-20260101-120000 photo.jpg scan.png
    jconv predict runs/lenet5-digits-20260101-120000 scans
        every image in a folder and the folders inside
    jconv predict alexnet.pth photo.jpg --net alexnet --variant owt --labels imagenet.txt
        weights that others trained, and the names of their classes
    jconv predict model.onnx photos --csv > answers.csv
        a line for each image and class

Each image is cropped about its centre, resized and changed to gray or colour as the network takes
it, and nothing else: a net trained on bright digits before a dark ground wants such digits. Prints
the most probable classes of each (the softmax of the scores). A few seconds for LeNet-5. Exit code
2 for a missing or damaged run or file, or a file that is no image.
"""

from __future__ import annotations

import csv
import json
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
from jconv.cli.trained import TrainedOptions
from jconv.data.image import image_files, read_image
from jconv.errors import InputError
from jconv.models.trained import load_trained
from jconv.train import all_logits, make_predict, probabilities
from jconv.weights import Weights

BATCH = 64  # images at a time


@dataclass(frozen=True, kw_only=True)
class Options(TrainedOptions):
    images: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Image files, of any size and kind, or folders of them."""
    top: int = 5
    """How many classes are named of each."""
    json: bool = False
    """Print JSON: a list with one object for each image."""
    csv: bool = False
    """Print lines of image, class, probability."""
    backend: Backend = "auto"
    """What computes; by itself jax takes an accelerator that it finds."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = parse(Options, argv, prog="jconv predict", doc=__doc__)
    use_backend(options.backend)
    if options.top < 1:
        raise InputError(f"top={options.top}: at least 1 was expected")
    if options.json and options.csv:
        raise InputError("--json and --csv: one of them was expected")
    weights = load_trained(options.weights, **options.trained()).weights
    if not options.images:
        raise InputError(
            "no images given; name some after the run folder: jconv predict RUN IMAGE..."
        )
    paths = list(image_files(options.images))
    answers = list(zip(paths, _probabilities(weights, paths), strict=True))
    best = lambda row: [int(i) for i in np.argsort(-row, kind="stable")[: options.top]]
    names = weights.class_names
    if options.json:
        found = [
            {
                "image": str(path),
                "classes": [{"class": names[i], "probability": float(row[i])} for i in best(row)],
            }
            for path, row in answers
        ]
        print(json.dumps(found, indent=1))
    elif options.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(("image", "class", "probability"))
        for path, row in answers:
            writer.writerows((path, names[i], f"{row[i]:.6g}") for i in best(row))
    else:
        table = Table("image", "class", box=box.SIMPLE_HEAD)
        table.add_column("probability", justify="right")
        for path, row in answers:
            chosen = best(row)
            for i in chosen:
                shown = str(path) if i == chosen[0] else ""
                table.add_row(shown, names[i], f"{row[i]:.2%}", end_section=i == chosen[-1])
        console().print(table)
    return 0


def _probabilities(weights: Weights, paths: Sequence[Path]) -> np.ndarray:
    """(N, classes), the images read and passed a batch at a time."""
    predict = make_predict(weights.net, pixels=weights.pixels)
    size = min(BATCH, len(paths))
    parts = []
    for i in range(0, len(paths), size):
        images = np.stack([read_image(path, weights.in_shape) for path in paths[i : i + size]])
        parts.append(all_logits(predict, weights.params, weights.state, images, size))
    return probabilities(np.concatenate(parts))


if __name__ == "__main__":
    sys.exit(main())
