"""The networks measured, without dropout: a generator of random numbers is not what is compared."""

from __future__ import annotations

from dataclasses import replace

from jconv.compose import Sequential, Tap
from jconv.geometry import Shape
from jconv.layer import Layer, map_layers
from jconv.layers import Conv, Dense, Dropout, Flatten, Identity, LocalResponseNorm, MaxPool, Relu
from jconv.models import build  # type: ignore  (models/ is mapped into the package)

from .case import Case


def lenet() -> Layer:
    """28x28x1: 5x5-32, 5x5-64, FC256, the LeNet of the frameworks' own tutorials."""
    layers = {}
    for i, width in enumerate((32, 64), 1):  # 14x14x32, 7x7x64
        layers |= {
            f"conv{i}": Conv(width, 5, padding=2),
            f"relu{i}": Relu(),
            f"pool{i}": MaxPool(2),
        }
    return Sequential(**layers, flatten=Flatten(), fc3=Dense(256), relu3=Relu(), fc4=Dense(10))


def vgg_small() -> Layer:
    """32x32x3: pairs of 3x3 convolutions 64, 128, 256, each pair pooled, FC256."""
    layers = {}
    for i, width in enumerate((64, 128, 256), 1):  # 16x16, 8x8, 4x4
        for j in (1, 2):
            layers |= {f"conv{i}_{j}": Conv(width, 3, padding=1), f"relu{i}_{j}": Relu()}
        layers[f"pool{i}"] = MaxPool(2)
    return Sequential(**layers, flatten=Flatten(), fc4=Dense(256), relu4=Relu(), fc5=Dense(10))


def zoo(name: str) -> tuple[Layer, Shape]:
    """A published net and its input shape, without dropout."""
    net, in_shape = build(name)
    return map_layers(
        net, lambda _, layer: Identity() if isinstance(layer, Dropout) else layer
    ), in_shape


def benchmark_googlenet() -> tuple[Layer, Shape]:
    """convnet-benchmarks' GoogLeNet: no response norms, no auxiliary heads, pools padded by 1."""
    net, in_shape = zoo("googlenet")

    def change(_: str, layer: Layer) -> Layer:
        if isinstance(layer, (LocalResponseNorm, Tap)):
            return Identity()
        halves = isinstance(layer, MaxPool) and layer.stride == 2
        return replace(layer, padding=1, rounding="floor") if halves else layer

    return map_layers(net, change), in_shape


SMALL = (
    Case("LeNet", lenet(), (28, 28, 1), 64),
    Case("VGG-small", vgg_small(), (32, 32, 3), 32),
    Case("ResNet-20", *zoo("cifar_resnet20"), 64),
)
LARGE = (
    Case("AlexNet (groups)", *zoo("alexnet"), 16),
    Case("ResNet-50", *zoo("resnet50"), 8),
)
TABLE = (  # of convnet-benchmarks' README, whose batches are eight times these
    Case("AlexNet-OWT", *zoo("alexnet_owt"), 16),
    Case("OverFeat", *zoo("overfeat"), 16),
    Case("VGG-A", *zoo("vgg11"), 8),
    Case("GoogLeNet", *benchmark_googlenet(), 16),
)
PER_EXAMPLE = tuple(Case(f"LeNet b{batch}", lenet(), (28, 28, 1), batch) for batch in (64, 512))
GPU = (
    Case("ResNet-50", *zoo("resnet50"), 128),
    Case("VGG-16", *zoo("vgg16"), 64),
    Case("ResNet-20", *zoo("cifar_resnet20"), 1024),
    Case("ResNet-110", *zoo("cifar_resnet110"), 512),
)
