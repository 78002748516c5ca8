"""Read weights that others trained, say what became of each array, and write them as jconv's.

    jconv weights resnet18.pth --net resnet18 --out resnet18.safetensors
    jconv weights lenet.caffemodel --net lenet_train_test.prototxt --in-shape 28 28 1
        a net of Caffe, by its own definition
    jconv weights model.onnx --out model.safetensors --check photos
        and compare every layer with ONNX's own evaluator, on images

Prints a line per array: its path and shape here, what it was called there, and what was done to it;
then the conventions met. The file that --out names holds the net, the shape of its images, its
classes and its pixel scale, so that every other command takes it without further options. --check
takes images, or folders of them, and names the first layer that differs: of PyTorch's files with
torch and torchvision or timm installed, of ONNX's with onnx. A few seconds for a ResNet-50. Exit
code 1 where --check finds a difference, 2 for a file that cannot be read, with what is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from rich import box
from rich.table import Table

from jconv import InputError
from jconv.cli.backend import Backend, use_backend
from jconv.cli.command import command, console, parse
from jconv.cli.trained import TrainedOptions
from jconv.data.image import image_files, read_image
from jconv.data.pixels import scaled
from jconv.files import check_writable
from jconv.models.trained import load_trained
from jconv.weights import Reading, save_weights

MOST = 8  # images that are compared


@dataclass(frozen=True, kw_only=True)
class Options(TrainedOptions):
    out: Path | None = None
    """Where to write them as jconv's own: a .safetensors file."""
    check: tuple[Path, ...] = ()
    """Images, or folders of them, on which to compare every layer with the framework that the file
    is of.
    """
    backend: Backend = "auto"
    """What computes; by itself jax takes an accelerator that it finds."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = parse(Options, argv, prog="jconv weights", doc=__doc__)
    use_backend(options.backend)
    if options.out is not None:
        check_writable(options.out, "--out")
    reading = load_trained(options.weights, **options.trained())
    out = console()
    out.print(_table(reading))
    weights = reading.weights
    out.print(
        f"{reading.format}: {weights.net.out_shape(weights.in_shape)[-1]:,} classes, images of "
        f"{'x'.join(map(str, weights.in_shape))}, pixels as {weights.pixels}",
        soft_wrap=True,
    )
    for note in reading.notes:
        out.print(f"- {note}", soft_wrap=True)
    code = 0
    if options.check:
        code = _checked(options, reading)
    if options.out is not None:
        save_weights(options.out, weights)
        out.print(f"written: {options.out}", soft_wrap=True)
    return code


def _checked(options: Options, reading: Reading) -> int:
    """Compare every layer with the framework of the file; the exit code."""
    from jconv.weights.comparing import STEPS, compare

    steps = STEPS.get(reading.format)
    if steps is None:
        raise InputError(
            f"--check: a file of {reading.format} has no framework to compare with here; "
            f"{' and '.join(STEPS)} have. `jconv evaluate` says how many images it gets right"
        )
    weights, out = reading.weights, console()
    paths = list(image_files(options.check))[:MOST]
    pixels = np.stack([read_image(path, weights.in_shape) for path in paths])
    images = np.asarray(scaled(jnp.asarray(pixels), weights.pixels))
    found = compare(weights, steps(options.weights, reading, images), images)
    if found.first is not None:
        out.print(f"check: {found.first} {found.words}", soft_wrap=True)
        return 1
    path, apart = max(found.rows, key=lambda row: row[1])
    out.print(
        f"check: {len(found.rows)} layers agree with {reading.format} on {len(images)} images; "
        f"{path} differs most, by {apart:.1e} of its largest value",
        soft_wrap=True,
    )
    return 0


def _table(reading: Reading) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("array", overflow="fold")  # a path that is cut says nothing
    table.add_column("shape", justify="right")
    table.add_column("from", overflow="fold")
    table.add_column("shape there", justify="right")
    table.add_column("what was done")
    sizes = lambda shape: "x".join(map(str, shape))
    for path, shape, source, came, how in reading.origins:
        table.add_row(path, sizes(shape), source, "" if came == shape else sizes(came), how)
    return table


if __name__ == "__main__":
    sys.exit(main())
