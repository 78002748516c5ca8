"""Pre-activation ResNet for CIFAR."""

import pytest

from jconv import Conv, Dense, summary, walk
from jconv.models import build


@pytest.mark.sweep(1)
@pytest.mark.parametrize(
    ("depth", "classes", "params"),
    [(164, 10, 1_703_258), (1001, 10, 10_327_706), (164, 100, 1_726_388), (1001, 100, 10_350_836)],
)
def test_bottlenecks(depth, classes, params):
    assert summary(*build(f"preact_resnet{depth}", classes=classes)).totals.params == params


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_basic_units_have_the_parameters_of_the_post_activation_net(depth):
    pre, post = (
        summary(*build(f"{name}{depth}")).totals for name in ("preact_resnet", "cifar_resnet")
    )
    assert pre.params == post.params
    assert pre.macs == post.macs


@pytest.mark.parametrize("depth", [20, 110, 164, 1001])
def test_weight_layers(depth):
    visits = walk(*build(f"preact_resnet{depth}"))
    assert (
        sum(isinstance(v.layer, (Conv, Dense)) and "shortcut" not in v.path for v in visits)
        == depth
    )


def test_sizes_and_projections():
    net, in_shape = build("preact_resnet164")
    visits = list(walk(net, in_shape))
    projections = {
        v.path: v.out_shape for v in visits if "shortcut" in v.path and isinstance(v.layer, Conv)
    }
    assert projections == {
        "stage1/block1/add/shortcut": (32, 32, 64),
        "stage2/block1/add/shortcut": (16, 16, 128),
        "stage3/block1/add/shortcut": (8, 8, 256),
    }


def test_the_stride_is_on_the_first_1x1():
    strides = {
        v.path: v.layer
        for v in walk(*build("preact_resnet164"))
        if isinstance(v.layer, Conv) and v.layer.stride == 2
    }
    assert {path.rpartition("/")[2] for path in strides} == {"conv1", "shortcut"}
    assert {layer.kernel for layer in strides.values()} == {1}
