"""A network of Caffe as a net of jconv: its input, its output, and what lies between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...data.pixels import UNIT, PixelScale
from ...errors import InputError
from ...geometry import Shape
from ..graph import Assembled, Graph, assemble
from ..native import Weights
from ..reading import Reading, SizeUnknown, as_reading, numbered
from .building import Building
from .definition import DATA, Definition, Spec, read_caffemodel, read_definition
from .layers import KINDS

# kinds that come after the scores
ENDS = ("Accuracy", "ArgMax", "Silence", "HDF5Output")
LARGEST = 512  # side of a square image that is tried where the files do not say


def read_caffe(
    model: Path | None,
    definition: Path | None,
    *,
    in_shape: Shape = (),
    channels: str = "bgr",
) -> Reading:
    """The net and the weights of a .caffemodel, of a .prototxt, or of both: then the weights of the
    first for the net of the second.

    `in_shape` is needed where the files do not say how large images are; `channels` is the order in
    which the net was given colours, "bgr" or "rgb". Without a .caffemodel there are no parameters.
    Raises InputError.
    """
    if channels not in ("bgr", "rgb"):
        raise InputError(f"channels={channels!r}: 'bgr' or 'rgb' was expected")
    trained = read_caffemodel(model) if model else None
    defined = read_definition(definition) if definition else trained
    assert defined is not None
    blobs = {spec.name: spec.blobs for spec in trained.layers} if trained else None
    source, shape = _source(defined)
    if in_shape:
        shape = (in_shape[-1], *in_shape[:-1])
    if not shape:
        shape = _fitting(defined, blobs, source, channels)
    found, building = _build(defined, blobs, source, shape, channels)
    net, size = found.net, (*shape[1:], shape[0])
    pixels, notes = _pixels(defined, shape[0], channels)
    notes += building.notes
    if blobs and shape[0] == 3 and channels == "bgr":
        notes.append(
            "images come as blue, green, red: the input channels of the first are reversed"
        )
    if blobs and definition:
        known = {spec.name for spec in defined.layers}
        if left := [name for name, arrays in blobs.items() if arrays and name not in known]:
            notes.append(f"not in the definition, left out: {', '.join(left)}")
    if blobs is None:
        notes.append("there are no weights in it")
        names = numbered(net, size)
        return Reading(Weights(net, size, names, {}, {}, pixels), (), tuple(notes), "Caffe")
    trees = {"params": found.params, "state": found.state}
    return as_reading(net, size, trees, "Caffe", notes, pixels)


def _source(defined: Definition) -> tuple[str, Shape]:
    """The value that holds the images, and its shape (C, H, W), () where it is not said."""
    if not defined.inputs:
        raise InputError(f"{defined.where}: has no input and no data layer")
    name, shape = next(iter(defined.inputs.items()))
    if shape and (len(shape) != 3 or min(shape) < 1):
        raise InputError(
            f"{defined.where}: the input {name!r} has shape {shape}, (channels, height, width) was "
            "expected"
        )
    return name, shape


def _transform(defined: Definition) -> Any:
    """The transformation of the images, by the data layer or, in the older forms, inside it."""
    for spec in defined.layers:
        if spec.kind in DATA and spec.of.HasField("transform_param"):
            return spec.of.transform_param
        for name in ("data_param", "image_data_param"):
            if spec.kind in DATA and spec.of.HasField(name) and getattr(spec.of, name).scale:
                return getattr(spec.of, name)
    return None


def _pixels(defined: Definition, channels: int, order: str) -> tuple[PixelScale, list[str]]:
    """Caffe takes (value - mean) * scale of values from 0 to 255."""
    transform = _transform(defined)
    notes: list[str] = []
    if transform is None:
        notes.append(
            "says nothing of the scale of pixels: values from 0 to 255 are assumed; another one is "
            "pixel_mean and pixel_std, for (value/255 - mean) / std"
        )
        return PixelScale((0.0,), (1 / 255,)), notes
    scale = transform.scale or 1.0
    mean = list(getattr(transform, "mean_value", ()))
    if len(mean) not in (0, 1, channels):
        raise InputError(
            f"{defined.where}: mean_value has {len(mean)} numbers for {channels} channels"
        )
    if order == "bgr" and channels == 3:
        mean = mean[::-1]
    if transform.mean_file:
        notes.append(
            f"subtracts the mean image of {transform.mean_file}, which is not read: give the mean "
            "of its channels, over 255, as pixel_mean"
        )
    return PixelScale(tuple(m / 255 for m in mean) or UNIT.mean, (1 / (255 * scale),)), notes


def _fitting(
    defined: Definition,
    blobs: Mapping[str, Sequence[np.ndarray]] | None,
    source: str,
    channels: str,
) -> Shape:
    """The one shape that the weights fit, where the files do not say it. Raises InputError."""
    first = next((s for s in defined.layers if source in s.of.bottom), None)
    arrays = blobs.get(first.name, ()) if blobs and first else ()
    transform = _transform(defined)
    depth = None
    if first is not None and first.kind == "Convolution" and arrays and arrays[0].ndim == 4:
        depth = arrays[0].shape[1] * max(1, first.of.convolution_param.group)
    elif transform is not None and len(getattr(transform, "mean_value", ())) == 3:
        depth = 3
    side = transform.crop_size if transform is not None else 0
    if side:  # images in colour are cropped
        return (depth or 3, side, side)
    fit = []
    if depth and blobs and any(spec.kind == "InnerProduct" for spec in defined.layers):
        for n in range(1, LARGEST):
            try:
                _build(defined, blobs, source, (depth, n, n), channels)
            except InputError:
                continue
            fit.append(n)
    if len(fit) == 1:
        return (depth or 0, fit[0], fit[0])
    sides = f"; its weights fit images of {' or '.join(map(str, fit))} pixels" if fit else ""
    raise SizeUnknown(
        f"{defined.where}: does not say how large images are{sides}; give in_shape, height, width "
        "and channels"
    )


def _build(
    defined: Definition,
    blobs: Mapping[str, Sequence[np.ndarray]] | None,
    source: str,
    shape: Shape,
    channels: str,
) -> tuple[Assembled, Building]:
    """The net of a definition for images of one shape (C, H, W). Raises InputError."""
    graph = Graph(defined.where)
    reverse = np.arange(3)[::-1] if shape[0] == 3 and channels == "bgr" else None
    graph.begin(source, (*shape[1:], shape[0]), reverse)
    kept = [spec for spec in defined.layers if spec.kind not in DATA]
    ends = [spec for spec in kept if spec.kind in ENDS or spec.kind.endswith(("Loss", "WithLoss"))]
    kept = [spec for spec in kept if spec not in ends]
    # a softmax that nothing takes but an end says the same as the scores
    uses = _uses(kept)
    last = [s for s in kept if s.kind == "Softmax" and not any(top in uses for top in s.of.top)]
    kept = [spec for spec in kept if spec not in last]
    uses = _uses(kept)
    single = frozenset(name for name, count in uses.items() if count == 1)
    building = Building(graph, blobs, single=single)
    if last:
        building.notes.append(f"{last[-1].name}: the softmax is left out, scores are the output")
    for place, spec in enumerate(kept):
        handler = KINDS.get(spec.kind)
        if handler is None:
            raise InputError(
                f"{defined.where}: layer {place + 1}, {spec.name!r}, is a {spec.kind!r}; layers "
                f"that can be read are {', '.join(KINDS)}"
            )
        if not spec.of.bottom or not spec.of.top:
            raise InputError(f"{defined.where}: {spec.kind} {spec.name!r} has no bottom or no top")
        handler(building, spec)
    if not graph.nodes:
        raise InputError(f"{defined.where}: has no layers between its input and its output")
    return assemble(graph, source, _sink(kept, uses, [*last, *ends], graph)), building


def _uses(layers: Sequence[Spec]) -> Counter[str]:
    """How many layers take each value, those apart that write over it."""
    return Counter(b for spec in layers for b in set(spec.of.bottom) - set(spec.of.top))


def _sink(kept: Sequence[Spec], uses: Mapping[str, int], ends: Sequence[Spec], graph: Graph) -> str:
    """The last value that no layer takes, but for those that come after the scores."""
    wanted = [b for spec in ends for b in spec.of.bottom if b in graph.current]
    made = [top for spec in kept for top in spec.of.top if top not in uses]
    candidates = [top for top in made if top in wanted] or made
    if not candidates:
        raise InputError(f"{graph.where}: has no output, each layer's is taken by another: a cycle")
    return candidates[-1]
