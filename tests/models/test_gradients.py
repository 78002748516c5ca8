"""Every architecture, four channels wide: its gradients against central differences, and against
its im2col twin, in float64.

One form of each, and another where its blocks are made of other pieces; deep nets without the
blocks that repeat the one before.
"""

from dataclasses import replace

import numpy as np
import pytest
from sweeps import sweep

from jconv import BatchNorm, Dropout, Identity, Sequential, Tap, gradcheck, map_layers, walk
from jconv.layers import constant, convnetjs_normal
from jconv.models import build

CASES = [  # name, variant, side
    ("lenet5", None, 32),
    ("lenet5_original", None, 32),
    ("caffe_lenet", None, 16),
    ("convnetjs", None, 8),
    ("tiny_vgg", None, 8),
    ("caffe_cifar10_quick", None, 16),
    ("caffe_cifar10_full", None, 16),
    ("local_13pct", None, 8),
    ("local_11pct", None, 8),
    ("cifar94", None, 8),
    ("nin", "cuda-convnet", 8),
    ("nin", "caffe", 8),
    ("all_cnn_a", "all", 16),
    ("all_cnn_c", "conv_pool", 16),
    ("alexnet", "bvlc", 67),
    ("alexnet", "caffenet", 67),
    ("alexnet_owt", "torchvision", 63),
    ("overfeat", None, 71),
    ("zfnet", "paper", 63),
    ("zfnet", "caffe", 64),
    ("vgg11_lrn", None, 32),
    ("vgg16_c", None, 32),
    ("vgg13_bn", None, 32),
    ("inception_v4", "timm", 75),
    ("resnet18", "torch", 32),
    ("resnet50", "msra", 32),
    ("cifar_resnet20", "A", 8),
    ("cifar_resnet20", "B", 8),
    ("preact_resnet18", None, 32),
    ("preact_resnet50", None, 32),
    ("preact_resnet20", None, 8),
    ("preact_resnet164", None, 8),
    ("context_basic", "dilation8", 5),
    ("context_large", "train", 5),
]

QUICK = ("lenet5",)

# At test time: in training their last batch norms see three values each, too curved for
# differences; and what biases give before a batch norm, VGG's and those of the authors' ResNet-50,
# is nothing but rounding.
TESTED = {"inception_v4", "vgg13_bn", "resnet50"}


def awake(_, layer):
    """Drawn so that of four channels hardly any is dead after its ReLU."""
    if not hasattr(layer, "kernel_init"):
        return layer
    return replace(layer, kernel_init=convnetjs_normal(), bias_init=constant(1.0))


def passes(net, in_shape, train=True):
    train &= any(isinstance(v.layer, (BatchNorm, Dropout)) for v in walk(net, in_shape))
    check = gradcheck(map_layers(net, awake), in_shape, train=train, directions=1)
    assert check.passed, str(check)
    # the twin is another program; layers without one have none
    assert np.nanmax([leaf.twin for leaf in check.leaves]) > 0
    # no gradient is zero, which any two would agree on
    assert [leaf.name for leaf in check.leaves if leaf.numeric == 0] == []


@pytest.mark.parametrize(("name", "variant", "side"), sweep(CASES, QUICK))
def test_every_gradient_is_that_of_differences_and_of_im2col(name, variant, side, slim):
    net, (*_, channels) = build(name, classes=4, variant=variant)
    passes(slim(net), (side, side, channels), train=name not in TESTED)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("variant", "side"), [("caffe", 64), ("torchvision", 32)])
def test_googlenet_and_its_auxiliary_heads(variant, side, slim):
    net = slim(build("googlenet", classes=4, variant=variant)[0])
    heads = [layer.body for _, layer in net.children if isinstance(layer, Tap)]
    passes(
        map_layers(net, lambda _, layer: Identity() if isinstance(layer, Tap) else layer),
        (side, side, 3),
        train=False,
    )
    passes(heads[0], (14, 14, 4))
    assert heads[0] == heads[1]


@pytest.mark.exhaustive
def test_the_dilated_front_end_from_its_third_stage(slim):
    """What comes before are VGG's pieces, on an image of 380 pixels."""
    layers = slim(build("dilated_frontend", classes=4)[0]).layers
    names = [name for name, _ in layers]
    passes(Sequential(**dict(layers[names.index("conv3_1") :])), (92, 92, 4))
