"""Evaluate a trained network all over an image larger than it was made for, in one pass, and draw
the map of its answers.

    jconv dense runs/lenet5-digits-20260101-120000 page.png
    jconv dense runs/lenet5-digits-20260101-120000 page.png --stride 2 --out map.png
    jconv dense runs/lenet5-digits-20260101-120000 page.png --compare
    jconv dense net.caffemodel photo.jpg --net deploy.prototxt --labels names.txt

Its dense layers are turned into convolutions, so that windows share their work. Positions lie the
network's total stride apart; a finer --stride takes one pass for each shift of the image. Prints
the average over all positions and writes the map. A few seconds for LeNet-5. --compare takes every
crop of the network's own size too, and prints what both ways cost and how far they differ. VGG-16
over 384x384 pixels against its 36 crops, in batches of 36 on two cores of an AMD EPYC (jax 0.10.2):
11.24 times fewer multiply-adds, 10.27 times faster (0.73 s, 7.5 s); its padding makes the scores
differ. Exit code 2 for a missing run, an unreadable image, or one smaller than the network's own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from jconv import convolutionalize, dense_scores, net_field, shift_and_stitch, summary
from jconv.analysis.table import UNKNOWN
from jconv.cli.backend import Backend, use_backend
from jconv.cli.command import command, console, parse
from jconv.cli.trained import TrainedOptions
from jconv.data.image import read_image
from jconv.errors import InputError
from jconv.files import check_writable
from jconv.geometry import Shape
from jconv.models.trained import load_trained
from jconv.train import make_predict, probabilities
from jconv.train.step import as_input
from jconv.weights import Weights

TOP = 5
AT_ONCE = 36  # crops in one batch


@dataclass(frozen=True, kw_only=True)
class Options(TrainedOptions):
    image: tyro.conf.Positional[Path]
    """Image file, at least as large as the network's input."""
    stride: int = 0
    """Pixels between positions; a divisor of the network's total stride, which is the default."""
    out: Path = Path("map.png")
    """Where to write the picture."""
    compare: bool = False
    """Time the same positions crop by crop as well, three times each."""
    backend: Backend = "auto"
    """What computes; by itself jax takes an accelerator that it finds."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = parse(Options, argv, prog="jconv dense", doc=__doc__)
    use_backend(options.backend)
    weights = load_trained(options.weights, **options.trained()).weights
    check_writable(options.out, "--out")
    image = fitting(read_image(options.image), weights.in_shape, options.image)
    net, params = convolutionalize(weights.net, weights.params, weights.in_shape)
    x = as_input(jnp.asarray(image), pixels=weights.pixels)
    stride = options.stride or net_field(net, image.shape)[0].jump
    passes = partial(
        shift_and_stitch,
        net,
        params,
        weights.state,
        x,
        stride,
        scores=jax.jit(dense_scores, static_argnums=0),
    )
    scores = passes()
    found = probabilities(np.asarray(scores).reshape(-1, scores.shape[-1])).reshape(scores.shape)
    out = console()
    height, width = scores.shape[:2]
    out.print(
        f"{options.image}: {width}x{height} positions, {stride} pixels apart; the most probable on "
        "average:",
        soft_wrap=True,
    )
    mean = found.mean(axis=(0, 1))
    for label in np.argsort(-mean)[:TOP]:
        out.print(f"  {mean[label]:7.2%}  {weights.class_names[label]}")
    if options.compare:
        each = [
            summary(net, shape).totals.macs
            for shape in shifted(x.shape, net_field(net, image.shape)[0].jump, stride)
        ]
        macs = None if None in each else sum(each)
        out.print(comparison(weights, x, stride, passes, macs), soft_wrap=True)
    draw(options.out, image, found, weights.class_names)
    out.print(f"map: {options.out}", soft_wrap=True)
    return 0


def fitting(image: np.ndarray, in_shape: tuple[int, ...], path: Path) -> np.ndarray:
    """The image with the network's channels. Raises InputError when it is smaller than the
    network's own.
    """
    height, width, channels = in_shape
    if image.shape[0] < height or image.shape[1] < width:
        raise InputError(
            f"{path}: is {image.shape[1]}x{image.shape[0]}, at least {width}x{height} was "
            "expected; `jconv predict` resizes"
        )
    if image.shape[-1] == channels:
        return image
    return read_image(path, (*image.shape[:2], channels))


def shifted(shape: Shape, jump: int, stride: int) -> list[Shape]:
    """The shapes of the images that `shift_and_stitch` passes."""
    return [
        (shape[0] - i, shape[1] - j, shape[2])
        for i in range(0, jump, stride)
        for j in range(0, jump, stride)
    ]


def comparison(
    weights: Weights, x: jax.Array, stride: int, passes: Callable[[], jax.Array], macs: int | None
) -> str:
    """What the dense passes, of so many multiply-adds (None: unknown), cost against crops at the
    same positions, and how scores differ.
    """
    (height, width, _), size = weights.in_shape, passes().shape
    rows, columns = (
        min(n, (a - b) // stride + 1)
        for n, a, b in zip(size, x.shape, (height, width), strict=False)
    )
    corners = [(i * stride, j * stride) for i in range(rows) for j in range(columns)]
    crops = jnp.stack([x[i : i + height, j : j + width] for i, j in corners])
    predict = make_predict(weights.net)
    parts = [crops[i : i + AT_ONCE] for i in range(0, len(crops), AT_ONCE)]
    single = lambda: jnp.concatenate(
        [predict(weights.params, weights.state, part) for part in parts]
    )
    scores, expected = passes()[:rows, :columns].reshape(len(crops), -1), single()
    # in turn, so that both meet the same machine
    seconds = [[timed(way) for way in (passes, single)] for _ in range(3)]
    dense, alone = (min(column) for column in zip(*seconds, strict=True))
    one = summary(weights.net, weights.in_shape).totals.macs
    whole = one and len(crops) * one
    count = lambda n: UNKNOWN if n is None else f"{n:,}"
    fewer = f"{whole / macs:.2f} times fewer and " if whole and macs else ""
    apart = float(jnp.abs(scores - expected).max() / jnp.abs(expected).max())
    return "\n".join(
        [
            f"dense: {count(macs)} multiply-adds, {dense:.4g} s; {len(crops)} crops: "
            f"{count(whole)}, {alone:.4g} s",
            f"that is {fewer}{alone / dense:.2f} times faster; scores differ by {apart:.1e} of the "
            "largest"
            + ("" if apart < 1e-3 else ", as padding shows a crop zeros where the image goes on"),
        ]
    )


def timed(f: Callable[[], jax.Array]) -> float:
    """Seconds that one call takes."""
    start = perf_counter()
    jax.block_until_ready(f())
    return perf_counter() - start


def draw(path: Path, image: np.ndarray, found: np.ndarray, class_names: Sequence[str]) -> None:
    from jconv.view.maps import score_map  # matplotlib, which takes a second to import

    try:
        unfinished = path.with_name(f".{path.name}.unfinished.png")
        score_map(image, found, class_names).savefig(unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error}); choose another --out") from None


if __name__ == "__main__":
    sys.exit(main())
