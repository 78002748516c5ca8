import random
from dataclasses import dataclass, replace
from functools import cache

import pytest

from jconv import (
    AvgPool,
    BatchNorm,
    Concat,
    ContrastNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Lambda,
    Layer,
    LayerError,
    LeakyRelu,
    Local,
    LocalResponseNorm,
    LpPool,
    MaxPool,
    Normalize,
    Relu,
    Sequential,
    ShapeError,
    Softmax,
    Subsampling,
    Tanh,
    describe,
    pattern,
)
from jconv.grammar.notation import shortest
from jconv.grammar.words import RULES, names
from jconv.layers import (
    Initializer,
    caffe_xavier,
    constant,
    gaussian,
    he_normal,
    identity_kernel,
    msra_normal,
    symmetric_uniform,
    torch_uniform,
    zeros,
)
from jconv.models import MODELS, build

NOTES = [  # the layer patterns of the CS231n notes, the last in the words of its shortest form
    "INPUT -> FC",
    "INPUT -> CONV -> RELU -> FC",
    "INPUT -> [CONV -> RELU -> POOL]*2 -> FC -> RELU -> FC",
    "INPUT -> [[CONV -> RELU]*2 -> POOL]*3 -> [FC -> RELU]*2 -> FC",
]
LINEAR = [
    name for name in MODELS if all(not layer.children for _, layer in build(name)[0].children)
]


@pytest.mark.parametrize("text", NOTES)
def test_the_notes_examples_come_back_word_for_word(text):
    assert describe(pattern(text)) == text


def test_there_are_linear_nets_in_the_zoo():
    assert {
        "lenet5",
        "alexnet",
        "zfnet",
        "vgg11",
        "vgg13",
        "vgg16_c",
        "vgg16",
        "vgg19",
        "vgg16_bn",
        "nin",
    } <= set(LINEAR)


@pytest.mark.parametrize("name", LINEAR)
def test_the_linear_nets_of_the_zoo(name):
    net, in_shape = build(name)
    assert pattern(describe(net)) == net
    assert pattern(describe(net, in_shape)) == net


def test_VGG_16_in_its_shortest_form():
    plain = replace_inits(build("vgg16")[0])
    stages = "[[CONV3-64 -> RELU]*2 -> POOL] -> [[CONV3-128 -> RELU]*2 -> POOL]"
    text = (
        'INPUT224x224x3(names="vgg") -> [CONV3-64 -> RELU]*2 -> POOL -> [CONV3-128 -> RELU]*2 -> '
        "POOL -> [CONV3-256 -> RELU]*3 -> POOL"
    )
    text += " -> [[CONV3-512 -> RELU]*3 -> POOL]*2 -> [FC-4096 -> RELU -> DROPOUT]*2 -> FC-1000"
    assert describe(plain, (224, 224, 3)) == text
    assert (
        pattern(
            text.replace("[CONV3-64 -> RELU]*2 -> POOL -> [CONV3-128 -> RELU]*2 -> POOL", stages)
        )
        == plain
    )


def replace_inits(net):
    return Sequential(
        **{
            name: replace(layer, kernel_init=msra_normal())
            if hasattr(layer, "kernel_init")
            else layer
            for name, layer in net.layers
        }
    )


def drawn_layer(draw):
    """Any layer a pattern has a word for, with settings that are and that are not the usual
    ones.
    """
    some = draw.choice
    kernel, size = some([3, 3, 3, 1, 5, 2, (3, 5), (3,), (1, 2, 3)]), some([2, 2, 3, (2, 3), (2,)])
    features, stride = some([12, 64, 10, 100, 7]), some([1, 1, 2, (2, 1)])
    padding = some([1, 1, 0, 2, "SAME", "VALID", (1, 2), ((0, 1), 2), (1,)])
    init = some(
        [
            he_normal(),
            caffe_xavier(),
            msra_normal("out"),
            gaussian(0.01),
            torch_uniform(),
            Initializer("uniform", 3.0, "out"),
        ]
    )
    bias = some([zeros, constant(0.1), symmetric_uniform(0.2)])
    conv = {
        "stride": stride,
        "padding": padding,
        "dilation": some([1, 1, 2, (1, 2)]),
        "bias": some([True, True, False]),
    }
    return some(
        [
            lambda: Conv(
                features,
                kernel,
                **conv,
                kernel_init=init,
                bias_init=bias,
                rounding=some(["floor", "ceil", "exact"]),
            ),
            lambda: Conv(
                12, 3, padding=1, groups=some([1, 2, 3]), method=some(["auto", "im2col", "lax"])
            ),
            lambda: Conv(3, 3, mask=((0,), (0, 2), (1, 2))),
            lambda: Conv(features, kernel, padding=padding),
            lambda: Local(features, 3, padding=padding),
            lambda: ConvTranspose(features, some([3, 4]), stride=2, padding=1, extra=some([0, 1])),
            lambda: some([MaxPool, AvgPool, LpPool])(
                size, some([None, 2, (1, 2)]), padding, some(["floor", "ceil"])
            ),
            lambda: AvgPool(3, 2, count_padding=False),
            lambda: LpPool(2, p=some([2.0, 1.5, 3.0])),
            lambda: Subsampling(size),
            lambda: Dense(features, bias=some([True, False]), kernel_init=init),
            lambda: some(
                [Relu(), Flatten(), GlobalAvgPool(), Softmax(), LeakyRelu(0.2), Tanh(1.7159, 2 / 3)]
            ),
            lambda: some(
                [
                    BatchNorm(),
                    BatchNorm(eps=1e-3, scale=False),
                    GroupNorm(4),
                    Dropout(),
                    Dropout(0.25, channels=True),
                ]
            ),
            lambda: some(
                [
                    LocalResponseNorm(),
                    LocalResponseNorm(9, k=2.0, convention="paper"),
                    ContrastNorm(size=7),
                ]
            ),
            lambda: some([Normalize(), Normalize((0.5, 0.25), 1 / 3)]),
        ]
    )()


