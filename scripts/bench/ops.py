"""The operations measured: nets of one layer, without bias. Their gradient is in the input too."""

from __future__ import annotations

from jconv.compose import Repeat, Sequential
from jconv.layer import Layer
from jconv.layers import AvgPool, BatchNorm, Conv, ConvTranspose, LocalResponseNorm, MaxPool

from .case import Case
from .looped import Held, InTurn


def conv(features: int, kernel: int, **settings) -> Layer:
    return Conv(features, kernel, bias=False, **settings)


def transposed(features: int, kernel: int, **settings) -> Layer:
    return ConvTranspose(features, kernel, bias=False, **settings)


def op(name: str, layer: Layer, in_shape: tuple[int, ...], batch: int) -> Case:
    return Case(name, layer, in_shape, batch, images=True)


# convnet-benchmarks' layers, at 8 of their 128 images: what two cores can bear
BENCHMARK_LAYERS = (
    op("L1 11x11 3-96 at 128", conv(96, 11), (128, 128, 3), 8),
    op("L2 9x9 64-128 at 64", conv(128, 9), (64, 64, 64), 8),
    op("L3 9x9 128-128 at 32", conv(128, 9), (32, 32, 128), 8),
    op("L4 7x7 128-128 at 16", conv(128, 7), (16, 16, 128), 8),
    op("L5 3x3 384-384 at 13", conv(384, 3), (13, 13, 384), 8),
)
SLOW_IN_LAX = (
    op("depthwise 3x3 128 at 56", conv(128, 3, padding=1, groups=128), (56, 56, 128), 16),
    op(
        "AlexNet conv2 5x5 96-256 groups 2 at 27",
        conv(256, 5, padding=2, groups=2),
        (27, 27, 96),
        16,
    ),
    op("ResNeXt 3x3 128 groups 32 at 28", conv(128, 3, padding=1, groups=32), (28, 28, 128), 16),
    op(
        "transposed 4x4 stride 2 128-64 at 16",
        transposed(64, 4, stride=2, padding=1),
        (16, 16, 128),
        16,
    ),
    op("3-D 3x3x3 32 at 16x32x32", conv(32, 3, padding=1), (16, 32, 32, 32), 2),
    op("dilated 3x3 rate 2 64 at 28", conv(64, 3, padding=2, dilation=2), (28, 28, 64), 16),
)
COMMON = (
    op("3x3 16 at 32 (ResNet-20)", conv(16, 3, padding=1), (32, 32, 16), 64),
    op("3x3 32 at 16 (ResNet-20)", conv(32, 3, padding=1), (16, 16, 32), 64),
    op("3x3 64 at 8 (ResNet-20)", conv(64, 3, padding=1), (8, 8, 64), 64),
    op("3x3 stride 2 16-32 at 32 (ResNet-20)", conv(32, 3, padding=1, stride=2), (32, 32, 16), 64),
    op("3x3 64 at 32", conv(64, 3, padding=1), (32, 32, 64), 32),
    op("3x3 256 at 14", conv(256, 3, padding=1), (14, 14, 256), 8),
    op("3x3 stride 2 128 at 56", conv(128, 3, padding=1, stride=2), (56, 56, 128), 8),
    op("1x1 64-256 at 56", conv(256, 1), (56, 56, 64), 8),
    op("1x1 stride 2 256-512 at 56", conv(512, 1, stride=2), (56, 56, 256), 8),
    op("7x7 stride 2 3-64 at 224", conv(64, 7, padding=3, stride=2), (224, 224, 3), 8),
    op("11x11 stride 4 3-96 at 227", conv(96, 11, stride=4), (227, 227, 3), 16),
    op("5x5 1-32 at 28 (LeNet)", conv(32, 5, padding=2), (28, 28, 1), 64),
    op(
        "depthwise 3x3 stride 2 128 at 56",
        conv(128, 3, padding=1, stride=2, groups=128),
        (56, 56, 128),
        16,
    ),
)
POOLS_AND_NORMS = (
    op("max pool 3/2 pad 1 64 at 56", MaxPool(3, 2, padding=1), (56, 56, 64), 16),
    op("max pool 2/2 64 at 56", MaxPool(2), (56, 56, 64), 16),
    op("max pool 3/1 pad 1 192 at 28", MaxPool(3, 1, padding=1), (28, 28, 192), 16),
    op("max pool 13/1 pad 6 256 at 13", MaxPool(13, 1, padding=6), (13, 13, 256), 4),
    op("average pool 3/2 pad 1 64 at 56", AvgPool(3, 2, padding=1), (56, 56, 64), 16),
    op("batch norm 64 at 56", BatchNorm(), (56, 56, 64), 16),
    op("batch norm 16 at 32", BatchNorm(), (32, 32, 16), 64),
    op("LRN 5 96 at 27", LocalResponseNorm(5), (27, 27, 96), 16),
)
_REPEATED = {  # each keeps the shape of its input
    "3x3 64": conv(64, 3, padding=1),
    "dilated 3x3 64": conv(64, 3, padding=2, dilation=2),
    "3x3 64 groups 8": conv(64, 3, padding=1, groups=8),
    "depthwise 3x3 64": conv(64, 3, padding=1, groups=64),
    "stride 2 and back 64": Sequential(
        down=conv(64, 3, stride=2, padding=1), up=transposed(64, 4, stride=2, padding=1)
    ),
}
SCANS = tuple(
    op(f"4 times {name} at 32, scanned", Repeat(layer, 4), (32, 32, 64), 32)
    for name, layer in _REPEATED.items()
)
IN_TURN = tuple(
    op(
        f"4 batches of {batch}: {'gradients of ' * gradient}{name} at {size}",
        InTurn(Held(layer), gradient=gradient),
        (size, size, channels),
        4 * batch,
    )
    for name, layer, size, channels, batch in (
        ("3x3 64", conv(64, 3, padding=1), 32, 64, 32),
        ("3x3 stride 2 64", conv(64, 3, stride=2, padding=1), 32, 64, 32),
        ("dilated 3x3 64", conv(64, 3, padding=2, dilation=2), 32, 64, 32),
        ("3x3 64 groups 2", conv(64, 3, padding=1, groups=2), 32, 64, 32),
        ("3x3 64 groups 32", conv(64, 3, padding=1, groups=32), 32, 64, 32),
        ("depthwise 3x3 64", conv(64, 3, padding=1, groups=64), 32, 64, 32),
        ("depthwise 3x3 128", conv(128, 3, padding=1, groups=128), 56, 128, 8),
        ("transposed 4x4 stride 2 64", transposed(64, 4, stride=2, padding=1), 16, 64, 32),
    )
    for gradient in (False, True)
)
OPS = BENCHMARK_LAYERS + SLOW_IN_LAX + COMMON + POOLS_AND_NORMS + SCANS
EVERY_METHOD = (  # each method of convolutions does at least one of them
    *(
        case
        for case in BENCHMARK_LAYERS + COMMON
        if case.name.startswith(("L2", "3x3 64 at 32", "1x1 64-256", "5x5 1-32"))
    ),
    *SLOW_IN_LAX,
)
