"""ResNet for ImageNet, 224x224x3.

He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition". Shortcuts are
projections where the shape
changes (B). Parameters: 18 11,689,512   34 21,797,672   50 25,557,032   101 44,549,160
152 60,192,808.
`variant`: "torch" (fb.resnet.torch, torchvision) has a bottleneck's stride on its 3x3; "msra" (the
authors' Caffe nets of 50, 101 and 152 layers) on its first 1x1, its stem pool starts at the image's
edge and rounds up (the same 56x56 from other pixels), and its ResNet-50 alone has a bias in conv1:
25,557,096.
"""

from typing import Literal

from jconv import (
    BatchNorm,
    Conv,
    Dense,
    GlobalAvgPool,
    Identity,
    Layer,
    MaxPool,
    Relu,
    Residual,
    Sequential,
)
from jconv.layers import msra_normal, torch_uniform

from .choice import check_known, check_variant

INPUT = (224, 224, 3)
Variant = Literal["torch", "msra"]
BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def conv(features: int, kernel: int, stride: int = 1, bias: bool = False) -> Layer:
    return Conv(
        features,
        kernel,
        stride=stride,
        padding=kernel // 2,
        bias=bias,
        kernel_init=msra_normal(fan="out"),
    )


def basic(width: int, stride: int) -> Layer:
    return Sequential(
        conv1=conv(width, 3, stride),
        bn1=BatchNorm(),
        relu1=Relu(),
        conv2=conv(width, 3),
        bn2=BatchNorm(),
    )


def bottleneck(width: int, stride: int, variant: Variant) -> Layer:
    first, second = (stride, 1) if variant == "msra" else (1, stride)
    layers = {"conv1": conv(width, 1, first), "bn1": BatchNorm(), "relu1": Relu()}
    layers |= {"conv2": conv(width, 3, second), "bn2": BatchNorm(), "relu2": Relu()}
    return Sequential(**layers, conv3=conv(4 * width, 1), bn3=BatchNorm())


def stage(depth: int, channels: int, width: int, count: int, variant: Variant) -> Layer:
    """`count` blocks; the first halves the size, but in the first stage."""
    blocks = {}
    out = width if depth < 50 else 4 * width
    for i in range(1, count + 1):
        stride = 2 if i == 1 and width > 64 else 1
        body = basic(width, stride) if depth < 50 else bottleneck(width, stride, variant)
        project = i == 1 and channels != out
        blocks[f"block{i}"] = Residual(
            body, Sequential(conv=conv(out, 1, stride), bn=BatchNorm()) if project else Identity()
        )
    return Sequential(**blocks)


def resnet(depth: int, classes: int = 1000, variant: Variant = "torch") -> Layer:
    check_known("depth", depth, BLOCKS)
    check_variant(variant, Variant)
    msra = variant == "msra"
    # 112x112x64
    layers = {
        "conv1": conv(64, 7, 2, bias=msra and depth == 50),
        "bn1": BatchNorm(),
        "relu1": Relu(),
    }
    layers["pool1"] = MaxPool(3, 2, rounding="ceil") if msra else MaxPool(3, 2, padding=1)  # 56x56
    channels = 64
    for i, count in enumerate(BLOCKS[depth], 1):  # 56x56, 28x28, 14x14, 7x7
        width = 32 * 2**i
        layers[f"stage{i}"] = stage(depth, channels, width, count, variant)
        channels = width if depth < 50 else 4 * width
    return Sequential(
        **layers, pool=GlobalAvgPool(), fc=Dense(classes, kernel_init=torch_uniform())
    )
