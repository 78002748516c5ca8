"""What is written runs in ONNX's own evaluator as it does here, and reads back as the same."""

import jax
import numpy as np
import onnx
import pytest

from jconv import (
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Clip,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Elu,
    Flatten,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    Identity,
    InputError,
    InstanceNorm,
    LeakyRelu,
    LocalResponseNorm,
    LpPool,
    MaxPool,
    Normalize,
    PadChannels,
    PRelu,
    Relu,
    Repeat,
    Residual,
    Scale,
    Sequential,
    Sigmoid,
    Silu,
    Softplus,
    Tanh,
    Tap,
    thin,
)
from jconv.data.pixels import PixelScale
from jconv.models import build
from jconv.weights import Weights
from jconv.weights.onnx.evaluation import evaluate
from jconv.weights.onnx.reader import read_onnx
from jconv.weights.onnx.writer import write_onnx

IMAGE = (9, 11, 3)


def chain(*layers):
    return Sequential(first=Conv(4, 3, padding=1), **{f"l{i}": x for i, x in enumerate(layers)})


NETS = {
    "strides, dilation, groups": chain(
        Conv(6, (3, 2), stride=(2, 1), padding=((1, 0), (0, 2)), groups=2, bias=False),
        Conv(4, 3, padding="SAME", dilation=2),
    ),
    "rounding up": chain(Conv(4, 2, stride=2, rounding="ceil"), MaxPool(2, rounding="ceil")),
    "a mask": Sequential(conv=Conv(4, 3, mask=((0, 1), (2,), (0, 2), (1,)))),
    "transposed": chain(ConvTranspose(5, 3, stride=2, padding=1, extra=1, groups=1)),
    "pools": chain(
        MaxPool(3, 2, padding=1),
        AvgPool(3, 1, padding=1),
        AvgPool(3, 1, padding=1, count_padding=False),
        LpPool(2, 1),
    ),
    "bins": chain(AvgPool(2, 1), AdaptiveAvgPool((4, 5))),
    "norms": chain(
        BatchNorm(eps=1e-3), BatchNorm(scale=False, bias=False), InstanceNorm(), Scale(),
        Scale(bias=False),
    ),
    "across": chain(LocalResponseNorm(3, alpha=0.1), LocalResponseNorm(5, convention="paper")),
    "bent": chain(
        Relu(), Clip(-0.5, 0.75), LeakyRelu(0.2), PRelu(), PRelu(shared=True), Elu(0.7), Sigmoid(),
        Tanh(), Tanh(1.7159, 2 / 3), Softplus(), Gelu(), Gelu(approximate=False), Silu(),
    ),
    "flat": chain(
        MaxPool(2), Flatten(), BatchNorm(), PRelu(), Dense(7), Relu(), Dropout(),
        Dense(5, bias=False),
    ),
    "global": chain(GlobalAvgPool(), Dense(3)),
    "largest": chain(GlobalMaxPool(), Scale(), Dense(3)),
    "scaled images": Sequential(normalize=Normalize((0.1, 0.2, 0.3), 0.5), conv=Conv(2, 3)),
    "branches": Sequential(
        block=Residual(Conv(3, 3, padding=1), then=Relu()),
        wider=Residual(Conv(8, 1, 2), Sequential(sub=AvgPool(1, 2), pad=PadChannels(8, before=2))),
        beside=Concat(a=Conv(2, 1), b=Sequential(c=Conv(3, 1), d=Relu()), e=Identity()),
        aux=Tap("aux", Sequential(pool=GlobalAvgPool(), fc=Dense(2)), train_only=True),
        pool=GlobalAvgPool(),
    ),
}  # fmt: skip


@pytest.fixture
def trip(filled, tmp_path, rng):
    """Writes a net with random numbers, and gives its scores here, in ONNX, and read back."""

    def go(net, in_shape, batch=2):
        params, state = filled(net, in_shape)
        path = tmp_path / "net.onnx"
        names = tuple(map(str, range(net.out_shape(in_shape)[-1])))
        write_onnx(path, Weights(net, in_shape, names, params, state, PixelScale((0.5,))))
        x = rng.standard_normal((batch, *in_shape)).astype(np.float32)
        here, _ = jax.jit(net.apply)(params, state, x)
        (there,) = evaluate(path, np.moveaxis(x, -1, 1))
        back = read_onnx(path).weights
        again, _ = jax.jit(back.net.apply)(back.params, back.state, x)
        return here, np.moveaxis(there, 1, -1), again, back

    return go


@pytest.mark.sweep(6)
@pytest.mark.parametrize("name", NETS)
def test_the_scores_are_the_same(name, trip, close):
    net = NETS[name]
    here, there, again, _ = trip(net, IMAGE)
    close(there, here, 1e-5)
    close(again, here, 1e-5)


@pytest.mark.sweep(2)
@pytest.mark.parametrize(
    "name, in_shape",
    [
        ("lenet5", (32, 32, 1)),
        ("alexnet", (67, 67, 3)),
        ("cifar_resnet20", (16, 16, 3)),
        ("preact_resnet18", (33, 33, 3)),
        pytest.param("googlenet", (80, 80, 3), marks=pytest.mark.exhaustive),
        pytest.param("vgg11_bn", (32, 32, 3), marks=pytest.mark.exhaustive),
        pytest.param("resnet50", (33, 33, 3), marks=pytest.mark.exhaustive),
        pytest.param("inception_v4", (75, 75, 3), marks=pytest.mark.exhaustive),
    ],
)
def test_published_nets(name, in_shape, trip, close):
    net = thin(build(name)[0], 1 / 8)
    here, there, again, _ = trip(net, in_shape, 1)
    close(there, here, 2e-5)
    close(again, here, 2e-5)


def test_a_net_that_was_read_is_the_net_that_was_written(trip):
    net = Sequential(
        conv1=Conv(4, 3, padding=1, bias=False),
        bn1=BatchNorm(),
        block=Residual(Sequential(conv=Conv(4, 3, padding=1), bn=BatchNorm()), then=Relu()),
        pool=GlobalAvgPool(),
        fc=Dense(5),
    )
    _, _, _, back = trip(net, IMAGE)
    kinds = [type(layer).__name__ for _, layer in back.net.children]
    assert kinds == ["Conv", "BatchNorm", "Residual", "GlobalAvgPool", "Dense"]
    residual = back.net.children[2][1]
    assert residual.then == Relu() and residual.shortcut == Identity()
    assert back.in_shape == IMAGE


@pytest.mark.parametrize(
    "layer, words",
    [
        (GroupNorm(2), "l0: GroupNorm cannot be written as ONNX"),
        (Repeat(Conv(4, 3, padding=1), 2), "l0: a loop cannot be written as ONNX"),
        (Conv(2, 3, padding=1, padding_mode="reflect"), "l0: padding_mode='reflect'"),
        (LocalResponseNorm(3, within=True), "l0: a response norm within channels"),
        (AdaptiveAvgPool((4, 4)), "l0: its bins differ in size"),
    ],
)
def test_what_onnx_has_not_is_named(layer, words, trip, tmp_path):
    with pytest.raises(InputError, match=words):
        trip(chain(layer), IMAGE)
    assert not list(tmp_path.iterdir())


def test_the_scale_and_the_classes_travel(trip, tmp_path):
    trip(NETS["global"], IMAGE)
    about = {p.key: p.value for p in onnx.load(tmp_path / "net.onnx").metadata_props}["jconv"]
    assert '"pixel_mean": [0.5]' in about and '"class_names": ["0", "1", "2"]' in about
