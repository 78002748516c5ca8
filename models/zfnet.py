"""ZFNet, 224x224x3: 62,357,608 parameters, or 107,627,624 with the wide middle.

Zeiler and Fergus 2013, "Visualizing and Understanding Convolutional Networks". `variant`:
"paper" is its figure 3, "expanded" its middle layers of 512, 1024 and 512 maps. The paper says
contrast normalisation "across feature maps" and gives no numbers: here AlexNet's. "caffe" is the ZF
of py-faster-rcnn: padded, normalised within each map before the pool, 15x15 at the end. Its 6x6
region pooling is here a max pool of 5 pixels with stride 2, so that the dense layers have their
published shapes.
"""

from typing import Literal

from jconv import Conv, Dense, Dropout, Flatten, Layer, LocalResponseNorm, MaxPool, Relu, Sequential
from jconv.layers import gaussian

from .choice import check_variant

INPUT = (224, 224, 3)
Variant = Literal["paper", "expanded", "caffe"]


def zfnet(classes: int = 1000, variant: Variant = "paper") -> Layer:
    check_variant(variant, Variant)
    caffe, init = variant == "caffe", gaussian(0.01)
    middle = (512, 1024, 512) if variant == "expanded" else (384, 384, 256)

    def shrink(i: int) -> dict[str, Layer]:
        if caffe:
            norm = LocalResponseNorm(3, alpha=5e-5, beta=0.75, within=True)
            return {f"norm{i}": norm, f"pool{i}": MaxPool(3, 2, padding=1, rounding="ceil")}
        return {
            f"pool{i}": MaxPool(3, 2, rounding="ceil"),
            f"norm{i}": LocalResponseNorm(5, alpha=1e-4, beta=0.75),
        }

    return Sequential(
        # 110x110x96, caffe 112x112
        conv1=Conv(96, 7, stride=2, padding=3 if caffe else 1, kernel_init=init),
        relu1=Relu(),
        **shrink(1),  # 55x55x96, caffe 57x57
        # 26x26x256, caffe 29x29
        conv2=Conv(256, 5, stride=2, padding=2 if caffe else 0, kernel_init=init),
        relu2=Relu(),
        **shrink(2),  # 13x13x256, caffe 15x15
        conv3=Conv(middle[0], 3, padding=1, kernel_init=init),
        relu3=Relu(),
        conv4=Conv(middle[1], 3, padding=1, kernel_init=init),
        relu4=Relu(),
        conv5=Conv(middle[2], 3, padding=1, kernel_init=init),
        relu5=Relu(),
        pool5=MaxPool(5 if caffe else 3, 2),  # 6x6
        flatten=Flatten(),
        fc6=Dense(4096, kernel_init=init),
        relu6=Relu(),
        drop6=Dropout(0.5),
        fc7=Dense(4096, kernel_init=init),
        relu7=Relu(),
        drop7=Dropout(0.5),
        fc8=Dense(classes, kernel_init=init),
    )
