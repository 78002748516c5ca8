"""Open the live pages in a browser: a net that trains while you watch and change it, and a
convolution to step through by hand.

    jconv demo
        a small net on 1,797 handwritten digits
    jconv demo --data cifar10 --download
        ConvNetJS's own net on CIFAR-10
    jconv demo --model "INPUT32x32x1 -> CONV3-8 -> RELU -> POOL -> FC-10"
    jconv demo --weights runs/lenet5-digits-20260101-120000
        a training or a file of weights, paused, to look into and to train further

Prints the address once the pages are there, after a few seconds; the first net trains as soon as it
is compiled. Only this machine can reach it. Ctrl-C ends it and saves the net in --out, where
`jconv demo --weights` takes it up again, and exits with 130. Exit code 2 for a port in use, images
that are not there, or a net that does not fit them.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jconv.cli.backend import Backend, use_backend
from jconv.cli.command import command, console, parse
from jconv.data import Dataset, load
from jconv.data.augmentation import Augmentation, Flip
from jconv.edit.head import with_classes
from jconv.errors import InputError
from jconv.files import new_folder
from jconv.geometry import Shape
from jconv.layer import Layer
from jconv.models import build, pixel_scale
from jconv.models.trained import load_trained
from jconv.optimizer import Optimizer
from jconv.train.update import UpdateSettings
from jconv.weights import Weights, save_weights

GRAY = "INPUT{0} -> CONV5-8 -> RELU -> POOL2 -> CONV5-16 -> RELU -> POOL2 -> FC-{1}"
PRESETS = {
    "two convolutions": GRAY,
    "three, as ConvNetJS's CIFAR-10 net": (
        "INPUT{0} -> CONV5-16 -> RELU -> POOL2 -> CONV5-20 -> RELU -> POOL2 -> CONV5-20 -> RELU "
        "-> POOL2 -> FC-{1}"
    ),
    "with batch norm": "INPUT{0} -> [CONV3-16(bias=False) -> BN -> RELU -> POOL2]*2 -> FC-{1}",
    "two hidden layers, no convolution": "INPUT{0} -> [FC-64 -> RELU]*2 -> FC-{1}",
    "a linear classifier": "INPUT{0} -> FC-{1}",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    model: str | None = None
    """The net: a name of jconv.models, a pattern, or FILE.py:FUNCTION. By default a small one."""
    weights: Path | None = None
    """The folder of a training, or a file of weights, to open instead of training a new net."""
    data: str = "digits"
    """The images: as for `jconv train`."""
    data_dir: Path | None = None
    """Where they are; without it the user's folder for caches."""
    download: bool = False
    """Fetch what is missing of those that can be fetched."""
    resize: bool = False
    """Fit images to the net's input."""
    optimizer: Optimizer = "momentum"
    """The rule that turns gradients into updates."""
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-4
    batch_size: int = 32
    """Images in a step: a power of 2 up to 128."""
    shift: int = 2
    """Move each training image by up to this many pixels."""
    flip: Flip = "none"
    """Mirror training images."""
    seed: int = 0
    """Of the first weights, the order of the images, and what is shown."""
    port: int = 8000
    """Where the pages are on this machine; 0 takes any that is free."""
    open: bool = False
    """Show the page in the browser."""
    out: Path | None = None
    """Folder for the net when the demo ends; runs/demo-DATA-TIME when not given."""
    backend: Backend = "auto"
    """What computes; by itself jax takes an accelerator that it finds."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = parse(Options, argv, prog="jconv demo", doc=__doc__)
    try:
        from jconv.demo.serving import serve
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is needed for the demo and is not installed: pip install 'jconv[demo]'"
        ) from None
    use_backend(options.backend)
    listening = listen(options.port)
    with listening:
        weights = load_trained(options.weights).weights if options.weights else None
        data = images(options, weights)
        shape, classes = data.train.images.shape[1:], len(data.class_names)
        net = weights.net if weights else wanted_net(options.model, shape, classes)
        own = pixel_scale(options.model) if options.model else None
        if own is not None:
            data = data._replace(pixels=own)
        out = console()
        title = f"{options.weights or options.model or 'a small net'} on {options.data}"
        update = UpdateSettings(
            options.optimizer, options.learning_rate, options.momentum, options.weight_decay
        )
        ended = serve(
            listening,
            data,
            net,
            update,
            batch=options.batch_size,
            augmentation=Augmentation(shift=options.shift, flip=options.flip),
            weights=weights,
            seed=options.seed,
            title=title,
            presets=fitting_presets(shape, classes),
            ready=lambda address: ready(address, options.open),
        )
    if ended.net is None:
        out.print("\nnothing was trained yet, so nothing is saved")
    else:
        with new_folder(
            options.out, f"demo-{options.data}-{datetime.now():%Y%m%d-%H%M%S}"
        ) as folder:
            save_weights(folder / "weights.safetensors", ended.net)
            out.print(f"\nsaved: {folder / 'weights.safetensors'}", soft_wrap=True)
    code = 128 + ended.number if ended.number else 0
    if ended.busy:  # python would wait for a compilation to end
        sys.stdout.flush()
        os._exit(code)
    return code


def ready(address: str, show: bool) -> None:
    out = console()
    out.print(f"{address}  (Ctrl-C ends)", soft_wrap=True)
    sys.stdout.flush()
    if show:
        webbrowser.open(address)


def listen(port: int) -> socket.socket:
    """A socket of this machine alone. Raises InputError for a port that is taken."""
    if not 0 <= port < 2**16:
        raise InputError(f"port={port}: 0 to 65535 was expected")
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        why = {errno.EADDRINUSE: "is in use", errno.EACCES: "is not for users"}
        raise InputError(
            f"port={port}: {why.get(error.errno or 0, str(error))}; choose another port, or "
            "port=0 for any that is free"
        ) from None
    return listening


def images(options: Options, weights: Weights | None) -> Dataset:
    """The images, of the size that the net takes where --resize says so. Raises InputError."""
    shape: Shape = weights.in_shape if weights else ()
    if not shape and options.model:
        shape = build(options.model)[1]
    fitted = shape if shape and (options.resize or options.data in ("digits", "folder")) else None
    data = load(
        options.data,
        options.data_dir,
        fitted,
        download=options.download,
        resident_bytes=sys.maxsize,
    )
    came = data.train.images.shape[1:]
    if shape and came != shape:
        raise InputError(
            f"data={options.data}: images of {came} came, the net takes {shape}; resize=True fits "
            "them"
        )
    return data


def written(preset: str, shape: Shape, classes: int) -> str:
    """The pattern of a preset for these images."""
    return preset.format("x".join(map(str, shape)), classes)


def fitting_presets(shape: Shape, classes: int) -> dict[str, str]:
    """The patterns of PRESETS, by name, but for those whose windows do not fit."""
    found = {}
    for name, preset in PRESETS.items():
        text = written(preset, shape, classes)
        with suppress(InputError):
            build(text)
            found[name] = text
    return found


def wanted_net(model: str | None, shape: Shape, classes: int) -> Layer:
    """The net of the options, with a score for each class."""
    if model is None:
        text = PRESETS["three, as ConvNetJS's CIFAR-10 net"] if shape[-1] == 3 else GRAY
        return build(written(text, shape, classes))[0]
    net, _ = build(model, classes=classes)
    if net.out_shape(shape) != (classes,):
        net = with_classes(net, classes)
    return net


if __name__ == "__main__":
    sys.exit(main())
