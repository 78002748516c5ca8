"""The zoo: one architecture a file, each a function that returns a net, and INPUT, the shape of one image it is made for."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import NamedTuple

from jconv import InputError, Layer
from jconv.geometry import Shape

from . import (
    alexnet,
    alexnet_owt,
    all_cnn,
    caffe_cifar10,
    caffe_lenet,
    cifar94,
    cifar_preact_resnet,
    cifar_resnet,
    convnetjs,
    dilated,
    googlenet,
    inception_v4,
    lenet5,
    local_net,
    nin,
    overfeat,
    preact_resnet,
    resnet,
    tiny_vgg,
    vgg,
    zfnet,
)


class Model(NamedTuple):
    """A net as a function of `classes` and, where several forms are published, `variant`; and the shape of one image.

    `shaped`, of the same arguments, gives that shape where they change it.
    """

    net: Callable[..., Layer]
    in_shape: Shape
    shaped: Callable[..., Shape] | None = None


MODELS = {
    "lenet5": Model(lenet5.lenet5, lenet5.INPUT),
    "lenet5_original": Model(lenet5.lenet5_original, lenet5.INPUT),
    "caffe_lenet": Model(caffe_lenet.caffe_lenet, caffe_lenet.INPUT),
    "convnetjs": Model(convnetjs.convnetjs, convnetjs.INPUT),
    "tiny_vgg": Model(tiny_vgg.tiny_vgg, tiny_vgg.INPUT),
    "caffe_cifar10_quick": Model(caffe_cifar10.caffe_cifar10_quick, caffe_cifar10.INPUT),
    "caffe_cifar10_full": Model(caffe_cifar10.caffe_cifar10_full, caffe_cifar10.INPUT),
    "local_13pct": Model(local_net.local_13pct, local_net.INPUT),
    "local_11pct": Model(local_net.local_11pct, local_net.INPUT),
    "cifar94": Model(cifar94.cifar94, cifar94.INPUT),
    "nin": Model(nin.nin, nin.INPUT),
    "all_cnn_a": Model(partial(all_cnn.all_cnn, "A"), all_cnn.INPUT),
    "all_cnn_b": Model(partial(all_cnn.all_cnn, "B"), all_cnn.INPUT),
    "all_cnn_c": Model(partial(all_cnn.all_cnn, "C"), all_cnn.INPUT),
    "alexnet": Model(alexnet.alexnet, alexnet.INPUT, alexnet.in_shape),
    "alexnet_owt": Model(alexnet_owt.alexnet_owt, alexnet_owt.INPUT),
    "overfeat": Model(overfeat.overfeat, overfeat.INPUT),
    "zfnet": Model(zfnet.zfnet, zfnet.INPUT),
    "vgg11": Model(partial(vgg.vgg, "A", "none"), vgg.INPUT),
    "vgg11_lrn": Model(partial(vgg.vgg, "A", "lrn"), vgg.INPUT),
    "vgg11_bn": Model(partial(vgg.vgg, "A", "batch"), vgg.INPUT),
    "vgg13": Model(partial(vgg.vgg, "B", "none"), vgg.INPUT),
    "vgg13_bn": Model(partial(vgg.vgg, "B", "batch"), vgg.INPUT),
    "vgg16_c": Model(partial(vgg.vgg, "C", "none"), vgg.INPUT),
    "vgg16": Model(partial(vgg.vgg, "D", "none"), vgg.INPUT),
    "vgg16_bn": Model(partial(vgg.vgg, "D", "batch"), vgg.INPUT),
    "vgg19": Model(partial(vgg.vgg, "E", "none"), vgg.INPUT),
    "vgg19_bn": Model(partial(vgg.vgg, "E", "batch"), vgg.INPUT),
    "googlenet": Model(googlenet.googlenet, googlenet.INPUT),
    "inception_v4": Model(inception_v4.inception_v4, inception_v4.INPUT),
    **{f"resnet{n}": Model(partial(resnet.resnet, n), resnet.INPUT) for n in resnet.BLOCKS},
    **{f"cifar_resnet{n}": Model(partial(cifar_resnet.cifar_resnet, n), cifar_resnet.INPUT) for n in cifar_resnet.DEPTHS},
    **{f"preact_resnet{n}": Model(partial(preact_resnet.preact_resnet, n), preact_resnet.INPUT) for n in preact_resnet.UNITS},
    **{
        f"preact_resnet{n}": Model(partial(cifar_preact_resnet.cifar_preact_resnet, n), cifar_preact_resnet.INPUT)
        for n in cifar_preact_resnet.UNITS
    },
    "dilated_frontend": Model(dilated.dilated_frontend, dilated.INPUT),
    "context_basic": Model(dilated.context_basic, dilated.MAPS_INPUT, dilated.maps),
    "context_large": Model(dilated.context_large, dilated.MAPS_INPUT, dilated.maps),
}


def build(name: str, *, classes: int | None = None, variant: str | None = None) -> tuple[Layer, Shape]:
    """The net of that name and its input shape; without `classes` and `variant`, as it was published.

    Raises InputError for a name, a variant or a number of classes that cannot be, listing near names or the variants there are.
    """
    if name not in MODELS:
        near = difflib.get_close_matches(name, MODELS, n=3, cutoff=0.4) or sorted(MODELS)
        raise InputError(f"unknown model {name!r}; did you mean {', '.join(near)}?")
    if classes is not None and classes < 1:
        raise InputError(f"{name}: classes={classes}, a whole number of at least 1 was expected")
    model = MODELS[name]
    if variant is not None and "variant" not in signature(model.net).parameters:
        raise InputError(f"{name}: unknown variant {variant!r}; this net has one form only, leave the variant out")
    given = {what: value for what, value in (("classes", classes), ("variant", variant)) if value is not None}
    try:
        return model.net(**given), model.shaped(**given) if model.shaped else model.in_shape
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
