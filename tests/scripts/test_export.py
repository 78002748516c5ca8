import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from jconv import (
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    MaxPool,
    Relu,
    Residual,
    Sequential,
    thin,
)
from jconv.data.pixels import PixelScale
from jconv.models import build
from jconv.scripts import export
from jconv.weights import Weights, save_weights
from jconv.weights.torch_writer import write_torch

PLAIN = Sequential(
    conv=Conv(4, 3, bias=False), bn=BatchNorm(), relu=Relu(), pool=MaxPool(2), flatten=Flatten(),
    fc=Dense(3),
)  # fmt: skip
WHOLE = Sequential(
    conv=Conv(4, 3), block=Residual(Conv(4, 3, padding=1)), pool=GlobalAvgPool(), fc=Dense(3)
)
SHAPE = (8, 10, 3)
PIXELS = PixelScale((0.5,), (0.25,))


@pytest.fixture
def saved(filled, tmp_path):
    def save(net):
        weights = Weights(net, SHAPE, ("ant", "bee", "cat"), *filled(net, SHAPE), PIXELS)
        save_weights(tmp_path / "net.safetensors", weights)
        return tmp_path / "net.safetensors", weights

    return save


@pytest.mark.parametrize("form", ["pytorch", "stablehlo", "onnx", "convnetjs", "html"])
def test_each_format_gives_the_same_scores(form, saved, tmp_path, capsys):
    path, _ = saved(PLAIN)
    out = tmp_path / "out.onnx" if form == "onnx" else tmp_path / "out"
    assert export.main([str(path), "--to", form, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "of the largest from the network's" in said and out.exists()
    assert not list(tmp_path.glob("*.unfinished"))
    about = out.with_name(out.name + ".json")
    if form in ("pytorch", "stablehlo"):
        assert json.loads(about.read_text())["class_names"] == ["ant", "bee", "cat"]


@pytest.mark.parametrize(
    "net, sizes", [(PLAIN, [(8, 10)]), (WHOLE, [(8, 10), (13, 17)])], ids=["flat", "any size"]
)
def test_a_function_for_jax_alone(net, sizes, saved, tmp_path, close):
    path, weights = saved(net)
    out = tmp_path / "net.stablehlo"
    assert export.main([str(path), "--to", "stablehlo", "--out", str(out)]) == 0
    function = jax.export.deserialize(bytearray(out.read_bytes()))
    rng = np.random.default_rng(0)
    for batch, size in ((1, sizes[0]), (3, sizes[-1])):
        images = rng.integers(0, 256, (batch, *size, 3), np.uint8)
        x = jnp.asarray((images / 255 - 0.5) / 0.25, jnp.float32)
        here, _ = jax.jit(net.apply)(weights.params, weights.state, x)
        close(function.call(images), here, 1e-5)


def test_a_page_has_test_images_of_the_training(run, tmp_path, capsys):
    out = tmp_path / "net.html"
    assert export.main([str(run), "--to", "html", "--out", str(out)]) == 0
    assert "2 test images" in capsys.readouterr().out
    about = json.loads(out.read_text("utf-8").split('id="program">')[1].split("</script>")[0])
    assert [example["name"] for example in about["examples"]] == ["dark", "light"]


def test_what_a_format_cannot_hold_is_named(saved, tmp_path, capsys):
    path, _ = saved(
        Sequential(conv=Conv(4, 3), norm=GroupNorm(2), pool=GlobalAvgPool(), fc=Dense(3))
    )
    for form, words in (
        ("onnx", "norm: GroupNorm cannot be written as ONNX"),
        ("convnetjs", "norm: ConvNetJS has no GroupNorm"),
    ):
        out = tmp_path / "out"
        assert export.main([str(path), "--to", form, "--out", str(out)]) == 2
        assert words in capsys.readouterr().err and not out.exists()
    assert export.main([str(path), "--to", "pytorch", "--out", str(path)]) == 2
    assert "is what is read; choose another" in capsys.readouterr().err


@pytest.mark.sweep(3)
@pytest.mark.parametrize(
    "name, variant, some",
    [
        (
            "resnet50",
            None,
            {"layer2.0.downsample.1.running_var", "layer4.2.conv3.weight", "fc.bias"},
        ),
        ("resnet18", None, {"layer1.1.bn2.num_batches_tracked", "conv1.weight"}),
        ("preact_resnet18", "timm", {"stages.1.blocks.0.downsample.conv.weight", "norm.bias"}),
        ("googlenet", "torchvision", {"inception4b.branch3.1.bn.bias", "aux2.fc2.weight"}),
        ("vgg11_bn", None, {"features.0.weight", "features.1.running_mean", "classifier.6.bias"}),
        ("alexnet", "owt", {"features.10.weight", "classifier.1.weight", "classifier.4.bias"}),
    ],
)
def test_names_are_those_of_the_published_modules(name, variant, some, filled, tmp_path):
    net, shape = build(name, variant=variant)
    net = thin(net, 1 / 16)
    path = tmp_path / "w.safetensors"
    classes = tuple(map(str, range(1000)))
    write_torch(path, Weights(net, shape, classes, *filled(net, shape)))
    found = load_file(path)
    assert some <= set(found)
    assert not any("/" in key or key.startswith("stage1") for key in found)


def test_other_nets_have_their_paths_as_names(saved, tmp_path):
    _, weights = saved(WHOLE)
    write_torch(tmp_path / "w.safetensors", weights)
    found = load_file(tmp_path / "w.safetensors")
    assert set(found) == {
        f"{module}.{leaf}" for module in ("conv", "block.body", "fc") for leaf in ("weight", "bias")
    }
    assert found["conv.weight"].shape == (4, 3, 3, 3) and found["fc.weight"].shape == (3, 4)
