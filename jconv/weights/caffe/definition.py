"""Caffe's files as one list of layers of one form, whichever of its three forms they were written
in: the definition of a network (.prototxt, text) and trained weights (.caffemodel, bytes, which
hold a definition too).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from google.protobuf import text_format
from google.protobuf.message import DecodeError

from ...errors import InputError
from ...geometry import Shape
from .schema import net_parameter

# what the oldest form calls a layer, and the form before today's where the words differ otherwise
# than in capitals and underscores
OLDEST = {
    "conv": "Convolution",
    "pool": "Pooling",
    "innerproduct": "InnerProduct",
    "relu": "ReLU",
    "sigmoid": "Sigmoid",
    "tanh": "TanH",
    "bnll": "BNLL",
    "lrn": "LRN",
    "dropout": "Dropout",
    "softmax": "Softmax",
    "softmax_loss": "SoftmaxWithLoss",
    "hinge_loss": "HingeLoss",
    "euclidean_loss": "EuclideanLoss",
    "infogain_loss": "InfogainLoss",
    "multinomial_logistic_loss": "MultinomialLogisticLoss",
    "concat": "Concat",
    "flatten": "Flatten",
    "split": "Split",
    "accuracy": "Accuracy",
    "data": "Data",
    "images": "ImageData",
    "hdf5_data": "HDF5Data",
    "window_data": "WindowData",
    "padding": "Padding",
}
OLDER = {
    "RELU": "ReLU",
    "TANH": "TanH",
    "LRN": "LRN",
    "BNLL": "BNLL",
    "MVN": "MVN",
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
}
DATA = ("Data", "ImageData", "HDF5Data", "MemoryData", "DummyData", "WindowData", "Input")


class Spec(NamedTuple):
    """One layer, in today's form; `of` is its message LayerParameter, without its arrays."""

    of: Any
    blobs: tuple[np.ndarray, ...] = ()

    @property
    def name(self) -> str:
        return self.of.name

    @property
    def kind(self) -> str:
        return self.of.type


class Definition(NamedTuple):
    """A network of Caffe as it is tested."""

    where: str  # the file, for errors
    layers: tuple[Spec, ...]
    inputs: dict[str, Shape]  # (C, H, W) of one example; () where the file does not say


def read_definition(path: Path) -> Definition:
    """The network of a .prototxt. Raises InputError naming line, column and field."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in names
            net = text_format.Parse(text, net_parameter()())
    except text_format.ParseError as error:
        said = str(error).replace("jconv_caffe.", "")
        raise InputError(f"{path}: not a definition of a Caffe network: line {said}") from None
    except RecursionError:
        raise InputError(f"{path}: not a definition of a Caffe network: nested too deep") from None
    return _defined(str(path), net)


def read_caffemodel(path: Path) -> Definition:
    """The network and the arrays of a .caffemodel. Raises InputError."""
    try:
        found = _defined(str(path), net_parameter().FromString(path.read_bytes()))
    # names that are no text are met when they are looked at
    except (DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: not a whole .caffemodel ({error}); it was cut short or damaged, copy it again"
        ) from None
    if not any(layer.blobs for layer in found.layers):
        raise InputError(f"{path}: holds no weights; a .caffemodel that Caffe wrote was expected")
    return found


def _defined(where: str, net: Any) -> Definition:
    if net.layer and net.layers:
        raise InputError(
            f"{where}: has layers of two forms, `layer` and `layers`; one was expected"
        )
    everything = [_spec(where, layer) for layer in net.layer] or list(_older(where, net.layers))
    if not everything:
        raise InputError(f"{where}: defines no layers")
    layers = [spec for spec in everything if _included(spec.of, "TEST")]
    # a file of weights has the layers that were trained: its data come in by that phase alone
    if not any(spec.kind in DATA for spec in layers) and not net.input:
        trained = [spec for spec in everything if _included(spec.of, "TRAIN")]
        layers = [spec for spec in trained if spec.kind in DATA] + layers
    return Definition(where, tuple(layers), dict(_inputs(where, net, layers)))


def _spec(where: str, layer: Any) -> Spec:
    blobs = tuple(_array(where, layer.name, i, blob) for i, blob in enumerate(layer.blobs))
    bare = type(layer)()
    for field, value in layer.ListFields():
        if field.name == "blobs":
            continue
        if field.is_repeated:
            getattr(bare, field.name).MergeFrom(value)
        elif field.message_type:
            getattr(bare, field.name).CopyFrom(value)
        else:
            setattr(bare, field.name, value)
    return Spec(bare, blobs)


def _array(where: str, name: str, index: int, blob: Any) -> np.ndarray:
    """The numbers of a blob, in its shape. Raises InputError where they disagree."""
    wide = bool(blob.double_data)
    data = np.frombuffer(blob.double_data if wide else blob.data, np.uint8)
    if data.size % (8 if wide else 4):
        raise InputError(f"{where}: blob {index} of {name!r} is cut in the middle of a number")
    values = data.view("<f8" if wide else "<f4")
    if blob.HasField("shape"):
        shape = tuple(blob.shape.dim)
    else:  # four sizes, the first ones 1 where they are not needed
        shape = tuple(getattr(blob, axis) for axis in ("num", "channels", "height", "width"))
    if any(size < 0 for size in shape) or int(np.prod(shape, dtype=object)) != values.size:
        raise InputError(
            f"{where}: blob {index} of {name!r} holds {values.size:,} numbers, its shape {shape} "
            "says otherwise; the file was cut short or damaged, copy it again"
        )
    return values.reshape(shape)


def _older(where: str, layers: Any) -> Iterator[Spec]:
    """Layers of the two older forms in today's."""
    form = net_parameter()().layer
    padding: dict[str, tuple[str, int]] = {}  # the oldest form pads by a layer of its own
    for layer in layers:
        new = form.add()
        blobs = layer.blobs
        if layer.HasField("layer"):
            old = layer.layer
            if old.type not in OLDEST:
                raise InputError(
                    f"{where}: {old.name!r} is a {old.type!r}; layers of this form are "
                    f"{', '.join(OLDEST)}"
                )
            if old.type == "padding":
                padding[layer.top[0]] = (layer.bottom[0], old.pad)
                continue
            _from_oldest(new, old)
            blobs = old.blobs
        else:
            new.name = layer.name
            word = layer.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number[layer.type]
            new.type = OLDER.get(word.name, "".join(map(str.title, word.name.split("_"))))
            for field, value in layer.ListFields():
                if field.message_type and not field.is_repeated and field.name != "layer":
                    getattr(new, field.name).CopyFrom(value)
            for name in layer.param:
                new.param.add(name=name)
            new.include.MergeFrom(layer.include)
            new.exclude.MergeFrom(layer.exclude)
        new.bottom.extend(layer.bottom)
        new.top.extend(layer.top)
        for i, bottom in enumerate(new.bottom):
            if bottom in padding:
                new.bottom[i], pad = padding[bottom]
                kind = new.convolution_param.pad if new.type == "Convolution" else None
                if kind is None:
                    raise InputError(f"{where}: {new.name!r} is a {new.type} after padding")
                del kind[:]
                kind.append(pad)
        arrays = tuple(_array(where, new.name, i, blob) for i, blob in enumerate(blobs))
        yield Spec(new, arrays)


