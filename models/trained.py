"""A trained net from wherever it is: the folder of a run, or a file of weights of any format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jconv import InputError
from jconv.data.pixels import UNIT, PixelScale, as_pixel_scale
from jconv.geometry import Shape
from jconv.weights import About, Reading, read_weights
from jconv.weights.reading import SizeUnknown

from .own import is_pattern, load_run, own_layers


def load_trained(
    path: Path,
    *,
    net: str | None = None,
    variant: str | None = None,
    classes: int | None = None,
    in_shape: Sequence[int] = (),
    channels: str = "bgr",
    pixel_mean: Sequence[float] | None = None,
    pixel_std: Sequence[float] | None = None,
    labels: Path | None = None,
    modules: Mapping[str, str] | None = None,
    otherwise: Callable[[], Shape] | None = None,
) -> Reading:
    """The weights of a run's folder or of a file.

    `net` names the net that a file of PyTorch is of, as `build` takes it, or is the .prototxt of a
    .caffemodel. `otherwise` gives the shape of images where neither file, net nor `in_shape` says
    it. The pixel scale is that of `pixel_mean` and `pixel_std`, else the file's, else that which
    the net was published with. `labels` is a text file with the name of a class on each line.
    Raises InputError.
    """
    if path.is_dir() or not (path.exists() or path.suffix):  # a run, or meant as one
        reading = Reading(load_run(path), (), (), "jconv")
    else:
        reading = _from_file(path, net, variant, classes, in_shape, channels, modules, otherwise)
    weights = reading.weights
    if path.suffix == ".prototxt":
        raise InputError(
            f"{path}: defines a net and holds no weights; give the .caffemodel, and this as net. "
            "`jconv summary` tells of a definition"
        )
    if pixel_mean is not None or pixel_std is not None:
        pixels = as_pixel_scale(
            pixel_mean or UNIT.mean, pixel_std or UNIT.std, weights.in_shape[-1]
        )
        weights = weights._replace(pixels=pixels)
    if labels is not None:
        weights = weights._replace(class_names=read_labels(labels, len(weights.class_names)))
    return reading._replace(weights=weights)


def _from_file(
    path: Path,
    net: str | None,
    variant: str | None,
    classes: int | None,
    in_shape: Sequence[int],
    channels: str,
    modules: Mapping[str, str] | None,
    otherwise: Callable[[], Shape] | None,
) -> Reading:
    from . import build, pixel_scale  # this package, which is not whole yet when it is imported

    about = About(in_shape=tuple(in_shape), channels=channels, modules=modules or {})
    published: PixelScale | None = None
    if net is not None and net.endswith(".prototxt") and not is_pattern(net):
        about = about._replace(definition=Path(net))
    elif net is not None:
        built, shape = build(net, classes=classes, variant=variant, in_shape=in_shape)
        shape = shape or (otherwise() if otherwise else ())
        if not shape:
            raise InputError(f"{net}: says nothing of the size of an image; give in_shape")
        about = about._replace(net=built, in_shape=shape, own=own_layers(net))
        published = pixel_scale(net)
    try:
        reading = read_weights(path, about)
    except SizeUnknown:
        shape = otherwise() if otherwise else ()
        if not shape:
            raise
        reading = read_weights(path, about._replace(in_shape=shape))
    if published is not None and reading.format == "PyTorch":
        reading = reading._replace(weights=reading.weights._replace(pixels=published))
    return reading


def read_labels(path: Path, count: int) -> tuple[str, ...]:
    """The names of so many classes, one on each line. Raises InputError for another number."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text in UTF-8, a name on each line was expected") from None
    names = tuple(line.strip() for line in lines if line.strip())
    if len(names) != count:
        raise InputError(f"{path}: names {len(names):,} classes, the net has {count:,}")
    return names
