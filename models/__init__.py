"""The zoo: one architecture a file, each a function that returns a net, and INPUT, the shape of one image it is made for."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import NamedTuple

from jconv import Layer
from jconv.errors import InputError
from jconv.geometry import Shape

from . import caffe_lenet, convnetjs, lenet5, tiny_vgg


class Model(NamedTuple):
    """A net as a function of the number of classes, and the shape of one image."""

    net: Callable[..., Layer]
    in_shape: Shape


MODELS = {
    "lenet5": Model(lenet5.lenet5, lenet5.INPUT),
    "caffe_lenet": Model(caffe_lenet.caffe_lenet, caffe_lenet.INPUT),
    "convnetjs": Model(convnetjs.convnetjs, convnetjs.INPUT),
    "tiny_vgg": Model(tiny_vgg.tiny_vgg, tiny_vgg.INPUT),
}


def build(name: str, *, classes: int = 10) -> tuple[Layer, Shape]:
    """The net of that name with `classes` outputs, and its input shape. Raises InputError listing near names."""
    if name not in MODELS:
        near = difflib.get_close_matches(name, MODELS, n=3, cutoff=0.4) or sorted(MODELS)
        raise InputError(f"unknown model {name!r}; did you mean {', '.join(near)}?")
    model = MODELS[name]
    return model.net(classes=classes), model.in_shape
