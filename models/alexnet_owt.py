"""AlexNet-OWT, the one-tower AlexNet of "one weird trick", 224x224x3: 61,100,840 parameters.

Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks". No groups and no
normalisation. `variant`: "benchmark" is soumith/convnet-benchmarks', which leaves dropout out and
lets its dense layers' rectifier return 1e-6 where this one returns 0; "torchvision" drops half
before the first two dense layers, and averages its 6x6 maps to 6x6, which is nothing at 224x224 and
is left out. 224 does not fit conv1: a pixel stays unseen (55.25 outputs).
"""

from typing import Literal

from jconv import Conv, Dense, Dropout, Flatten, Layer, MaxPool, Relu, Sequential
from jconv.layers import torch_uniform

from .choice import check_variant

INPUT = (224, 224, 3)
Variant = Literal["benchmark", "torchvision"]


def alexnet_owt(classes: int = 1000, variant: Variant = "benchmark") -> Layer:
    check_variant(variant, Variant)
    drop = lambda i: {f"drop{i}": Dropout(0.5)} if variant == "torchvision" else {}
    init = torch_uniform()  # biases start at 0 here, Torch draws them too
    return Sequential(
        conv1=Conv(64, 11, stride=4, padding=2, kernel_init=init),  # 55x55x64
        relu1=Relu(),
        pool1=MaxPool(3, 2),  # 27x27x64
        conv2=Conv(192, 5, padding=2, kernel_init=init),  # 27x27x192
        relu2=Relu(),
        pool2=MaxPool(3, 2),  # 13x13x192
        conv3=Conv(384, 3, padding=1, kernel_init=init),  # 13x13x384
        relu3=Relu(),
        conv4=Conv(256, 3, padding=1, kernel_init=init),  # 13x13x256
        relu4=Relu(),
        conv5=Conv(256, 3, padding=1, kernel_init=init),  # 13x13x256
        relu5=Relu(),
        pool5=MaxPool(3, 2),  # 6x6x256
        flatten=Flatten(),
        **drop(6),
        fc6=Dense(4096, kernel_init=init),
        relu6=Relu(),
        **drop(7),
        fc7=Dense(4096, kernel_init=init),
        relu7=Relu(),
        fc8=Dense(classes, kernel_init=init),
    )
