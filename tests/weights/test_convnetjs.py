"""Snapshots of ConvNetJS. A net of its 0.3.0 was built with every layer it has; what it answered to
a known image is below.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import (
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    InputError,
    LocalResponseNorm,
    Maxout,
    MaxPool,
    Relu,
    Residual,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
)
from jconv.data.pixels import PixelScale
from jconv.weights import Weights, read_weights
from jconv.weights.convnetjs import write_convnetjs

NET = Sequential(
    conv1=Conv(6, 3, stride=2, padding=1),
    maxout=Maxout(3),
    norm=LocalResponseNorm(3, alpha=0.1, k=1.0),
    conv2=Conv(4, (2, 1), bias=False),
    bn=BatchNorm(),
    relu=Relu(),
    pool=MaxPool(2, 1),
    drop=Dropout(0.3),
    flatten=Flatten(),
    fc1=Dense(5),
    tanh=Tanh(),
    fc2=Dense(4),
    sigmoid=Sigmoid(),
    fc3=Dense(3),
)
SHAPE = (9, 7, 2)


def volume(shape, numbers):
    return {"sx": shape[1], "sy": shape[0], "depth": shape[2], "w": numbers}


def snapshot():
    """One 2x2 filter over 3x3x1, an fc of two, with dropout between, as ConvNetJS writes them."""
    size = lambda side, depth: {"out_sx": side, "out_sy": side, "out_depth": depth}
    maps = lambda values: {str(i): v for i, v in enumerate(values)}
    return {
        "layers": [
            {"layer_type": "input", **size(3, 1)},
            {
                "layer_type": "conv",
                "sx": 2,
                "sy": 2,
                "stride": 1,
                "pad": 0,
                "in_depth": 1,
                **size(2, 1),
                "filters": [volume((2, 2, 1), maps([1.0, 2.0, 3.0, 4.0]))],
                "biases": volume((1, 1, 1), maps([-0.5])),
            },
            {"layer_type": "relu", **size(2, 1)},
            {"layer_type": "dropout", "drop_prob": 0.25, **size(2, 1)},
            {
                "layer_type": "fc",
                "num_inputs": 4,
                **size(1, 2),
                "filters": [
                    volume((1, 1, 4), maps([1.0, 0.0, 0.0, 0.0])),
                    volume((1, 1, 4), maps([0.0, 0.0, 1.0, 2.0])),
                ],
                "biases": volume((1, 1, 2), maps([0.0, 1.0])),
            },
            {"layer_type": "softmax", "num_inputs": 2, **size(1, 2)},
        ]
    }


def written(tmp_path, value):
    path = tmp_path / "net.json"
    path.write_text(json.dumps(value))
    return path


def test_a_snapshot_by_hand(tmp_path):
    reading = read_weights(written(tmp_path, snapshot()))
    weights = reading.weights
    x = jnp.arange(9.0).reshape(1, 3, 3, 1)
    found, _ = weights.net.apply(weights.params, weights.state, x)
    # windows 0 1 3 4, 1 2 4 5, 3 4 6 7, 4 5 7 8 times 1 2 3 4, less 0.5
    maps = np.array([27, 37, 57, 67]) - 0.5
    # what is dropped is a quarter, and at test time ConvNetJS multiplies by that
    np.testing.assert_allclose(found[0], [maps[0] / 4, (maps[2] + 2 * maps[3]) / 4 + 1], rtol=1e-6)
    assert weights.pixels == PixelScale() and weights.class_names == ("0", "1")
    assert "dropout multiplies by 0.25, the share dropped" in " ".join(reading.notes)


def test_what_is_written_is_read_back(tmp_path, filled, rng, close):
    params, state = filled(NET, SHAPE)
    weights = Weights(NET, SHAPE, ("a", "b", "c"), params, state, PixelScale((0.5,), (0.25,)))
    path = tmp_path / "net.json"
    write_convnetjs(path, weights)
    back = read_weights(path).weights
    x = jnp.asarray(rng.standard_normal((2, *SHAPE)), jnp.float32)
    here, _ = jax.jit(NET.apply)(params, state, x)
    close(jax.jit(back.net.apply)(back.params, back.state, x)[0], here, 1e-5)
    assert back[2] == weights.class_names and back.pixels == weights.pixels
    kinds = [layer["layer_type"] for layer in json.loads(path.read_text())["layers"]]
    assert kinds == ("input conv maxout lrn conv relu pool fc tanh fc sigmoid fc softmax".split())


def test_a_softmax_of_its_own_is_the_end(tmp_path, filled):
    net = Sequential(flatten=Flatten(), fc=Dense(2), softmax=Softmax())
    write_convnetjs(
        tmp_path / "n.json", Weights(net, (2, 2, 1), ("a", "b"), *filled(net, (2, 2, 1)))
    )
    kinds = [x["layer_type"] for x in json.loads((tmp_path / "n.json").read_text())["layers"]]
    assert kinds == ["input", "fc", "softmax"]


@pytest.mark.parametrize(
    "layer",
    [
        Conv(2, 3, groups=2),
        Conv(2, 3, dilation=2),
        Conv(2, 3, stride=(1, 2)),
        Conv(2, 3, padding=((1, 0), (1, 1))),
        Conv(2, 3, padding=1, padding_mode="reflect"),
        MaxPool(2, rounding="ceil"),
        LocalResponseNorm(3, within=True),
        Tanh(1.7),
        Residual(Conv(2, 3, padding=1)),
    ],
)
def test_what_convnetjs_has_not_is_named(layer, tmp_path, filled):
    net = Sequential(that=layer, flatten=Flatten(), fc=Dense(2))
    weights = Weights(net, SHAPE, ("a", "b"), *filled(net, SHAPE))
    with pytest.raises(InputError, match=r"that: ConvNetJS has no|layers one after another alone"):
        write_convnetjs(tmp_path / "n.json", weights)
    assert not list(tmp_path.iterdir())


def changed(change):
    whole = snapshot()
    change(whole["layers"])
    return whole


@pytest.mark.parametrize(
    "value, words",
    [
        ([], "not a snapshot of ConvNetJS"),
        ({"layers": []}, "not a snapshot of ConvNetJS"),
        (changed(lambda layers: layers.pop(0)), "an input was expected|not a snapshot"),
        (changed(lambda layers: layers[2].update(layer_type="quad")), "layer 2 is 'quad'; layers"),
        (
            changed(lambda layers: layers[1].update(sx=3)),
            "conv: filter 0 has 4 numbers, 6",
        ),
        (changed(lambda layers: layers[1].pop("filters")), "layer 1, conv: has no 'filters'"),
        (changed(lambda layers: layers[1].update(stride=0)), "stride is 0, at least 1"),
        (changed(lambda layers: layers[1]["biases"]["w"].update({"0": None})), "not finite"),
        (changed(lambda layers: layers.pop(4)), "ends with a dropout"),
        (changed(lambda layers: layers[0].update(out_sx=1)), "layer 1, conv: a 2-wide window"),
    ],
)
def test_what_cannot_be_is_named(value, words, tmp_path):
    if value == []:
        path = tmp_path / "net.json"
        path.write_text("{]")
    else:
        path = written(tmp_path, value)
    with pytest.raises(InputError, match=words):
        read_weights(path)
