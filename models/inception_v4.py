"""Inception-v4, 299x299x3: 42,679,816 parameters.

Szegedy, Ioffe, Vanhoucke and Alemi 2016, "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning". Every convolution is followed by a batch norm and a ReLU; averages leave
padding out. `variant`: "timm", whose norms have a scale and a bias, or "slim", TensorFlow's, with a
bias alone: 42,648,232. Its auxiliary head is left out. The order of 1x7 and 7x1 is the released
code's, not the paper's figures'.
"""

from dataclasses import replace
from typing import Literal

from jconv import (
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Dropout,
    GlobalAvgPool,
    Layer,
    MaxPool,
    Relu,
    Sequential,
    map_layers,
)
from jconv.data.pixels import PixelScale

from .choice import check_variant

INPUT = (299, 299, 3)
PIXELS = PixelScale((0.5,), (0.5,))  # -1 to 1, as slim and timm take them
Variant = Literal["timm", "slim"]
Kernel = int | tuple[int, int]


def conv(features: int, kernel: Kernel, stride: int = 1, padding: Kernel = 0) -> Layer:
    plain = Conv(features, kernel, stride=stride, padding=padding, bias=False)
    return Sequential(conv=plain, bn=BatchNorm(eps=1e-3), relu=Relu())


def same(features: int, kernel: Kernel) -> Layer:
    return conv(
        features,
        kernel,
        padding=kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2),
    )


numbered = lambda kind, layers: {f"{kind}{i}": layer for i, layer in enumerate(layers, 1)}
chain = lambda *layers: Sequential(**numbered("conv", layers))
branches = lambda *layers: Concat(**numbered("branch", layers))
average = lambda features: Sequential(
    pool=AvgPool(3, 1, padding=1, count_padding=False), conv=same(features, 1)
)
split = lambda *layers: Sequential(
    trunk=chain(*layers), split=branches(same(256, (1, 3)), same(256, (3, 1)))
)

TALL, WIDE = (7, 1), (1, 7)
STEM = {
    # 149x149x32, 147x147x32, 147x147x64
    **{"conv1": conv(32, 3, 2), "conv2": conv(32, 3), "conv3": same(64, 3)},
    "mixed1": branches(MaxPool(3, 2), conv(96, 3, 2)),  # 73x73x160
    # 71x71x192
    "mixed2": branches(
        chain(same(64, 1), conv(96, 3)),
        chain(same(64, 1), same(64, WIDE), same(64, TALL), conv(96, 3)),
    ),
    "mixed3": branches(conv(192, 3, 2), MaxPool(3, 2)),  # 35x35x384
}
INCEPTION_A = branches(
    same(96, 1),
    chain(same(64, 1), same(96, 3)),
    chain(same(64, 1), same(96, 3), same(96, 3)),
    average(96),
)
# 17x17x1024
REDUCTION_A = branches(
    conv(384, 3, 2), chain(same(192, 1), same(224, 3), conv(256, 3, 2)), MaxPool(3, 2)
)
INCEPTION_B = branches(
    same(384, 1),
    chain(same(192, 1), same(224, WIDE), same(256, TALL)),
    chain(same(192, 1), same(192, TALL), same(224, WIDE), same(224, TALL), same(256, WIDE)),
    average(128),
)
REDUCTION_B = branches(  # 8x8x1536
    chain(same(192, 1), conv(192, 3, 2)),
    chain(same(256, 1), same(256, WIDE), same(320, TALL), conv(320, 3, 2)),
    MaxPool(3, 2),
)
INCEPTION_C = branches(
    same(256, 1),
    split(same(384, 1)),
    split(same(384, 1), same(448, (3, 1)), same(512, (1, 3))),
    average(256),
)


def inception_v4(classes: int = 1000, variant: Variant = "timm") -> Layer:
    check_variant(variant, Variant)
    net = Sequential(
        **STEM,
        **numbered("inception_a", [INCEPTION_A] * 4),
        reduction_a=REDUCTION_A,
        **numbered("inception_b", [INCEPTION_B] * 7),
        reduction_b=REDUCTION_B,
        **numbered("inception_c", [INCEPTION_C] * 3),
        **{"pool": GlobalAvgPool(), "drop": Dropout(0.2), "fc": Dense(classes)},
    )
    unscaled = lambda _, layer: (
        replace(layer, scale=False) if isinstance(layer, BatchNorm) else layer
    )
    return net if variant == "timm" else map_layers(net, unscaled)
