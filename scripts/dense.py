"""Evaluate a trained network all over an image larger than it was made for, in one pass, and draw the map of its answers.

    jconv dense runs/lenet5-digits-20260101-120000 page.png
    jconv dense runs/lenet5-digits-20260101-120000 page.png --stride 2 --out map.png

Its dense layers are turned into convolutions, so that windows share their work. Positions lie the network's total stride apart;
a finer --stride takes one pass for each shift of the image. Prints the average over all positions and writes the map. A few
seconds for LeNet-5. Exit code 2 for a missing run, an unreadable image, or one smaller than the network's own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import tyro
from rich.console import Console

from jconv import convolutionalize, dense_scores, net_field, shift_and_stitch
from jconv.command import command
from jconv.data.image import read_image
from jconv.errors import InputError
from jconv.train import probabilities
from jconv.train.run import open_run
from jconv.train.step import as_input
from jconv.weights import load_weights

TOP = 5


@dataclass(frozen=True)
class Options:
    run: tyro.conf.Positional[Path]
    """Folder of a finished training."""
    image: tyro.conf.Positional[Path]
    """Image file, at least as large as the network's input."""
    stride: int = 0
    """Pixels between positions; a divisor of the network's total stride, which is the default."""
    out: Path = Path("map.png")
    """Where to write the picture."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = tyro.cli(Options, prog="jconv dense", description=__doc__, args=argv)
    weights = load_weights(open_run(options.run, "weights.safetensors").weights)
    image = fitting(read_image(options.image), weights.in_shape, options.image)
    net, params = convolutionalize(weights.net, weights.params, weights.in_shape)
    x = as_input(jax.numpy.asarray(image))
    stride = options.stride or net_field(net, image.shape)[0].jump
    scores = shift_and_stitch(net, params, weights.state, x, stride, scores=jax.jit(dense_scores, static_argnums=0))
    found = probabilities(np.asarray(scores).reshape(-1, scores.shape[-1])).reshape(scores.shape)
    console = Console(highlight=False)
    height, width = scores.shape[:2]
    console.print(f"{options.image}: {width}x{height} positions, {stride} pixels apart; the most probable on average:", soft_wrap=True)
    mean = found.mean(axis=(0, 1))
    for label in np.argsort(-mean)[:TOP]:
        console.print(f"  {mean[label]:7.2%}  {weights.class_names[label]}", markup=False)
    draw(options.out, image, found, weights.class_names)
    console.print(f"map: {options.out}", soft_wrap=True)
    return 0


def fitting(image: np.ndarray, in_shape: tuple[int, ...], path: Path) -> np.ndarray:
    """The image with the network's channels. Raises InputError when it is smaller than the network's own."""
    height, width, channels = in_shape
    if image.shape[0] < height or image.shape[1] < width:
        raise InputError(f"{path}: is {image.shape[1]}x{image.shape[0]}, at least {width}x{height} was expected; `jconv predict` resizes")
    if image.shape[-1] == channels:
        return image
    return read_image(path, (*image.shape[:2], channels))


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
