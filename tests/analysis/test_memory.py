"""Memory by arithmetic against what jax saves, and the CS231n notes' figures."""

import pytest
from balanced_html import read
from residuals import residuals

from jconv import (
    AvgPool,
    BatchNorm,
    Concat,
    ContrastNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Elu,
    Flatten,
    Gelu,
    GlobalMaxPool,
    GroupNorm,
    LayerNorm,
    LeakyRelu,
    Local,
    LocalResponseNorm,
    LpPool,
    Maxout,
    MaxPool,
    Rbf,
    Relu,
    Residual,
    Scale,
    Sequential,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Subsampling,
    Tanh,
    budget,
    largest_batch,
    saved_bytes,
    streaming_peak,
)
from jconv.errors import InputError
from jconv.models import build

MIB, GIB = 2**20, 2**30


LAYERS = [
    Conv(5, 3),
    Conv(6, 3, groups=2),
    ConvTranspose(3, 3),
    Dense(7),
    Rbf(7),
    MaxPool(3, 2),
    MaxPool(17, 1, padding=8),
    AvgPool(3, 2),
    LpPool(2),
    GlobalMaxPool(),
    Subsampling(2),
    BatchNorm(),
    BatchNorm(scale=False),
    Scale(),
    GroupNorm(2),
    LayerNorm(),
    LocalResponseNorm(),
    LocalResponseNorm(3, within=True),
    ContrastNorm(3),
    Dropout(0.5),
    Relu(),
    LeakyRelu(),
    Elu(),
    Gelu(),
    Gelu(approximate=False),
    Silu(),
    Sigmoid(),
    Tanh(),
    Softplus(),
    Softmax(),
    Maxout(2),
]


@pytest.mark.sweep(12)
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_every_layer_says_what_jax_keeps_of_an_example(layer):
    flat = isinstance(layer, Dense | Rbf)
    net = Sequential(Conv(6, 1), *([Flatten()] if flat else []), layer)
    grown = lambda n: residuals(net, (8, 9, 4), n)
    assert grown(5) - grown(3) == 2 * saved_bytes(net, (8, 9, 4))


def test_locals_columns_are_kept():
    net = Sequential(Conv(6, 1), Local(2, 3))
    assert residuals(net, (8, 9, 4), 5) - residuals(net, (8, 9, 4), 3) == 2 * saved_bytes(
        net, (8, 9, 4)
    )


@pytest.mark.sweep(1)
@pytest.mark.parametrize(
    "name",
    [
        "lenet5",
        "caffe_lenet",
        "cifar_resnet20",
        "nin",
        "all_cnn_c",
        "vgg16",
        "alexnet",
        "googlenet",
        "resnet18",
        "preact_resnet18",
    ],
)
def test_predicted_training_memory_of_the_zoo_is_within_two_percent(name):
    net, in_shape = build(name)
    predicted = budget(net, in_shape, 3, optimizer="sgd")
    arguments = predicted.parameters + predicted.statistics + predicted.images
    kept = residuals(net, in_shape, 3)
    assert abs(predicted.saved - kept) <= 0.02 * kept
    assert abs(arguments + predicted.saved - (arguments + kept)) <= 0.02 * (arguments + kept)


def test_an_input_kept_twice_counts_once():
    net = Sequential(Conv(4, 1), Concat(a=Conv(2, 3, padding=1), b=Conv(3, 1)))
    assert saved_bytes(net, (7, 5, 3)) == 4 * 7 * 5 * 4
    assert residuals(net, (7, 5, 3), 2) == 2 * saved_bytes(net, (7, 5, 3))


def test_the_image_is_an_argument_and_not_saved():
    assert saved_bytes(Conv(4, 3), (7, 5, 3)) == 0
    assert budget(Conv(4, 3), (7, 5, 3), 2).images == 2 * 7 * 5 * 3 * 4


def test_half_precision_halves_what_is_not_wide():
    net = Sequential(Conv(4, 1), Conv(4, 1), BatchNorm())
    assert saved_bytes(net, (7, 5, 3), "bfloat16") == 7 * 5 * 4 * 2 + 7 * 5 * 4 * 4


def test_vgg16_in_bytes():
    net, in_shape = build("vgg16")
    b = budget(net, in_shape, 1, optimizer="momentum")
    assert b.parameters == 553_430_176
    assert round(b.fixed / MIB, 2) == 1583.38
    assert round(budget(*build("alexnet"), 1).fixed / MIB, 2) == 697.69


def test_caches_by_optimizer():
    net, in_shape = build("lenet5")
    factor = lambda name: budget(net, in_shape, 1, optimizer=name).fixed / (4 * 61_706)
    assert [factor(name) for name in ("sgd", "momentum", "adagrad", "rmsprop", "adam")] == [
        2,
        3,
        3,
        3,
        4,
    ]


def test_the_streaming_peak_of_vgg16():
    assert streaming_peak(*build("vgg16")) == 6_422_528


def test_the_peak_of_branches_counts_what_waits():
    block = Residual(Sequential(Conv(8, 1), Relu(), Conv(4, 1)))
    # input 4 channels waits while the body makes 8 and then 4; the sum needs no room of its own
    assert streaming_peak(block, (5, 3, 4)) == 5 * 3 * (4 + 8 + 4)
    fork = Concat(a=Conv(2, 1), b=Conv(3, 1))
    assert streaming_peak(fork, (5, 3, 4)) == 5 * 3 * (2 + 3 + 5)


def test_a_relu_that_shares_its_input_needs_room():
    alone = Sequential(Conv(4, 1), Relu())
    shared = Sequential(Conv(4, 1), Residual(Sequential(Relu(), Relu())))
    assert streaming_peak(alone, (5, 3, 4)) == 5 * 3 * 8
    assert streaming_peak(shared, (5, 3, 4)) == 5 * 3 * 8
    assert streaming_peak(Residual(Relu()), (5, 3, 4)) == 5 * 3 * 8


def test_the_largest_batch_is_the_largest():
    net, in_shape = build("lenet5")
    size = 64 * MIB
    batch = largest_batch(net, in_shape, size, optimizer="adam")
    assert (
        budget(net, in_shape, batch, optimizer="adam").total
        <= size
        < budget(net, in_shape, batch + 1, optimizer="adam").total
    )


def test_a_budget_below_the_parameters_says_so():
    net, in_shape = build("vgg16")
    with pytest.raises(
        InputError,
        match=r"512.0 MiB hold no training: parameters, gradients and momentum's cache take "
        r"1,583.4 MiB .* at least",
    ):
        largest_batch(net, in_shape, 512 * MIB)


def test_an_unknown_optimizer_lists_those_there_are():
    with pytest.raises(InputError, match="unknown optimizer 'tiger'; use 'sgd', 'momentum'"):
        budget(Conv(2, 3), (5, 5, 1), 1, optimizer="tiger")


def test_a_budget_is_told_in_mebibytes():
    found = budget(Sequential(fc=Dense(2**10)), (2**10,), 2**9, optimizer="adam")
    said = dict(line.rsplit(maxsplit=1) for line in str(found).splitlines() if "--" not in line)
    assert said["parameters"] == "4.00" and said["the optimizer's cache"] == "8.01"
    assert said["the images"] == "2.00" and said["total"] == f"{found.total / 2**20:.2f}"
    assert repr(found) == str(found)
    page = read(found._repr_html_())
    assert page.words[1:] == [cell for row in found.cells() for cell in row]
    assert "unknown" in str(found._replace(saved=None)).splitlines()[-1]