def _from_oldest(new: Any, old: Any) -> None:
    new.name, new.type = old.name, OLDEST[old.type]
    names = {  # of the settings that a kind of layer takes, in the oldest form and today's
        "Convolution": {
            "num_output": "num_output",
            "biasterm": "bias_term",
            "pad": "pad",
            "kernelsize": "kernel_size",
            "group": "group",
            "stride": "stride",
            "weight_filler": "weight_filler",
            "bias_filler": "bias_filler",
        },
        "InnerProduct": {
            "num_output": "num_output",
            "biasterm": "bias_term",
            "weight_filler": "weight_filler",
            "bias_filler": "bias_filler",
        },
        "Pooling": {"pool": "pool", "pad": "pad", "kernelsize": "kernel_size", "stride": "stride"},
        "LRN": {"local_size": "local_size", "alpha": "alpha", "beta": "beta", "k": "k"},
        "Dropout": {"dropout_ratio": "dropout_ratio"},
        "Concat": {"concat_dim": "concat_dim"},
        "Data": {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size"},
    }
    parameters = {
        "Convolution": "convolution_param",
        "InnerProduct": "inner_product_param",
        "Pooling": "pooling_param",
        "LRN": "lrn_param",
        "Dropout": "dropout_param",
        "Concat": "concat_param",
        "Data": "transform_param",
    }
    for theirs, ours in names.get(new.type, {}).items():
        if not old.HasField(theirs):
            continue
        target, value = getattr(new, parameters[new.type]), getattr(old, theirs)
        field = target.DESCRIPTOR.fields_by_name[ours]
        if field.is_repeated:
            getattr(target, ours).append(value)
        elif field.message_type:
            getattr(target, ours).CopyFrom(value)
        else:
            setattr(target, ours, value)


def _included(layer: Any, phase: str) -> bool:
    """Whether a layer is there in a phase, at level 0 and without stages, by Caffe's rules."""
    if layer.include:
        return any(_met(rule, phase) for rule in layer.include)
    return not any(_met(rule, phase) for rule in layer.exclude)


def _met(rule: Any, phase: str) -> bool:
    wanted = {0: "TRAIN", 1: "TEST"}[rule.phase]
    return (
        (not rule.HasField("phase") or wanted == phase)
        and rule.min_level <= 0
        and (not rule.HasField("max_level") or rule.max_level >= 0)
        and not rule.stage
    )


def _inputs(where: str, net: Any, layers: Sequence[Spec]) -> Iterator[tuple[str, Shape]]:
    """The values that come from outside, and the shape of one example, without its batch."""
    dims = list(net.input_dim)
    for i, name in enumerate(net.input):
        if i < len(net.input_shape):
            yield name, tuple(net.input_shape[i].dim)[1:]
        elif dims and len(dims) == 4 * len(net.input):
            yield name, tuple(dims[4 * i + 1 : 4 * i + 4])
        elif dims:
            raise InputError(f"{where}: {len(dims)} input_dim for {len(net.input)} inputs, 4 each")
        else:
            yield name, ()
    for spec in layers:
        if spec.kind == "Input":
            shapes = spec.of.input_param.shape
            for i, top in enumerate(spec.of.top):
                dim = shapes[min(i, len(shapes) - 1)].dim if shapes else ()
                yield top, tuple(dim)[1:]
        elif spec.kind == "MemoryData":
            p = spec.of.memory_data_param
            yield spec.of.top[0], (p.channels, p.height, p.width)
        elif spec.kind == "DummyData" and spec.of.dummy_data_param.shape:
            yield spec.of.top[0], tuple(spec.of.dummy_data_param.shape[0].dim)[1:]
        elif spec.kind in DATA and spec.of.top:
            yield spec.of.top[0], ()
