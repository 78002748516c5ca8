"""Pre-activation ResNet for ImageNet, 224x224x3: norm and ReLU before each convolution, nothing
after the sum.

He, Zhang, Ren and Sun 2016, "Identity Mappings in Deep Residual Networks"; fb.resnet.torch's
preresnet. A unit that changes the shape applies its first norm and ReLU before both branches, and
its projection has no norm; the very first unit finds them in the stem. A bottleneck's stride is on
its 3x3. `variant` "timm" is timm's resnetv2: its stem pools what its convolution gives, and the
very first unit has the norm and the ReLU, which leaves the shortcut of 18 and 34 layers before
them.
Parameters, the same of both:
18 11,687,720   34 21,795,880   50 25,549,352   101 44,541,480   152 60,185,128   200 64,666,152
"""

from collections.abc import Callable, Sequence
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
UNITS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
SAME = Identity()
Variant = Literal["torch", "timm"]


def conv(features: int, kernel: int, stride: int = 1) -> Layer:
    return Conv(
        features,
        kernel,
        stride=stride,
        padding=kernel // 2,
        bias=False,
        kernel_init=msra_normal(fan="out"),
    )


def basic(out: int, stride: int) -> list[Layer]:
    return [conv(out, 3, stride), conv(out, 3)]


def bottleneck(out: int, stride: int) -> list[Layer]:
    return [conv(out // 4, 1), conv(out // 4, 3, stride), conv(out, 1)]


def project(out: int, stride: int) -> Layer:
    return conv(out, 1, stride)


def unit(convolutions: list[Layer], shortcut: Layer = SAME, activated: bool = False) -> Layer:
    """One residual unit; `activated` says that its input has passed a norm and a ReLU already."""
    first = {} if activated else {"bn1": BatchNorm(), "relu1": Relu()}
    body = {"conv1": convolutions[0]}
    for i, layer in enumerate(convolutions[1:], 2):
        body |= {f"bn{i}": BatchNorm(), f"relu{i}": Relu(), f"conv{i}": layer}
    if activated or shortcut == SAME:
        return Residual(Sequential(**first, **body), shortcut, then=Identity())
    return Sequential(**first, add=Residual(Sequential(**body), shortcut, then=Identity()))


def stages(
    kind: Callable,
    shortcut: Callable,
    channels: int,
    outs: Sequence[int],
    counts: Sequence[int],
    activated: bool = False,
) -> dict:
    layers = {}
    for i, (out, count) in enumerate(zip(outs, counts, strict=True), 1):  # 56x56, 28x28, 14x14, 7x7
        stride = 1 if i == 1 else 2
        first = unit(
            kind(out, stride),
            SAME if channels == out else shortcut(out, stride),
            activated and i == 1,
        )
        units = [first, *[unit(kind(out, 1))] * (count - 1)]
        layers[f"stage{i}"] = Sequential(**{f"block{j}": u for j, u in enumerate(units, 1)})
        channels = out
    return layers


def head(classes: int) -> dict[str, Layer]:
    return {
        "bn": BatchNorm(),
        "relu": Relu(),
        "pool": GlobalAvgPool(),
        "fc": Dense(classes, kernel_init=torch_uniform()),
    }


def preact_resnet(depth: int, classes: int = 1000, variant: Variant = "torch") -> Layer:
    check_known("depth", depth, UNITS)
    check_variant(variant, Variant)
    kind, outs = (
        (basic, (64, 128, 256, 512)) if depth < 50 else (bottleneck, (256, 512, 1024, 2048))
    )
    activated = variant == "torch"
    norm = {"bn1": BatchNorm(), "relu1": Relu()} if activated else {}
    stem = {"conv1": conv(64, 7, 2), **norm, "pool1": MaxPool(3, 2, padding=1)}  # 56x56x64
    blocks = stages(kind, project, 64, outs, UNITS[depth], activated)
    return Sequential(**stem, **blocks, **head(classes))