def drawn_net(draw):
    """A net of up to 24 layers, with parts repeated and with names of any kind."""
    layers = []
    while len(layers) < draw.randint(1, 14):
        part = [drawn_layer(draw) for _ in range(draw.randint(1, 4))]
        layers += part * draw.choice([1, 1, 2, 3])
    given = names(layers, draw.choice(RULES))
    if draw.random() < 0.3:
        given = [draw.choice([name, f"own {i}", f'"{i}\\']) for i, name in enumerate(given)]
    return Sequential(**dict(zip(given, layers, strict=True)))


@pytest.mark.sweep(3)
@pytest.mark.parametrize("seed", range(20))
def test_generated_nets_come_back_equal(seed):
    draw = random.Random(seed)
    for _ in range(50):  # 1,000 in all
        net = drawn_net(draw)
        assert pattern(describe(net)) == net


def test_the_size_is_written_and_what_does_not_fit_says_how_it_is_rounded():
    net = Sequential(
        Conv(8, 3, stride=2, padding=1),
        MaxPool(2, rounding="ceil"),
        AvgPool(2),
        Flatten(),
        Dense(10),
    )
    text = describe(net, (9, 10, 3))
    assert (
        text == 'INPUT9x10x3 -> CONV3-8/2(rounding="floor") -> POOL(rounding="ceil") -> '
        'AVGPOOL(rounding="floor") -> FC'
    )
    assert pattern(text) == net
    assert describe(Sequential(Dense(5), Dense(10)), (784,)) == "INPUT784 -> FC-5 -> FC"


def test_names_are_written_where_no_rule_gives_them():
    net = Sequential(conv1=Conv(8, 3, padding=1), relu1=Relu(), flatten=Flatten(), scores=Dense(10))
    assert describe(net) == 'INPUT(names="alexnet") -> CONV3-8 -> RELU -> FC(name="scores")'
    assert describe(Sequential(a=Flatten(), dense1=Dense(10))) == 'INPUT -> FLATTEN(name="a") -> FC'


def test_dense_layers_without_a_flatten():
    assert describe(Sequential(MaxPool(2), Dense(10))) == "INPUT -> POOL -> DENSE"
    assert (
        describe(Sequential(GlobalAvgPool(), Dense(10), Flatten(), Dense(10)))
        == "INPUT -> GLOBALAVGPOOL -> FC-10 -> FLATTEN -> FC"
    )


def test_initializers_by_their_names():
    net = Sequential(
        Conv(4, 3, padding=1, kernel_init=identity_kernel(2, noise=0.5), bias_init=constant(0.1))
    )
    assert (
        describe(net)
        == 'INPUT -> CONV3-4(kernel_init=Initializer("identity", groups=2, noise=0.5), '
        "bias_init=constant(0.1))"
    )


@cache
def brute(words):
    """The shortest length by trying every split and every repetition."""
    if not words:
        return 0
    best = (
        len(words[0])
        if len(words) == 1
        else min(brute(words[:i]) + 4 + brute(words[i:]) for i in range(1, len(words)))
    )
    for times in range(2, len(words) + 1):
        block = words[: len(words) // times]
        if block * times == words:
            best = min(
                best, (len(block[0]) if len(block) == 1 else brute(block) + 2) + len(f"*{times}")
            )
    return best


def test_repetition_is_the_shortest_there_is():
    draw = random.Random(0)
    for _ in range(300):
        words = tuple(
            draw.choice(["A", "B", "CONV3-64"][: draw.randint(1, 3)])
            for _ in range(draw.randint(1, 12))
        )
        text = shortest(words)
        assert len(text) == brute(words)
    assert shortest(["A"] * 3 + ["B"] + (["A"] * 3 + ["B"])) == "[A*3 -> B]*2"


def test_a_long_repetitive_net_takes_no_time():
    assert describe(Sequential(*[Relu()] * 900)) == "INPUT -> RELU*900"
    assert describe(Sequential(*[Relu(), Tanh()] * 400)) == "INPUT -> [RELU -> TANH]*400"


@dataclass(frozen=True)
class Own(Layer):
    """A layer that is not jconv's."""

    def apply(self, params, state, x, *, train=False, key=None):
        return x, state


@pytest.mark.parametrize(
    "net, words",
    [
        (Conv(8, 3), "a pattern describes a Sequential, Conv came; wrap a single layer"),
        (Concat(a=Relu()), "a pattern describes a Sequential, Concat came"),
        (Sequential(a=Relu(), b=Sequential(Relu())), "b: a pattern has no word for Sequential"),
        (Sequential(a=Lambda(abs)), "a: a pattern has no word for Lambda"),
        (Sequential(a=Own()), "a: a pattern has no word for Own"),
        (
            Sequential(a=Conv(8, 3, kernel_init=abs)),
            "a: the setting <built-in function abs> cannot be written",
        ),
        (Sequential(*[Relu()] * 1001), "the net has 1001 layers, a pattern has 1000 at most"),
    ],
)
def test_what_no_pattern_says(net, words):
    with pytest.raises(LayerError) as caught:
        describe(net)
    assert words in str(caught.value)


def test_a_shape_that_does_not_fit():
    with pytest.raises(ShapeError, match="^a: a 7-wide window does not fit 5 pixels"):
        describe(Sequential(a=Conv(8, 7)), (5, 5, 3))
