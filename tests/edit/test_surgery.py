import dataclasses
import re

import pytest

from jconv import (
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Identity,
    LayerError,
    Local,
    MaxPool,
    PadChannels,
    Relu,
    Residual,
    Sequential,
    Tap,
    replace,
    thin,
    walk,
    with_precision,
)

NET = Sequential(
    stem=Conv(32, 3, padding=1),
    stage=Sequential(block=Residual(Sequential(conv1=Conv(32, 3, padding=1), conv2=Conv(32, 1)))),
    flatten=Flatten(),
    fc=Dense(10),
)


def test_replace_exchanges_one_layer_and_leaves_the_old_net_alone():
    new = replace(NET, "stage/block/body/conv2", Identity())
    assert new["stage"] == Sequential(
        block=Residual(Sequential(conv1=Conv(32, 3, padding=1), conv2=Identity()))
    )
    assert [name for name, _ in new.children] == ["stem", "stage", "flatten", "fc"]
    assert NET["stage"].layers[0][1].body["conv2"] == Conv(32, 1)
    assert replace(NET, "fc", Dense(3))["fc"] == Dense(3)
    assert replace(NET, "stage/block/then", Identity())["stage"]["block"].then == Identity()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("head", "head: there is no layer 'head' here; there are stem, stage, flatten, fc"),
        ("stage/blok/body", "stage/blok/body: there is no layer 'blok' here; there are block"),
        (
            "stage/block/conv1",
            "stage/block/conv1: there is no layer 'conv1' here; there are body, shortcut, then",
        ),
        ("stem/kernel", "stem/kernel: there is no layer 'kernel' here; there are none"),
        ("", "there is no layer '' here; there are stem"),
    ],
)
def test_replace_of_what_is_not_there_lists_what_is(path, words):
    with pytest.raises(LayerError, match=f"^{re.escape(words)}"):
        replace(NET, path, Relu())


def widths(net):
    return {path: layer.features for path, layer in every(net) if hasattr(layer, "features")}


def every(net, path=""):
    yield path, net
    for name, child in net.children:
        yield from every(child, f"{path}/{name}" if path else name)


@pytest.mark.parametrize(
    ("factor", "width"), [(1, 32), (0.5, 16), (1 / 8, 4), (0.3, 10), (0.01, 4)]
)
def test_thin_keeps_the_architecture_and_the_classifier(factor, width):
    small = thin(NET, factor)
    assert widths(small) == {
        "stem": width,
        "stage/block/body/conv1": width,
        "stage/block/body/conv2": width,
        "fc": 10,
    }
    assert [v.path for v in walk(small, (8, 8, 3))] == [v.path for v in walk(NET, (8, 8, 3))]
    assert small.out_shape((8, 8, 3)) == (10,)
    restored = thin(NET, 1)
    assert restored == NET


def test_thin_keeps_all_other_settings():
    conv = Conv(64, 3, stride=2, padding=1, dilation=2, bias=False, method="im2col")
    assert thin(
        Sequential(conv=conv, local=Local(64, 3), up=ConvTranspose(64, 3), fc=Dense(2)), 0.25
    ).layers == (
        ("conv", dataclasses.replace(conv, features=16)),
        ("local", Local(16, 3)),
        ("up", ConvTranspose(16, 3)),
        ("fc", Dense(2)),
    )


@pytest.mark.parametrize("factor", [0.5, 0.25, 1 / 8, 1 / 16])
def test_groups_shrink_along_so_that_the_net_still_fits(factor):
    net = Sequential(
        conv1=Conv(96, 3, padding=1),
        norm=GroupNorm(32),
        conv2=Conv(256, 3, padding=1, groups=2),
        depthwise=Conv(256, 3, padding=1, groups=256),
        resnext=Conv(256, 3, padding=1, groups=32),
        up=ConvTranspose(128, 2, groups=4),
        pool=GlobalAvgPool(),
        fc=Dense(7),
    )
    small = thin(net, factor)
    assert small.out_shape((6, 6, 3)) == (7,)
    assert small["conv2"].groups == 2
    assert small["depthwise"].groups == small["depthwise"].features
    assert small["norm"].groups == 2
    assert all(small[name].groups > 1 for name in ("resnext", "up"))


def test_a_connection_mask_keeps_the_rows_and_inputs_that_remain():
    net = Sequential(
        c1=Conv(8, 3), c3=Conv(12, 3, mask=[[k % 8, (k + 1) % 8] for k in range(12)]), fc=Conv(3, 1)
    )
    small = thin(net, 0.5)
    assert small["c3"] == Conv(6, 3, mask=((0, 1), (1, 2), (2, 3), (3,), (0,), (0,)))
    assert small.out_shape((7, 7, 1)) == (3, 3, 3)


def test_shortcuts_that_pad_channels_shrink_along():
    net = Sequential(
        conv=Conv(16, 3, padding=1),
        block=Residual(
            Sequential(conv=Conv(32, 3, padding=1), bn=BatchNorm()), shortcut=PadChannels(32)
        ),
        drop=Dropout(),
        head=Conv(5, 1),
    )
    assert thin(net, 0.25).out_shape((4, 4, 3)) == (4, 4, 5)
    assert thin(net, 0.25)["block"].shortcut == PadChannels(8)


def test_the_classifiers_of_auxiliary_heads_stay():
    head = Sequential(conv=Conv(128, 1), pool=GlobalAvgPool(), fc=Dense(10))
    net = Sequential(
        conv1=Conv(64, 3),
        aux=Tap("aux", head),
        listen=Tap("listen"),
        mix=Concat(a=Conv(64, 1), b=MaxPool(3, 1, padding=1)),
        fc=Conv(10, 1),
    )
    small = thin(net, 1 / 8)
    assert widths(small) == {
        "conv1": 8,
        "aux/body/conv": 16,
        "aux/body/fc": 10,
        "mix/a": 8,
        "fc": 10,
    }
    assert small.out_shape((8, 8, 3)) == (6, 6, 10)


def test_nets_without_widths_stay_as_they_are():
    net = Sequential(pool=MaxPool(2), relu=Relu(), tap=Tap("t"))
    assert thin(net, 0.5) == net


def test_with_precision_sets_every_product_and_nothing_else():
    net = Sequential(
        conv=Conv(4, 3),
        block=Residual(Sequential(up=ConvTranspose(4, 3, padding=1))),
        flatten=Flatten(),
        fc=Dense(3),
    )
    exact = with_precision(net, "highest")
    products = {"conv": Conv(4, 3, precision="highest"), "fc": Dense(3, precision="highest")}
    block = Residual(Sequential(up=ConvTranspose(4, 3, padding=1, precision="highest")))
    assert exact == Sequential(
        conv=products["conv"], block=block, flatten=Flatten(), fc=products["fc"]
    )
    assert with_precision(exact, None) == net
    with pytest.raises(
        ValueError, match="unknown precision 'exact'; use 'default', 'high', 'highest', or None"
    ):
        with_precision(net, "exact")
