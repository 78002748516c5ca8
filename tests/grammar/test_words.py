import pytest

from jconv import (
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Identity,
    Local,
    LocalResponseNorm,
    MaxPool,
    Relu,
    Sequential,
)
from jconv.grammar.words import names
from jconv.layers import Rbf
from jconv.models import build

NET = (
    Dropout(),
    Conv(4, 3),
    Relu(),
    Relu(),
    Local(4, 3),
    LocalResponseNorm(),
    MaxPool(2),
    Identity(),
    Conv(4, 3),
    BatchNorm(),
)
NET += (Flatten(), Dense(5), Relu(), Dense(4))


def test_kinds_are_what_Sequential_says():
    assert names(NET, "kinds") == [name for name, _ in Sequential(*NET).layers]


def test_alexnet_counts_the_layers_with_features():
    expected = (
        "drop0 conv1 relu1 relu1x2 local2 norm2 pool2 identity2 conv3 bn3 flatten fc4 relu4 fc5"
    )
    assert names(NET, "alexnet") == expected.split()


def test_vgg_counts_stages_and_the_convolutions_in_them():
    expected = (
        "drop0 conv1_1 relu1_1 relu1_1x2 local1_2 norm1_2 pool1 identity1 conv2_1 bn2_1 flatten "
        "fc3 relu3 fc4"
    )
    assert names(NET, "vgg") == expected.split()


def test_stages_without_a_convolution():
    layers = [MaxPool(2), MaxPool(2), GlobalAvgPool(), Dense(3), Rbf(2)]
    assert names(layers, "vgg") == ["pool1", "pool2", "pool3", "fc4", "rbf5"]
    assert names(layers, "alexnet") == ["pool0", "pool0x2", "pool0x3", "fc1", "rbf2"]


@pytest.mark.parametrize("model", ["alexnet", "zfnet", "lenet5", "overfeat"])
def test_the_names_of_AlexNet(model):
    net, _ = build(model)
    assert names([layer for _, layer in net.layers], "alexnet") == [name for name, _ in net.layers]


@pytest.mark.parametrize("model", ["vgg11", "vgg13_bn", "vgg16_c", "vgg16", "vgg19_bn"])
def test_the_names_of_VGG(model):
    net, _ = build(model)
    assert names([layer for _, layer in net.layers], "vgg") == [name for name, _ in net.layers]
