import json

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from jconv import BatchNorm, Conv, Dense, Flatten, Lambda, LayerError, Residual, Sequential
from jconv.errors import InputError
from jconv.weights import Weights, fingerprint, load_weights, save_weights

NET = Sequential(
    block=Residual(Sequential(conv1=Conv(3, 3, padding=1), bn1=BatchNorm())),
    flatten=Flatten(),
    fc=Dense(2),
)
IN_SHAPE = (7, 5, 3)


@pytest.fixture
def weights(filled):
    return Weights(NET, IN_SHAPE, ("ant", "bee"), *filled(NET, IN_SHAPE))


@pytest.fixture
def file(tmp_path, weights):
    save_weights(tmp_path / "w.safetensors", weights)
    return tmp_path / "w.safetensors"


def metadata(path):
    from safetensors import safe_open

    with safe_open(path, framework="np") as opened:
        return json.loads(opened.metadata()["jconv"])


def test_everything_comes_back(file, weights, close):
    back = load_weights(file)
    assert back[:3] == weights[:3]
    close((back.params, back.state), (weights.params, weights.state), 0)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(back.params))
    assert not list(file.parent.glob("*.unfinished"))


def test_arrays_are_named_by_their_paths(file):
    assert set(load_file(file)) == {
        "params/block/body/conv1/kernel",
        "params/block/body/conv1/bias",
        "params/block/body/bn1/scale",
        "params/block/body/bn1/bias",
        "params/fc/kernel",
        "params/fc/bias",
        "state/block/body/bn1/mean",
        "state/block/body/bn1/var",
    }
    assert metadata(file)["in_shape"] == [7, 5, 3]


def test_equal_weights_are_equal_files(file, weights, tmp_path):
    for i in range(5):
        save_weights(tmp_path / f"{i}.safetensors", weights)
        assert (tmp_path / f"{i}.safetensors").read_bytes() == file.read_bytes()


def test_a_fingerprint_is_of_every_bit_and_name(file, weights):
    own, back = fingerprint(weights.params, weights.state), load_weights(file)
    assert len(own) == 64 and fingerprint(back.params, back.state) == own
    assert (
        fingerprint(
            weights.params, jax.tree.map(lambda a: np.nextafter(a, np.float32(9)), weights.state)
        )
        != own
    )
    renamed = {"fc1": weights.params["fc"], "block": weights.params["block"]}
    assert fingerprint(renamed, weights.state) != own


def test_a_net_with_a_function_cannot_be_saved(tmp_path, weights):
    net = Sequential(
        block=NET["block"], flatten=Flatten(), fc=Dense(2), double=Lambda(lambda x: 2 * x)
    )
    with pytest.raises(LayerError, match="double: a Lambda holds a function"):
        save_weights(tmp_path / "w.safetensors", weights._replace(net=net))
    assert not list(tmp_path.iterdir())


def test_arrays_that_are_not_the_nets_are_not_saved(file, weights):
    before = file.read_bytes()
    params = {
        **weights.params,
        "fc": {"kernel": np.zeros((104, 2), np.float32), "bias": np.zeros(2, np.float32)},
    }
    with pytest.raises(
        InputError,
        match=r"params/fc/kernel is float32\[104, 2\], the net has float32\[105, 2\] there",
    ):
        save_weights(file, weights._replace(params=params))
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "change, words",
    [
        (
            lambda a: a.pop("params/fc/bias"),
            r"w.safetensors: params/fc/bias is missing; the net has it with shape \(2,\)",
        ),
        (
            lambda a: a.update({"params/fc/mask": np.zeros(3)}),
            r"params/fc/mask was found, with shape \(3,\), but the net has no such array",
        ),
        (
            lambda a: a.update({"params/fc/bias": np.zeros(3, np.float32)}),
            r"params/fc/bias is float32\[3\], the net has float32\[2\] there",
        ),
        (
            lambda a: a.update({"params/fc/bias": np.zeros(2, np.int8)}),
            r"params/fc/bias is int8\[2\], the net has float32\[2\] there",
        ),
    ],
)
def test_a_leaf_that_is_wrong_is_named(file, change, words):
    arrays, about = load_file(file), metadata(file)
    change(arrays)
    save_file(arrays, file, {"jconv": json.dumps(about)})
    with pytest.raises(InputError, match=words):
        load_weights(file)


@pytest.mark.parametrize(
    "change, words",
    [
        (
            {"version": 2},
            r"w.safetensors: what it says of its net cannot be used \(layout version 2, this jconv "
            r"reads version 1\)",
        ),
        ({"net": {"class": "Convolution"}}, "cannot be used .*unknown layer 'Convolution'"),
        ({"in_shape": 7}, "cannot be used"),
        ({"in_shape": [7, 5, 4]}, r"cannot be used \(block: body gives"),
    ],
)
def test_metadata_that_is_wrong_is_named(file, change, words):
    save_file(load_file(file), file, {"jconv": json.dumps(metadata(file) | change)})
    with pytest.raises(InputError, match=words):
        load_weights(file)


def test_a_file_of_somebody_else_is_refused(file):
    save_file(load_file(file), file, {"format": "pt"})
    with pytest.raises(InputError, match="w.safetensors: holds arrays but says nothing of a net"):
        load_weights(file)


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_file_cut_short_is_named(file, kept):
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(
        InputError,
        match=r"w.safetensors: not a whole safetensors file \(.+\); it was cut short or damaged",
    ):
        load_weights(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="absent.safetensors: there is no such file"):
        load_weights(tmp_path / "absent.safetensors")
