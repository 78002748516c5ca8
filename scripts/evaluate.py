"""Measure a trained network on images whose classes are known.

    jconv evaluate runs/lenet5-digits-20260101-120000
        on the test images of its training
    jconv evaluate runs/resnet50-arrayrecord-20260101-120000 --image-size 256 --views ten-crop
        the mean of ten parts of each image, larger than the net takes
    jconv evaluate lenet.caffemodel --net lenet.prototxt --data mnist --data-dir mnist
        weights that others trained, of Caffe, PyTorch, ONNX or ConvNetJS
    jconv evaluate resnet18.pth --net resnet18 --data folder --data-dir photos --json
        the same in a form for programs

Prints the loss, the accuracy, by one guess and by five, the SHA-256 of the parameters and a line
per class: its images, the share of them that was recognised, and what the others were most often
taken for. A few seconds for LeNet-5 on the digits. Exit code 2 for a missing or damaged run, file
or folder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from jconv.cli.backend import Backend, use_backend
from jconv.cli.command import command, console, parse
from jconv.cli.trained import TrainedOptions
from jconv.data import Dataset, Split
from jconv.errors import InputError
from jconv.geometry import Shape
from jconv.models.trained import load_trained
from jconv.train import check_examples, evaluate, make_loss, make_predict
from jconv.train.chosen import by_policy, chosen_images
from jconv.train.options import TrainOptions
from jconv.train.run import open_run, read_config
from jconv.train.step import Views
from jconv.weights import Weights, fingerprint
from jconv.weights.reading import numbered

FEW = 5  # classes among which the right one is, for the second accuracy


@dataclass(frozen=True, kw_only=True)
class Options(TrainedOptions):
    split: Literal["test", "train", "validation"] = "test"
    """Which of its images."""
    data: str | None = None
    """Which images, as `jconv train` names them; those of its training by default."""
    data_dir: Path | None = None
    """Where they are."""
    views: Views = "centre"
    """What of an image is looked at: its middle; that and its mirror image; the middle, the corners
    and their mirror images; or, by the net made convolutional, every position. Probabilities are
    averaged.
    """
    image_size: int | None = None
    """Side that images are fitted to, larger than the net takes. The run's own by default."""
    batch_size: int | None = None
    """Images at a time; those of its training, or 128, by default."""
    json: bool = False
    """Print the result as JSON."""
    backend: Backend = "auto"
    """What computes; by itself jax takes an accelerator that it finds."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = parse(Options, argv, prog="jconv evaluate", doc=__doc__)
    use_backend(options.backend)
    images = _images(options)
    weights = load_trained(
        options.weights, **options.trained(), otherwise=lambda: _shape(images)
    ).weights
    # a run may test by a share of its training images
    alone = options.split == "test" and not options.weights.is_dir()
    data = chosen_images(images, weights.in_shape, test_only=alone)
    weights = _named(options.weights, weights, data)
    split: Split | None = getattr(data, options.split)
    if split is None:
        raise InputError(f"--split {options.split}: this run held out no images to choose by")
    shape = split.images.shape[1:] if images.image_size else weights.in_shape
    check_examples(split.images, split.labels, shape, len(weights.class_names))
    predict = make_predict(
        by_policy(images, weights.net),
        dtype=images.dtype,
        pixels=weights.pixels,
        in_shape=weights.in_shape,
        views=options.views,
    )
    loss = make_loss(images.loss, smoothing=images.label_smoothing)
    result = evaluate(predict, weights.params, weights.state, split, loss, images.batch_size)
    found = {
        "images": len(split.labels),
        "split": options.split,
        "loss": float(result.loss),
        "accuracy": float(result.accuracy),
        f"top{FEW}_accuracy": _among(result.logits, split.labels, FEW),
        "sha256": fingerprint(weights.params, weights.state),
    }
    if options.json:
        print(json.dumps(found | {"classes": _by_class(result.logits, split, weights)}, indent=1))
    else:
        _say(console(), found, images.loss, _by_class(result.logits, split, weights))
    return 0


def _images(options: Options) -> TrainOptions:
    """The options that the images, and how they are taken, follow from."""
    if not options.weights.is_file() and not options.weights.suffix:
        trained, _ = read_config(open_run(options.weights, "weights.safetensors"))
    elif options.data is None:
        raise InputError(
            f"{options.weights}: a file of weights has no images of its own; name some: --data "
            "folder --data-dir DIR"
        )
    else:
        trained = TrainOptions(batch_size=128, resize=True)
    given = {name: getattr(options, name) for name in GIVEN}
    return replace(trained, **{name: value for name, value in given.items() if value is not None})


GIVEN = ("data", "data_dir", "image_size", "batch_size")


def _shape(images: TrainOptions) -> Shape:
    """The shape of the images as they are, where the net says nothing of it."""
    as_they_are = replace(images, resize=False, image_size=None)
    return chosen_images(as_they_are, (), test_only=True).test.images.shape[1:]


def _named(path: Path, weights: Weights, data: Dataset) -> Weights:
    """The weights with names of classes. Raises InputError where those of the images are others."""
    unnamed = weights.class_names == numbered(weights.net, weights.in_shape)
    if len(data.class_names) == len(weights.class_names) and unnamed:
        return weights._replace(class_names=data.class_names)
    if data.class_names != weights.class_names:
        raise InputError(
            f"{path}: knows {_first(weights.class_names)}, the images have "
            f"{_first(data.class_names)}; use their --data-dir"
        )
    return weights


def _first(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > 10 else ""
    return f"the {len(names)} classes {', '.join(names[:10])}{more}"


def _among(logits: np.ndarray, labels: np.ndarray, count: int) -> float:
    """The share of images whose class is among the most probable."""
    best = np.argsort(-logits, axis=1, kind="stable")[:, :count]
    return float((best == labels[:, None]).any(axis=1).mean())


def _by_class(logits: np.ndarray, split: Split, weights: Weights) -> list[dict[str, Any]]:
    found, names, rows = logits.argmax(axis=1), weights.class_names, []
    for label, name in enumerate(names):
        own = found[split.labels == label]
        wrong = np.bincount(own[own != label], minlength=len(names))
        mistaken = wrong.any()
        rows.append(
            {
                "class": name,
                "images": len(own),
                "recognised": float((own == label).mean()) if len(own) else None,
                "most_often_taken_for": names[wrong.argmax()] if mistaken else None,
                "times": int(wrong.max()) if mistaken else 0,
            }
        )
    return rows


def _say(out: Console, found: dict[str, Any], loss: str, rows: list[dict[str, Any]]) -> None:
    few = f", among the first {FEW} {found[f'top{FEW}_accuracy']:.2%}" if len(rows) > FEW else ""
    out.print(
        f"{found['images']:,} {found['split']} images: {loss} loss {found['loss']:.4f}, accuracy "
        f"{found['accuracy']:.2%}{few}",
        soft_wrap=True,
    )
    out.print(f"parameters: SHA-256 {found['sha256']}", soft_wrap=True)
    table = Table("class", box=box.SIMPLE_HEAD)
    table.add_column("images", justify="right")
    table.add_column("recognised", justify="right")
    table.add_column("most often taken for")
    for row in rows:
        mistaken = row["most_often_taken_for"]
        table.add_row(
            row["class"],
            f"{row['images']:,}",
            "" if row["recognised"] is None else f"{row['recognised']:.2%}",
            f"{mistaken} ({row['times']})" if mistaken else "",
        )
    out.print(table)


if __name__ == "__main__":
    sys.exit(main())
