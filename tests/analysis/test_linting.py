import pytest

from jconv import (
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Finding,
    Flatten,
    GlobalAvgPool,
    Identity,
    Local,
    LocalResponseNorm,
    MaxPool,
    Relu,
    Residual,
    Sequential,
    ShapeError,
    Subsampling,
    Tap,
    lint,
    pattern,
)
from jconv.models import build


def same(features, kernel=3, **settings):
    return Conv(features, kernel, padding=kernel // 2, **settings)


def rules(net, in_shape):
    return [(f.path, f.rule) for f in lint(net, in_shape)]


BROKEN = [  # rule, net that breaks it, input, path, words, fix; and a net that keeps it
    (
        "input size",
        Sequential(same(4), MaxPool(2), same(4), MaxPool(2), GlobalAvgPool()),
        (30, 30, 3),
        "input",
        "30 = 15*2^1 can be halved 1 times, and the net, of stride 4, halves 2 times",
        "use 32 = 1*2^5",
        (32, 32, 3),
    ),
    (
        "window",
        Sequential(conv1=same(4, 7), conv2=same(8, 7)),
        (16, 16, 3),
        "conv2",
        "a 7x7 window beyond the first layer has 1,568 weights; 3 of 3x3 see 7 pixels with 1,440",
        "use 3 convolutions of 3, each with its activation",
        Sequential(conv1=same(4, 7), conv2=same(8, 5)),
    ),
    (
        "padding",
        Sequential(conv1=Conv(4, 5)),
        (32, 32, 3),
        "conv1",
        "32x32 becomes 28x28; P = (F - 1)/2 = 2 keeps the size and the border",
        "use padding=2",
        Sequential(conv1=Conv(4, 5, padding=2)),
    ),
    (
        "padding",
        Sequential(conv1=Conv(4, (3, 5), dilation=2)),
        (32, 32, 3),
        "conv1",
        "32x32 becomes 28x24; P = (F - 1)/2 = (2, 4)",
        "use padding=(2, 4)",
        Sequential(conv1=Conv(4, (3, 5), dilation=2, padding=(2, 4))),
    ),
    (
        "padding",
        Sequential(conv1=Conv(4, 2)),
        (32, 32, 3),
        "conv1",
        "32x32 becomes 31x31; P = (F - 1)/2 = 0.5",
        "use an odd window",
        Sequential(conv1=Conv(4, 3, padding=1)),
    ),
    (
        "pool",
        Sequential(pool1=MaxPool(4, 2, padding=1)),
        (32, 32, 3),
        "pool1",
        "a 4x4 pool of stride 2 keeps one value of 16 and is too lossy",
        "use a window of 2 with stride 2, or of 3 with stride 2",
        Sequential(pool1=MaxPool(2)),
    ),
    (
        "pool",
        Sequential(p=AvgPool(3, 1)),
        (31, 31, 3),
        "p",
        "shrinks nothing",
        "use a",
        Sequential(p=AvgPool(3, 2)),
    ),
    (
        "pool",
        Sequential(p=AvgPool(1, 2)),
        (31, 31, 3),
        "p",
        "sees 1 of every 4 values",
        "use a",
        Sequential(p=MaxPool(3, 2)),
    ),
    (
        "pool",
        Sequential(p=Subsampling(3)),
        (30, 30, 3),
        "p",
        "neither of the two in use",
        "use a",
        Sequential(p=Subsampling(2)),
    ),
    (
        "stride",
        Sequential(same(4), Conv(8, 2, stride=2)),
        (32, 32, 3),
        "conv2",
        "stride 2 takes 32x32 to 16x16, which the CS231n notes leave to pools",
        "use stride=1, and MaxPool(2) after it",
        Sequential(same(4), same(8), MaxPool(2)),
    ),
    (
        "memory",
        Sequential(conv1=Conv(96, 11, stride=4)),
        (227, 227, 3),
        "conv1",
        "stride 4 takes 227x227 to 55x55 at once, 290,400 values where stride 1 has 4,946,784: a "
        "compromise for memory",
        "keep it where memory is short, else use stride=1",
        Sequential(conv1=same(16, 11)),
    ),
    (
        "memory",
        pattern("INPUT224x224x3 -> [CONV3-64 -> RELU]*3 -> POOL"),
        (224, 224, 3),
        "conv1",
        "3 layers before anything shrinks hold 9,633,792 values, with gradients 77,070,336 B = "
        "73.5 MiB an image",
        "use a first convolution of 7x7 with stride 2 or 11x11 with stride 4",
        pattern("INPUT224x224x3 -> [CONV3-64 -> RELU]*2 -> POOL"),
    ),
    (
        "exact fit",
        Sequential(pool1=MaxPool(3, 2)),
        (32, 32, 3),
        "pool1",
        "(W - F + 2P)/S + 1 = (32 - 3 + 0)/2 + 1 = 15.5 is not an integer: rounded down, no window "
        "sees 1 px at the far border",
        "what fits: window=2; window=4; window=6; inputs of 31 or 33",
        Sequential(pool1=MaxPool(2)),
    ),
    (
        "exact fit",
        Sequential(pool1=MaxPool(3, 2, rounding="ceil")),
        (32, 32, 3),
        "pool1",
        "= 15.5 is not an integer: rounded up, the last window reaches 1 px beyond the border",
        "what fits: window=2; window=4; window=6; inputs of 31 or 33",
        Sequential(pool1=MaxPool(2, rounding="ceil")),
    ),
    (
        "exact fit",
        Sequential(conv1=Conv(4, 3, stride=2, padding=1)),
        (32, 32, 3),
        "conv1",
        "= 16.5 is not an integer: rounded down, no window sees 1 px of the padding",
        "what fits: stride=1; kernel=2; kernel=4; inputs of 31 or 33",
        Sequential(conv1=Conv(4, 4, stride=2, padding=1)),
    ),
]


@pytest.mark.parametrize(
    "rule, net, in_shape, path, words, fix, kept",
    BROKEN,
    ids=[f"{b[0][:3]}-{i}" for i, b in enumerate(BROKEN)],
)
def test_a_rule_that_is_broken_and_one_that_is_kept(rule, net, in_shape, path, words, fix, kept):
    found = [f for f in lint(net, in_shape) if f.rule == rule]
    assert (
        [f.path for f in found] == [path]
        and words in found[0].message
        and found[0].fix.startswith(fix)
    )
    assert rule not in [
        f.rule for f in (lint(net, kept) if isinstance(kept, tuple) else lint(kept, in_shape))
    ]


def test_a_finding_reads_as_a_line():
    finding = Finding("conv1", "padding", "32x32 becomes 28x28", "use padding=2")
    assert str(finding) == "conv1: 32x32 becomes 28x28; use padding=2 (CS231n notes: padding)"


@pytest.mark.parametrize("name", ["vgg16", "vgg19", "tiny_vgg", "convnetjs"])
def test_nets_that_keep_every_rule(name):
    assert lint(*build(name)) == ()


def test_alexnet():
    assert rules(*build("alexnet")) == [("input", "input size"), ("conv1", "memory")]


@pytest.mark.parametrize("size", [32, 64, 96, 224, 384, 512])
def test_the_sizes_the_notes_name_can_be_halved_5_times(size):
    net = Sequential(*[MaxPool(2)] * 5)
    assert lint(net, (size, size, 3)) == ()


def test_findings_come_in_the_order_of_the_layers():
    net = Sequential(pool1=MaxPool(3, 2), block=Sequential(conv=Conv(4, 7), pool=MaxPool(4)))
    assert rules(net, (50, 50, 3)) == [
        ("input", "input size"),
        ("pool1", "exact fit"),
        ("block/conv", "padding"),
        ("block/pool", "pool"),
        ("block/pool", "exact fit"),
    ]


def test_windows_over_the_whole_input_pass():
    net = Sequential(Conv(4, 8), AvgPool(1, 1), Flatten(), Dense(10))
    assert (
        lint(Sequential(Conv(4, 8)), (8, 8, 3)) == ()
        and lint(Sequential(AvgPool(8)), (8, 8, 3)) == ()
        and lint(net, (8, 8, 3)) == ()
    )


def test_strides_count_along_the_main_path_alone():
    """A shortcut's stride is its body's over again, as are the branches' of a Concat; a Tap leads
    away.
    """
    body = Sequential(same(4), MaxPool(2))
    net = Sequential(
        block=Residual(body, shortcut=Sequential(same(4), MaxPool(2))),
        mixed=Concat(a=MaxPool(2), b=Sequential(MaxPool(2), same(4))),
        tap=Tap("aux", Sequential(MaxPool(2), Flatten(), Dense(2))),
    )
    assert rules(net, (24, 24, 3)) == []
    assert rules(net, (26, 26, 3))[0] == ("input", "input size")


def test_windows_of_norms_are_no_pools():
    assert (
        lint(
            Sequential(same(4), BatchNorm(), LocalResponseNorm(3, within=True), Identity(), Relu()),
            (8, 8, 3),
        )
        == ()
    )


def test_signals_and_volumes():
    assert rules(Sequential(same(4), same(4, 7)), (32, 3)) == [("conv2", "window")]
    assert rules(Sequential(same(4), Local(4, (7, 7, 7), padding=3)), (8, 8, 8, 3)) == [
        ("local1", "window")
    ]
    assert lint(Sequential(Dense(10), Relu()), (7,)) == ()


def test_a_net_that_does_not_fit():
    with pytest.raises(ShapeError, match="^a: a 7-wide window does not fit 5 pixels"):
        lint(Sequential(a=Conv(4, 7)), (5, 5, 3))
