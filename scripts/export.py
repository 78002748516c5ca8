"""Write a trained network for other programs, and check the file by running it.

    jconv export runs/lenet5-digits-20260101-120000 --to onnx
        lenet5-digits-20260101-120000.onnx, for ONNX's runtimes
    jconv export resnet50.safetensors --to pytorch --out resnet50.safetensors
        a state dict, which torchvision's resnet50 takes by load_state_dict
    jconv export RUN --to stablehlo
        one function from pixels to scores, for jax without jconv, any number of images
    jconv export RUN --to convnetjs
        a snapshot that ConvNetJS loads in a browser
    jconv export RUN --to html
        a page that shows every layer at work on files, the camera and drawings, offline

ONNX and PyTorch take (batch, channels, height, width), StableHLO (batch, height, width, channels)
of values from 0 to 255. The names of the classes and the pixel scale are in the file, or in
FILE.json beside it; a page also holds a test image of each class, of a run whose images are at
hand. Prints how far the scores of the written file lie from those of the network, on an image of
noise. A few seconds. Exit code 2 for a network that a format cannot hold, with the path of the
layer.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jconv.cli.backend import Backend, use_backend
from jconv.cli.command import command, console, parse
from jconv.cli.trained import TrainedOptions
from jconv.data.pixels import scaled
from jconv.errors import InputError
from jconv.files import check_writable, write_text
from jconv.models.trained import load_trained
from jconv.weights import About, Weights, read_weights

FURTHEST = 1e-3  # of the largest score: what rounding in another order comes to


class Format(NamedTuple):
    suffix: str
    write: Callable[[Path, Weights, Path], str]  # the last: what it is read from; what to say
    run: Callable[[Path, Weights, np.ndarray], np.ndarray]  # scores of uint8 images by the file


def _write_onnx(path: Path, weights: Weights, _: Path) -> str:
    _needed("onnx", "weights")
    from jconv.weights.onnx.writer import write_onnx

    write_onnx(path, weights)
    return "input 'images' (batch, channels, height, width), scaled; output 'scores'"


def _run_onnx(path: Path, weights: Weights, images: np.ndarray) -> np.ndarray:
    from jconv.weights.onnx.evaluation import evaluate

    x = np.asarray(scaled(jnp.asarray(images), weights.pixels))
    (found,) = evaluate(path, np.moveaxis(x, -1, 1))
    return np.moveaxis(found, 1, -1)


def _write_torch(path: Path, weights: Weights, _: Path) -> str:
    from jconv.weights.torch_writer import write_torch

    whose = write_torch(path, weights)
    _beside(path, weights)
    return f"names as of {whose}; model.load_state_dict(safetensors.torch.load_file(FILE))"


def _run_read(path: Path, weights: Weights, images: np.ndarray) -> np.ndarray:
    about = About(net=weights.net, in_shape=weights.in_shape)
    return _scores(read_weights(path, about).weights._replace(pixels=weights.pixels), images)


def _write_stablehlo(path: Path, weights: Weights, _: Path) -> str:
    from jconv.weights.stablehlo import write_stablehlo

    return f"jax.export.deserialize(bytes).call(images); open are {write_stablehlo(path, weights)}"


def _run_stablehlo(path: Path, weights: Weights, images: np.ndarray) -> np.ndarray:
    return np.asarray(jax.export.deserialize(bytearray(path.read_bytes())).call(images))


def _write_convnetjs(path: Path, weights: Weights, _: Path) -> str:
    from jconv.weights.convnetjs import write_convnetjs

    write_convnetjs(path, weights)
    return "new convnetjs.Net().fromJSON(snapshot)"


def _write_html(path: Path, weights: Weights, source: Path) -> str:
    _needed("jinja2", "train")
    from jconv.view.standalone import write_standalone

    examples = _examples(source, weights) if source.is_dir() else []
    write_standalone(path, weights, examples)
    size = path.stat().st_size / 2**20
    return f"{size:.2f} MiB, {len(examples)} test images; compares its scores with JAX's itself"


def _examples(run: Path, weights: Weights) -> list[tuple[np.ndarray, str]]:
    """A test image of each class, of ten at most; none where they are not at hand."""
    from jconv.data.views import centred
    from jconv.train.chosen import chosen_images
    from jconv.train.run import open_run, read_config

    try:
        options, _ = read_config(open_run(run))
        data = chosen_images(options, weights.in_shape, test_only=True)
        labels = np.asarray(data.test.labels)
        first = np.array([np.flatnonzero(labels == k)[0] for k in np.unique(labels)[:10]])
        images = np.asarray(centred(jnp.asarray(data.test.images[first]), weights.in_shape))
    except InputError:  # moved since, or never downloaded here
        return []
    return [(image, data.class_names[labels[i]]) for image, i in zip(images, first, strict=True)]


def _run_html(path: Path, weights: Weights, images: np.ndarray) -> np.ndarray:
    from jconv.view.standalone import evaluate

    return evaluate(path, images)


FORMATS = {
    "pytorch": Format(".safetensors", _write_torch, _run_read),
    "stablehlo": Format(".stablehlo", _write_stablehlo, _run_stablehlo),
    "onnx": Format(".onnx", _write_onnx, _run_onnx),
    "convnetjs": Format(".json", _write_convnetjs, _run_read),
    "html": Format(".html", _write_html, _run_html),
}


@dataclass(frozen=True, kw_only=True)
class Options(TrainedOptions):
    to: Literal["pytorch", "stablehlo", "onnx", "convnetjs", "html"]
    """The format."""
    backend: Backend = "auto"
    """What computes; by itself jax takes an accelerator that it finds."""
    out: Path | None = None
    """The file; by default the network's own name with the format's suffix, in this folder."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = parse(Options, argv, prog="jconv export", doc=__doc__)
    use_backend(options.backend)
    form = FORMATS[options.to]
    path = options.out or Path(options.weights.name).with_suffix(form.suffix)
    if path.exists() and path.resolve() == options.weights.resolve():
        raise InputError(f"--out {path}: is what is read; choose another")
    check_writable(path, "--out")
    weights = load_trained(options.weights, **options.trained()).weights
    said = form.write(path, weights, options.weights)
    images = np.random.default_rng(0).integers(0, 256, (2, *weights.in_shape), dtype=np.uint8)
    here, there = _scores(weights, images), form.run(path, weights, images)
    if options.to == "convnetjs":  # it ends with a softmax, which reading leaves out
        said = f"{said}; outputs are probabilities"
    apart = float(np.abs(here - there).max() / max(np.abs(here).max(), 1e-30))
    out = console()
    out.print(f"written: {path}", soft_wrap=True)
    out.print(said, soft_wrap=True)
    out.print(f"scores of the file, of noise: {apart:.1e} of the largest from the network's")
    if not apart < FURTHEST:
        raise InputError(f"{path}: gives other scores than the network, {apart:.1e} of the largest")
    return 0


def _scores(weights: Weights, images: np.ndarray) -> np.ndarray:
    x = scaled(jnp.asarray(images), weights.pixels)
    return np.asarray(jax.jit(weights.net.apply)(weights.params, weights.state, x)[0])


def _beside(path: Path, weights: Weights) -> None:
    """The shape of images, the classes and the pixel scale, where the file has no room for them."""
    about = {
        "in_shape": weights.in_shape,
        "class_names": weights.class_names,
        "pixel_mean": weights.pixels.mean,
        "pixel_std": weights.pixels.std,
    }
    write_text(path.with_name(path.name + ".json"), json.dumps(about))


def _needed(package: str, extra: str) -> None:
    try:
        __import__(package)
    except ModuleNotFoundError:
        raise InputError(
            f"{package} is needed to write this and is not installed: pip install 'jconv[{extra}]'"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
