"""Nets of every kind of layer that a one-file page computes, for images of 11x9 pixels."""

from dataclasses import dataclass

from jconv import (
    Composite,
    Concat,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    LocalResponseNorm,
    Relu,
    Residual,
    Sequential,
    Tap,
)
from jconv.compose.containers import summed
from jconv.layers import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Clip,
    ConvTranspose,
    Dropout,
    Elu,
    Gelu,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LeakyRelu,
    Local,
    LpPool,
    Maxout,
    MaxPool,
    Normalize,
    PadChannels,
    PRelu,
    Rbf,
    RMSNorm,
    Scale,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Subsampling,
    Tanh,
    Upsample,
)

SHAPE = (11, 9, 3)
CLASSES = ("ant", "bee", "cat", "dog")


@dataclass(frozen=True)
class Branches(Composite):
    """A composite of nobody's but this file's: y = f(x) + g(f(x)), f of one set of weights."""

    f: Layer
    g: Layer

    def run(self, call, x):
        y = call.child("f", self.f, x)
        return call.join(summed, y, call.child("g", self.g, y))


def scored(*layers):
    """The layers, then a score a class."""
    return Sequential(*layers, Flatten(), Dense(len(CLASSES)))


NETS = {
    "convolutions": scored(
        Conv(6, (3, 2), stride=(2, 1), padding=((1, 2), 0)),
        Relu(),
        Conv(4, 3, padding=2, dilation=2, groups=2, bias=False),
        Conv(3, 2, stride=2, rounding="ceil"),
        Conv(4, 3, padding=1, padding_mode="reflect"),
        Conv(2, 3, padding="SAME", padding_mode="circular", mask=((0, 2), (1, 2, 3))),
    ),
    "transposed": scored(
        ConvTranspose(4, 3, stride=2, padding=((0, 1), 1), extra=1, groups=1),
        Conv(4, 3, stride=2),
        ConvTranspose(6, (2, 3), dilation=(1, 2), groups=2, bias=False),
        Upsample(2),
        Local(2, 3, stride=3, padding=1),
    ),
    "pools": scored(
        MaxPool(3, 2, padding=1, rounding="ceil"),
        Concat(
            AvgPool(2, 1, padding=((0, 1), (1, 0))),
            AvgPool(2, 1, padding=((1, 0), (0, 1)), count_padding=False),
            MaxPool(2, 1, padding=((1, 0), (0, 1)), padding_mode="replicate"),
            MaxPool(2, 1, dilation=2, padding=1),
        ),
        LpPool(2, 1, p=3.0),
        Subsampling(2, 1),
        AvgPool(2, rounding="ceil"),
        AdaptiveAvgPool((3, 2)),
        AdaptiveMaxPool((2, 2)),
    ),
    "norms": scored(
        Normalize((0.1, 0.2, 0.3), 0.7),
        BatchNorm(),
        Conv(6, 3),
        BatchNorm(),
        GroupNorm(3),
        InstanceNorm(bias=False),
        LayerNorm(),
        RMSNorm(),
        Scale(),
        LocalResponseNorm(3, 0.5, convention="paper"),
        LocalResponseNorm(4, 0.5, convention="torch", beta=0.5),
        LocalResponseNorm(4, 0.7, within=True, k=2.0),
        Dropout(0.5),
    ),
    "activations": scored(
        *(Concat(Tanh(1.7, 0.6), Sigmoid(), Softplus(2.0), Silu()), Conv(6, 1)),
        *(Concat(Gelu(), Gelu(approximate=False), Elu(0.7), PRelu(), PRelu(shared=True)),),
        *(Maxout(3), Concat(LeakyRelu(0.2), Clip(-0.3, 0.4), Softmax()), PadChannels(34, before=2)),
    ),
    "composites": Sequential(
        Conv(4, 3),
        Tap("seen", Sequential(Flatten(), Dense(2))),
        Residual(Sequential(Conv(4, 3, padding=1), BatchNorm())),
        Residual(Conv(6, 1), shortcut=PadChannels(6), then=Relu()),
        Branches(Conv(4, 2), Conv(4, 3, padding=1)),
        Concat(GlobalAvgPool(), GlobalMaxPool()),
        Rbf(len(CLASSES)),
    ),
    "probabilities": Sequential(GlobalAvgPool(), Dense(len(CLASSES)), Softmax()),
    "scores of a map": Sequential(Conv(4, (11, 9)), Relu()),
}
