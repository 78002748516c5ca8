"""Measure a trained network on its test images.

    jconv evaluate runs/lenet5-digits-20260101-120000
    jconv evaluate runs/resnet50-arrayrecord-20260101-120000 --image-size 256 --views ten-crop
        the mean of ten parts of each image, larger than the net takes

Reads weights.safetensors and config.json of the run folder and the images the run was trained on;
prints the loss, the accuracy, the SHA-256 of the parameters and a line per class: its images, the
share of them that was recognised, and what the others were most often taken for. A few seconds for
LeNet-5 on the digits. Exit code 2 for a missing or damaged run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from rich import box
from rich.table import Table

from jconv.cli.backend import Backend, use_backend
from jconv.cli.command import command, console, parse
from jconv.data import Split
from jconv.errors import InputError
from jconv.models.own import own_layers
from jconv.train import check_examples, evaluate, make_loss, make_predict
from jconv.train.chosen import by_policy, chosen_images
from jconv.train.run import open_run, read_config
from jconv.train.step import Views
from jconv.weights import fingerprint, load_weights


@dataclass(frozen=True)
class Options:
    run: tyro.conf.Positional[Path]
    """Folder of a finished training."""
    split: Literal["test", "train", "validation"] = "test"
    """Which of its images."""
    data: str | None = None
    """Other images than the run's, as `jconv train` names them."""
    data_dir: Path | None = None
    """Where the folder of images is now, if it has moved."""
    views: Views = "centre"
    """What of an image is looked at: its middle; that and its mirror image; the middle, the corners
    and their mirror images; or, by the net made convolutional, every position. Probabilities are
    averaged.
    """
    image_size: int | None = None
    """Side that images are fitted to, larger than the net takes. The run's own by default."""
    backend: Backend = "auto"
    """What computes; by itself jax takes an accelerator that it finds."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = parse(Options, argv, prog="jconv evaluate", doc=__doc__)
    use_backend(options.backend)
    run = open_run(options.run, "weights.safetensors")
    trained, _ = read_config(run)
    weights = load_weights(run.weights, own_layers(trained.model))
    given = {name: getattr(options, name) for name in ("data", "data_dir", "image_size")}
    named = replace(trained, **{name: value for name, value in given.items() if value is not None})
    data = chosen_images(named, weights.in_shape)
    if data.class_names != weights.class_names:
        raise InputError(
            f"{run.weights}: knows the classes {weights.class_names}, the images have "
            f"{data.class_names}; use their --data-dir"
        )
    split: Split | None = getattr(data, options.split)
    if split is None:
        raise InputError(f"--split {options.split}: this run held out no images to choose by")
    shape = split.images.shape[1:] if named.image_size else weights.in_shape
    check_examples(split.images, split.labels, shape, len(weights.class_names))
    predict = make_predict(
        by_policy(trained, weights.net),
        dtype=trained.dtype,
        pixels=weights.pixels,
        in_shape=weights.in_shape,
        views=options.views,
    )
    loss = make_loss(trained.loss, smoothing=trained.label_smoothing)
    result = evaluate(predict, weights.params, weights.state, split, loss, trained.batch_size)
    out = console()
    out.print(
        f"{len(split.labels):,} {options.split} images: {trained.loss} loss {result.loss:.4f}, "
        f"accuracy {result.accuracy:.2%}"
    )
    out.print(f"parameters: SHA-256 {fingerprint(weights.params, weights.state)}", soft_wrap=True)
    out.print(_table(result.logits.argmax(axis=1), split.labels, weights.class_names))
    return 0


def _table(found: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> Table:
    table = Table("class", box=box.SIMPLE_HEAD)
    table.add_column("images", justify="right")
    table.add_column("recognised", justify="right")
    table.add_column("most often taken for")
    for label, name in enumerate(class_names):
        own = found[labels == label]
        wrong = np.bincount(own[own != label], minlength=len(class_names))
        mistake = f"{class_names[wrong.argmax()]} ({wrong.max()})" if wrong.any() else ""
        table.add_row(
            name, f"{len(own):,}", f"{(own == label).mean():.2%}" if len(own) else "", mistake
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
