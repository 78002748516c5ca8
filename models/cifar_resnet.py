"""ResNet for CIFAR-10, 32x32x3: 6n + 2 layers in three stages of n blocks with 16, 32 and 64 maps.

He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition", section 4.2. `variant`
is the shortcut where the shape changes: "A" takes every other pixel and appends channels of zeros,
without parameters; "centred" is A with half of the zeros before the others, as
akamaster/pytorch_resnet_cifar10 has it; "B" is a 1x1 convolution and a norm.
Parameters with A: 20 269,722   32 464,154   44 658,586   56 853,018   110 1,727,962
1202 19,421,274; B adds 2,752.
"""

from typing import Literal

from jconv import (
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    GlobalAvgPool,
    Identity,
    InputError,
    Layer,
    PadChannels,
    Relu,
    Residual,
    Sequential,
)
from jconv.layers import msra_normal, torch_uniform

from .choice import check_variant

INPUT = (32, 32, 3)
Variant = Literal["A", "centred", "B"]
DEPTHS = (20, 32, 44, 56, 110, 1202)  # the published ones; any 6n + 2 can be built


def conv(features: int, kernel: int, stride: int = 1) -> Layer:
    return Conv(
        features,
        kernel,
        stride=stride,
        padding=kernel // 2,
        bias=False,
        kernel_init=msra_normal(fan="out"),
    )


def block(width: int, stride: int, variant: Variant) -> Layer:
    body = Sequential(
        conv1=conv(width, 3, stride),
        bn1=BatchNorm(),
        relu1=Relu(),
        conv2=conv(width, 3),
        bn2=BatchNorm(),
    )
    if stride == 1:
        return Residual(body, Identity())
    if variant in ("A", "centred"):
        pad = PadChannels(width, before=width // 4 if variant == "centred" else 0)
        return Residual(body, Sequential(subsample=AvgPool(1, stride), pad=pad))
    return Residual(body, Sequential(conv=conv(width, 1, stride), bn=BatchNorm()))


def cifar_resnet(depth: int, classes: int = 10, variant: Variant = "A") -> Layer:
    check_variant(variant, Variant)
    n, rest = divmod(depth - 2, 6)
    if rest or n < 1:
        raise InputError(
            f"depth={depth}: 6n + 2 layers were expected; use {max(8, depth - rest)} or "
            f"{max(8, depth - rest) + 6}"
        )
    layers = {"conv1": conv(16, 3), "bn1": BatchNorm(), "relu1": Relu()}
    for stage, width in enumerate((16, 32, 64), 1):  # 32x32, 16x16, 8x8
        strides = (1 if stage == 1 else 2, *(1,) * (n - 1))
        layers[f"stage{stage}"] = Sequential(
            **{f"block{i}": block(width, s, variant) for i, s in enumerate(strides, 1)}
        )
    return Sequential(
        **layers, pool=GlobalAvgPool(), fc=Dense(classes, kernel_init=torch_uniform())
    )
