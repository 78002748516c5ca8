"""GoogLeNet, 224x224x3: 6,998,552 parameters (the CS231n notes say 4M), 13,378,280 with the
auxiliary heads, for training only.

Szegedy et al. 2014, "Going Deeper with Convolutions". The heads' scores are the taps "loss1" and
"loss2" (`split_taps`); the paper adds 0.3 of their losses to the main one. `variant`: "caffe" is
bvlc_googlenet; "torchvision" has batch norm instead of local response norm and biases, dropout 0.2,
a 2x2 last pool and, by mistake, 3x3 for 5x5: 6,624,904, with heads 13,004,888.
"""

from typing import Literal

from jconv import (
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Layer,
    MaxPool,
    Relu,
    Sequential,
    Tap,
)
from jconv.layers import AdaptiveAvgPool, LocalResponseNorm, caffe_xavier, constant, gaussian

from .choice import check_variant

INPUT = (224, 224, 3)
Variant = Literal["caffe", "torchvision"]
INCEPTION = {  # 1x1 | 3x3 reduce, 3x3 | 5x5 reduce, 5x5 | pool projection
    "3a": (64, 96, 128, 16, 32, 32),  # 28x28x256
    "3b": (128, 128, 192, 32, 96, 64),  # 28x28x480
    "4a": (192, 96, 208, 16, 48, 64),  # 14x14x512
    "4b": (160, 112, 224, 24, 64, 64),  # 14x14x512
    "4c": (128, 128, 256, 24, 64, 64),  # 14x14x512
    "4d": (112, 144, 288, 32, 64, 64),  # 14x14x528
    "4e": (256, 160, 320, 32, 128, 128),  # 14x14x832
    "5a": (256, 160, 320, 32, 128, 128),  # 7x7x832
    "5b": (384, 192, 384, 48, 128, 128),  # 7x7x1024
}


def googlenet(classes: int = 1000, variant: Variant = "caffe") -> Layer:
    check_variant(variant, Variant)
    caffe = variant == "caffe"
    init, pool = caffe_xavier() if caffe else gaussian(0.01), MaxPool(3, 2, rounding="ceil")
    lifted = constant(0.2 if caffe else 0.0)
    norm = lambda name: {name: LocalResponseNorm(5, alpha=1e-4, beta=0.75)} if caffe else {}

    def conv(features: int, kernel: int, stride: int = 1) -> Layer:
        plain = Conv(
            features,
            kernel,
            stride=stride,
            padding=kernel // 2,
            bias=caffe,
            kernel_init=init,
            bias_init=lifted,
        )
        return (
            Sequential(conv=plain, relu=Relu())
            if caffe
            else Sequential(conv=plain, bn=BatchNorm(eps=1e-3), relu=Relu())
        )

    def inception(
        one: int, reduce3: int, three: int, reduce5: int, five: int, projection: int
    ) -> Layer:
        branches = {
            "1x1": conv(one, 1),
            "3x3": Sequential(reduce=conv(reduce3, 1), conv=conv(three, 3)),
        }
        branches["5x5"] = Sequential(reduce=conv(reduce5, 1), conv=conv(five, 5 if caffe else 3))
        return Concat(
            **branches,
            pool=Sequential(pool=MaxPool(3, 1, padding=1), projection=conv(projection, 1)),
        )

    def head(name: str) -> Layer:  # on 14x14
        # 4x4x128
        layers = {
            "pool": AvgPool(5, 3) if caffe else AdaptiveAvgPool(4),
            "conv": conv(128, 1),
            "flatten": Flatten(),
        }
        layers |= {
            "fc": Dense(1024, kernel_init=init, bias_init=lifted),
            "relu": Relu(),
            "drop": Dropout(0.7),
        }
        return Tap(
            name, Sequential(**layers, classifier=Dense(classes, kernel_init=init)), train_only=True
        )

    layers = {"conv1": conv(64, 7, stride=2), "pool1": pool, **norm("norm1")}  # 56x56x64
    # 28x28x192
    layers |= {"conv2_reduce": conv(64, 1), "conv2": conv(192, 3), **norm("norm2"), "pool2": pool}
    after = {"3b": {"pool3": pool}, "4a": {"aux1": head("loss1")}, "4d": {"aux2": head("loss2")}}
    after["4e"] = {"pool4": pool if caffe else MaxPool(2)}
    for name, widths in INCEPTION.items():
        layers |= {f"inception_{name}": inception(*widths), **after.get(name, {})}
    return Sequential(
        **layers,
        pool5=GlobalAvgPool(),
        drop=Dropout(0.4 if caffe else 0.2),
        classifier=Dense(classes, kernel_init=init),
    )
