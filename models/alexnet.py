"""AlexNet, 227x227x3: 60,965,224 parameters with two groups, 62,378,344 without.

Krizhevsky, Sutskever and Hinton 2012, "ImageNet Classification with Deep Convolutional Neural
Networks"; Caffe's bvlc_alexnet and bvlc_reference_caffenet. `variant`: "bvlc" normalises before it
pools, "caffenet" after; "ungrouped" is bvlc in one tower; "owt" is torchvision's alexnet, another
net, made for 224x224 (alexnet_owt.py). Deviations of Caffe from the paper, kept: the norm's alpha
is divided by its size and k = 1 (the paper: undivided, k = 2); bvlc's biases start at 0.1,
CaffeNet's and the paper's at 1. The paper says 224 where only 227 fits.
"""

from typing import Literal

from jconv import Conv, Dense, Dropout, Flatten, Layer, LocalResponseNorm, MaxPool, Relu, Sequential
from jconv.geometry import Shape
from jconv.layers import constant, gaussian

from . import alexnet_owt
from .choice import check_variant

INPUT = (227, 227, 3)
Variant = Literal["bvlc", "caffenet", "ungrouped", "owt"]


def alexnet(classes: int = 1000, variant: Variant = "bvlc") -> Layer:
    check_variant(variant, Variant)
    if variant == "owt":
        return alexnet_owt.alexnet_owt(classes, "torchvision")
    groups = 1 if variant == "ungrouped" else 2
    # lifted: these ReLUs start alive
    init, lifted = (gaussian(0.01), constant(1.0 if variant == "caffenet" else 0.1))

    def shrink(i: int) -> dict[str, Layer]:
        pair = {
            f"norm{i}": LocalResponseNorm(5, alpha=1e-4, beta=0.75),
            f"pool{i}": MaxPool(3, 2, rounding="ceil"),
        }
        return dict(reversed(pair.items())) if variant == "caffenet" else pair

    return Sequential(
        conv1=Conv(96, 11, stride=4, kernel_init=init),  # 55x55x96
        relu1=Relu(),
        **shrink(1),  # 27x27x96
        # 27x27x256
        conv2=Conv(256, 5, padding=2, groups=groups, kernel_init=init, bias_init=lifted),
        relu2=Relu(),
        **shrink(2),  # 13x13x256
        conv3=Conv(384, 3, padding=1, kernel_init=init),  # 13x13x384
        relu3=Relu(),
        # 13x13x384
        conv4=Conv(384, 3, padding=1, groups=groups, kernel_init=init, bias_init=lifted),
        relu4=Relu(),
        # 13x13x256
        conv5=Conv(256, 3, padding=1, groups=groups, kernel_init=init, bias_init=lifted),
        relu5=Relu(),
        pool5=MaxPool(3, 2, rounding="ceil"),  # 6x6x256
        flatten=Flatten(),
        fc6=Dense(4096, kernel_init=gaussian(0.005), bias_init=lifted),
        relu6=Relu(),
        drop6=Dropout(0.5),
        fc7=Dense(4096, kernel_init=gaussian(0.005), bias_init=lifted),
        relu7=Relu(),
        drop7=Dropout(0.5),
        fc8=Dense(classes, kernel_init=init),
    )


def in_shape(classes: int = 1000, variant: Variant = "bvlc") -> Shape:
    return alexnet_owt.INPUT if variant == "owt" else INPUT
