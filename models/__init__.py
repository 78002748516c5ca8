"""The zoo: one architecture a file, each a function that returns a net, and INPUT, the shape of one
image it is made for.

A further model is such a file, whose docstring has the source and the published count of
parameters, and its name in MODELS; the tests of the zoo go over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from inspect import signature
from typing import Any, NamedTuple

from jconv import InputError, Layer
from jconv.data.pixels import IMAGENET, PixelScale
from jconv.errors import near
from jconv.geometry import Shape, as_shape

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
    own,
    preact_resnet,
    resnet,
    tiny_vgg,
    vgg,
    zfnet,
)


class Model(NamedTuple):
    """A net as a function of `classes` and, where several forms are published, `variant`; and the
    shape of one image.

    `shaped`, of the same arguments, gives that shape where they change it. `pixels` is the scale
    that the net was published with, None where any will do.
    """

    net: Callable[..., Layer]
    in_shape: Shape
    shaped: Callable[..., Shape] | None = None
    pixels: PixelScale | None = None


MODELS = {
    "lenet5": Model(lenet5.lenet5, lenet5.INPUT),
    "lenet5_original": Model(lenet5.lenet5_original, lenet5.INPUT),
    "caffe_lenet": Model(caffe_lenet.caffe_lenet, caffe_lenet.INPUT),
    "convnetjs": Model(convnetjs.convnetjs, convnetjs.INPUT, pixels=convnetjs.PIXELS),
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
    "inception_v4": Model(
        inception_v4.inception_v4, inception_v4.INPUT, pixels=inception_v4.PIXELS
    ),
    **{
        f"resnet{n}": Model(partial(resnet.resnet, n), resnet.INPUT, pixels=IMAGENET)
        for n in resnet.BLOCKS
    },
    **{
        f"cifar_resnet{n}": Model(partial(cifar_resnet.cifar_resnet, n), cifar_resnet.INPUT)
        for n in cifar_resnet.DEPTHS
    },
    **{
        f"preact_resnet{n}": Model(
            partial(preact_resnet.preact_resnet, n), preact_resnet.INPUT, pixels=IMAGENET
        )
        for n in preact_resnet.UNITS
    },
    **{
        f"preact_resnet{n}": Model(
            partial(cifar_preact_resnet.cifar_preact_resnet, n), cifar_preact_resnet.INPUT
        )
        for n in cifar_preact_resnet.UNITS
    },
    "dilated_frontend": Model(dilated.dilated_frontend, dilated.INPUT),
    "context_basic": Model(dilated.context_basic, dilated.MAPS_INPUT, dilated.maps),
    "context_large": Model(dilated.context_large, dilated.MAPS_INPUT, dilated.maps),
}


def build(
    name: str,
    *,
    classes: int | None = None,
    variant: str | None = None,
    in_shape: Sequence[int] = (),
) -> tuple[Layer, Shape]:
    """A net and the shape of one image for it; without `classes` and `variant`, as it was
    published.

    `name` is one of MODELS; a pattern such as "INPUT32x32x3 -> [CONV3-64 -> RELU]*2 -> POOL ->
    FC-10"; a file of weights that holds its net; or FILE.py:FUNCTION, where the function returns a
    net, takes `classes` if it can have other numbers of them, and INPUT of the file is the shape.
    `in_shape` goes before the net's own; a pattern and a file may give none, and then the shape
    returned is () without it. Raises
    InputError for a name, a variant or a number of classes that cannot be, listing near names or
    the variants there are.
    """
    if classes is not None and classes < 1:
        raise InputError(f"{name}: classes={classes}, a whole number of at least 1 was expected")
    given = {
        what: value
        for what, value in (("classes", classes), ("variant", variant))
        if value is not None
    }
    if own.is_weights(name):
        if variant is not None:
            raise InputError(f"{name}: a file of weights has no variants; leave the variant out")
        net, shape = own.from_weights(name, classes)
    elif own.is_pattern(name) or own.is_file(name):
        if variant is not None and own.is_pattern(name):
            raise InputError(f"{name}: a pattern has no variants; leave the variant out")
        net, shape = (
            own.from_pattern(name, classes) if own.is_pattern(name) else own.from_file(name, given)
        )
    else:
        net, shape = _published(name, given)
    return net, as_shape(in_shape) if in_shape else shape


def pixel_scale(name: str) -> PixelScale | None:
    """The pixel scale of a net's own: that which a net of the zoo was published with, or PIXELS of
    FILE.py; None where there is none, and that of the images serves. Raises InputError.
    """
    if own.is_weights(name) or (own.is_file(name) and not own.is_pattern(name)):
        return own.pixel_scale(name)
    return MODELS[name].pixels if name in MODELS else None


def _published(name: str, given: dict[str, Any]) -> tuple[Layer, Shape]:
    if name not in MODELS:
        raise InputError(
            f"unknown model {name!r}; {near(name, MODELS)} (or give a pattern, or FILE.py:FUNCTION)"
        )
    variant, model = given.get("variant"), MODELS[name]
    if variant is not None and "variant" not in signature(model.net).parameters:
        raise InputError(
            f"{name}: unknown variant {variant!r}; this net has one form only, leave the variant "
            "out"
        )
    try:
        return model.net(**given), model.shaped(**given) if model.shaped else model.in_shape
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def sized(
    name: str,
    *,
    classes: int | None = None,
    variant: str | None = None,
    in_shape: Sequence[int] = (),
) -> tuple[Layer, Shape]:
    """The same, with a shape in any case. Raises InputError where neither the net nor `in_shape`
    gives one.
    """
    net, shape = build(name, classes=classes, variant=variant, in_shape=in_shape)
    if not shape:
        where = (
            "INPUT32x32x3 at its beginning"
            if own.is_pattern(name)
            else "INPUT = (32, 32, 3) in the file"
        )
        raise InputError(
            f"{name}: says nothing of the size of an image; give --in-shape 32 32 3, or {where}"
        )
    return net, shape
