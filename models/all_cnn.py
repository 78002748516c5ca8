"""All-CNN for CIFAR-10, 32x32x3, and the nets it is derived from.

Springenberg, Dosovitskiy, Brox and Riedmiller 2014, "Striving for Simplicity: The All Convolutional
Net". Two blocks of 96 and 192 maps, each halving the size, then 3x3, 1x1, 1x1 and the mean over
6x6; a ReLU after every convolution, the last too. `variant` says how a block ends: "base" with a
3x3 max pool, stride 2; "strided" with that stride in its last convolution; "conv_pool" with one
more 3x3 convolution and the pool; "all" with a 3x3 convolution of stride 2. Parameters of A, B, C:
1,254,250, 1,300,618, 1,369,738; as "base" or "strided": 839,242, 885,610, 954,730. (The paper's
table 3 prints 0.9 to 1.4 M.)
"""

from typing import Literal

from jconv import Conv, Dropout, GlobalAvgPool, Layer, MaxPool, Relu, Sequential

from .choice import check_known, check_variant

INPUT = (32, 32, 3)
Variant = Literal["all", "base", "strided", "conv_pool"]
KERNELS = {"A": (5,), "B": (5, 1), "C": (3, 3)}  # of the convolutions of a block


def all_cnn(model: str, classes: int = 10, variant: Variant = "all") -> Layer:
    check_known("model", model, KERNELS)
    check_variant(variant, Variant)
    layers = {"drop0": Dropout(0.2)}
    for block, width in ((1, 96), (2, 192)):
        settings = [(kernel, 1) for kernel in KERNELS[model]]
        if variant == "strided":
            settings[-1] = (KERNELS[model][-1], 2)
        elif variant != "base":
            settings.append((3, 2 if variant == "all" else 1))
        for i, (kernel, stride) in enumerate(settings, 1):
            conv = Conv(width, kernel, stride=stride, padding=kernel // 2)
            layers |= {f"conv{block}_{i}": conv, f"relu{block}_{i}": Relu()}
        if variant in ("base", "conv_pool"):
            layers[f"pool{block}"] = MaxPool(3, 2, rounding="ceil")
        layers[f"drop{block}"] = Dropout(0.5)  # 16x16x96, 8x8x192
    return Sequential(
        **layers,
        conv3=Conv(192, 3),  # 6x6x192
        relu3=Relu(),
        conv4=Conv(192, 1),
        relu4=Relu(),
        conv5=Conv(classes, 1),
        relu5=Relu(),
        pool=GlobalAvgPool(),
    )
