"""Files cut short and with bytes changed, of every format: read, or refused in words, and never any
other error. 40 of each here; `pytest -m exhaustive` tries 1,000 of each.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from caffe_wire import caffemodel
from safetensors.numpy import save_file
from tiny_torch import FILES, IN_SHAPE, NET

from jconv import Conv, Dense, Flatten, InputError, Relu, Sequential
from jconv.weights import About, Weights, read_weights, save_weights
from jconv.weights.convnetjs import write_convnetjs
from jconv.weights.onnx.writer import write_onnx

SMALL = Sequential(conv=Conv(2, 3), relu=Relu(), flatten=Flatten(), fc=Dense(3))
SHAPE = (5, 5, 1)
PROTOTXT = """
input: "data" input_dim: 1 input_dim: 1 input_dim: 5 input_dim: 5
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
  inner_product_param { num_output: 3 } }
"""


def small(filled):
    return Weights(SMALL, SHAPE, ("a", "b", "c"), *filled(SMALL, SHAPE))


def make_ours(path, filled):
    save_weights(path, small(filled))


def make_safetensors(path, filled):
    del filled
    save_file({"fc.weight": np.ones((3, 4), np.float32), "fc.bias": np.ones(3, np.float32)}, path)


MAKERS = {
    "ours.safetensors": make_ours,
    "theirs.safetensors": make_safetensors,
    "net.onnx": lambda path, filled: write_onnx(path, small(filled)),
    "snapshot.json": lambda path, filled: write_convnetjs(path, small(filled)),
    "net.prototxt": lambda path, filled: path.write_text(PROTOTXT),
    "net.caffemodel": lambda path, filled: path.write_bytes(caffemodel()),
    **{
        name: lambda path, filled: path.write_bytes((FILES / path.name).read_bytes())
        for name in ("tiny.pth", "tiny_legacy.th", "tiny_bfloat16.pt")
    },
}
NETS = {name: About(net=NET, in_shape=IN_SHAPE) for name in MAKERS if name.startswith("tiny")}
NETS["theirs.safetensors"] = About(net=Sequential(fc=Dense(3)), in_shape=(4,))


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut short, or with a few bytes changed, taken out or put in."""
    kind, at = rng.integers(4), int(rng.integers(len(data)))
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[at + int(rng.integers(1, 9)) :]
    if kind == 2:
        return data[:at] + rng.bytes(int(rng.integers(1, 9))) + data[at:]
    changed = bytearray(data)
    for i in rng.integers(len(data), size=int(rng.integers(1, 9))):
        changed[i] = rng.integers(256)
    return bytes(changed)


def tried(name: str, count: int, seed: int, folder: Path, filled) -> None:
    rng = np.random.default_rng(seed)
    path = folder / name
    MAKERS[name](path, filled)
    whole = path.read_bytes()
    for i in range(count):
        path.write_bytes(damaged(whole, rng))
        try:
            read_weights(path, NETS.get(name, About()))
        except InputError as error:
            assert str(error), i


@pytest.mark.parametrize("name", MAKERS)
def test_a_few_of_each(name, tmp_path, filled):
    tried(name, 40, 0, tmp_path, filled)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", MAKERS)
def test_many_of_each(name, tmp_path, filled):
    tried(name, 300, 1, tmp_path, filled)


@pytest.mark.parametrize("name", MAKERS)
def test_the_whole_file_is_read(name, tmp_path, filled):
    MAKERS[name](tmp_path / name, filled)
    weights = read_weights(tmp_path / name, NETS.get(name, About())).weights
    assert weights.net and (weights.params or name.endswith(".prototxt"))


def test_a_file_nested_without_end(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text('{"layers": ' + "[" * 100_000 + json.dumps(1))
    with pytest.raises(InputError, match=r"deep\.json"):
        read_weights(path)
