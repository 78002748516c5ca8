"""Network in Network for CIFAR-10, 32x32x3: 966,986 parameters.

Lin, Chen and Yan 2013, "Network In Network": each 5x5 or 3x3 convolution is followed by two 1x1
ones ("cccp"), a ReLU after every one, the last too, and the last maps are averaged into the scores.
`variant`: "cuda-convnet" is the authors' own, "caffe" its port in Caffe's zoo, whose second pool
averages. The published average pool is 8x8; at 32x32 the global one here is it.
"""

from typing import Literal

from jconv import AvgPool, Conv, Dropout, GlobalAvgPool, Layer, MaxPool, Relu, Sequential
from jconv.layers import gaussian

from .choice import check_variant

INPUT = (32, 32, 3)
Variant = Literal["cuda-convnet", "caffe"]


def nin(classes: int = 10, variant: Variant = "cuda-convnet") -> Layer:
    check_variant(variant, Variant)
    conv = lambda features, kernel=1: Conv(
        features, kernel, padding=kernel // 2, kernel_init=gaussian(0.05)
    )
    second = AvgPool if variant == "caffe" else MaxPool
    return Sequential(
        conv1=conv(192, 5),  # 32x32x192
        relu1=Relu(),
        cccp1=conv(160),
        relu_cccp1=Relu(),
        cccp2=conv(96),
        relu_cccp2=Relu(),
        pool1=MaxPool(3, 2, rounding="ceil"),  # 16x16x96
        drop1=Dropout(0.5),
        conv2=conv(192, 5),
        relu2=Relu(),
        cccp3=conv(192),
        relu_cccp3=Relu(),
        cccp4=conv(192),
        relu_cccp4=Relu(),
        pool2=second(3, 2, rounding="ceil"),  # 8x8x192
        drop2=Dropout(0.5),
        conv3=conv(192, 3),
        relu3=Relu(),
        cccp5=conv(192),
        relu_cccp5=Relu(),
        cccp6=conv(classes),
        relu_cccp6=Relu(),
        pool3=GlobalAvgPool(),
    )
