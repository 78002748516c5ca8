"""The report of a training run: one HTML file, whole or absent."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..files import write_text
from .answers import Images, class_accuracy, confusion_matrix, mistakes
from .inside import drawn, inside
from .scores import confusion_counts
from .subject import Subject
from .templates import render
from .tiles import Picture, filter_tiles
from .training import curves, headline, history_keys, settings

MOST_FILTERS = 96  # pictures


class Filters(NamedTuple):
    """The filters of a layer, and how to read them."""

    hint: str
    pictures: list[Picture]


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    config: Mapping[str, object],
    history: Sequence[Mapping[str, float]],
    table: str,
    filters: np.ndarray | None,
    images: Images,
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    subject: Subject | None = None,
) -> None:
    """Write the report of a run to `path`, all at once: a file that was there stays until the new
    one is complete.

    history: one row per epoch with the keys `history_keys`; accuracies in [0, 1], images/s, and
    `seconds` since the training began. May be empty; a loss or an accuracy may be None or NaN.
    table: the network's summary, as plain text. filters: the first convolution's kernel, HWIO, or
    None where there is no 2-D one. images, labels, probabilities: the test images (N, H, W, C) in
    [0, 1], (N,) classes, (N, K); class_names: K words. subject: the net and one of
    the images, to show what happens inside. Raises ValueError when these do not fit each other.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    _check(history, filters, images, labels, probabilities, class_names)
    counts = confusion_counts(labels, probabilities)
    text = render(
        "report.html",
        title=title,
        headline=headline(counts, history),
        training=curves(history),
        confusion=confusion_matrix(counts, class_names),
        accuracy=class_accuracy(counts, class_names),
        mistakes=mistakes(images, labels, probabilities, class_names),
        filters=None if filters is None else _filters(np.asarray(filters, np.float32)),
        inside=None if subject is None else inside(subject, class_names),
        drawn=[] if subject is None else drawn(subject),
        table=table,
        settings=list(settings(config)),
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text + "\n")


def _filters(kernel: np.ndarray) -> Filters:
    height, width, channels, count = kernel.shape
    pictures = filter_tiles(kernel, MOST_FILTERS)
    total = count * (1 if channels == 3 else channels)
    shown = "" if total == len(pictures) else f" The first {len(pictures)} of {total:,} are shown."
    zero = "Mid-gray is zero." if channels == 3 else "Blue is above zero, red below."
    hint = (
        f"What the first layer looks for: {count} filters of {height}×{width}×{channels}, each "
        "scaled by its largest weight. "
    )
    return Filters(hint + zero + shown, pictures)


def _check(history, filters, images, labels, probabilities, class_names) -> None:
    """Raise ValueError with what came, what was expected and the fix."""
    if len(images.shape) != 4 or not len(images):
        raise ValueError(
            f"images: shape {images.shape} came, (N, H, W, C) with at least one test image was "
            "expected"
        )
    if images.dtype.kind in "biu":
        raise ValueError(
            f"images: {images.dtype} came, floating-point values in [0, 1] were expected; divide "
            "by 255"
        )
    count, classes = len(images), len(class_names)
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"labels: {labels.dtype} of shape {labels.shape} came, one integer for each of {count} "
            "images was expected"
        )
    if probabilities.shape != (count, classes):
        raise ValueError(
            f"probabilities: shape {probabilities.shape} came, {(count, classes)} was expected: a "
            "row per image, a column per class name"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels: {labels.min()} to {labels.max()} came, 0 to {classes - 1} was expected; give "
            "a name for every class"
        )
    if not np.isfinite(probabilities).all():
        raise ValueError(
            f"probabilities: {np.sum(~np.isfinite(probabilities))} of {probabilities.size} are not "
            "finite; the parameters may not be either"
        )
    if filters is not None and np.ndim(filters) != 4:
        raise ValueError(
            f"filters: shape {np.shape(filters)} came, (H, W, in, out) was expected; give None for "
            "a net without a 2-D convolution"
        )
    for row in history:
        if missing := [key for key in history_keys(history[:1]) if key not in row]:
            raise ValueError(f"history: a row has no {', '.join(missing)}; it has {', '.join(row)}")
