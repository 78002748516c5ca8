import json

import numpy as np
import pytest
from caffe_wire import caffemodel
from PIL import Image
from tiny_torch import FILES

from jconv.models import build
from jconv.scripts import evaluate, predict, summary, weights
from jconv.weights import load_weights

# the tiny net as a pattern could not have its PReLU: a function in a file of one's own
NET = """from jconv import BatchNorm, Conv, Dense, Flatten, PRelu, Relu, Sequential

INPUT = (6, 7, 3)


def tiny(classes=5):
    return Sequential(
        conv1=Conv(4, 3, padding=1, bias=False),
        bn1=BatchNorm(),
        relu=Relu(),
        conv2=Conv(4, 3, stride=2, groups=2),
        prelu=PRelu(),
        flatten=Flatten(),
        fc=Dense(classes),
    )
"""


@pytest.fixture
def model(tmp_path):
    (tmp_path / "nets.py").write_text(NET)
    return f"{tmp_path / 'nets.py'}:tiny"


@pytest.fixture
def written(model, tmp_path):
    out = tmp_path / "tiny.safetensors"
    scale = ["--pixel-mean", "0.5", "--pixel-std", "0.25"]
    words = [str(FILES / "tiny_legacy.th"), "--net", model, "--out", str(out), *scale]
    assert weights.main(words) == 0
    return out


def test_every_array_and_what_was_done_to_it(capsys, written):
    out = " ".join(capsys.readouterr().out.split())
    assert "conv1/kernel 3x3x3x4 conv1.weight 4x3x3x3 OIHW to HWIO" in out
    assert "fc/kernel 24x5 fc.weight 5x24 transposed, inputs" in out
    assert "PyTorch: 5 classes, images of 6x7x3, pixels as (value/255 - 0.5) / 0.25" in out
    assert "- every name begins with 'module.', which is left out" in out
    found = load_weights(written)
    assert found.in_shape == (6, 7, 3) and found.pixels.mean == (0.5,)


def test_the_file_is_a_model_of_its_own(written, tmp_path, capsys):
    net, shape = build(str(written), classes=3)
    assert net["fc"].features == 3 and shape == (6, 7, 3)
    assert summary.main([str(written)]) == 0
    assert "conv2" in capsys.readouterr().out


def images(folder, classes=5):
    rng = np.random.default_rng(0)
    for name in range(classes):
        (folder / f"class{name}").mkdir(parents=True)
        pixels = rng.integers(0, 256, (6, 7, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"class{name}" / "a.png")
    return folder


def test_evaluate_takes_a_folder_of_classes_alone(written, tmp_path, capsys):
    folder = images(tmp_path / "photos")
    words = [str(written), "--data", "folder", "--data-dir", str(folder)]
    assert evaluate.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["images"] == 5 and found["top5_accuracy"] == 1.0
    assert [row["class"] for row in found["classes"]] == [f"class{i}" for i in range(5)]
    assert evaluate.main([str(written)]) == 2
    assert "a file of weights has no images of its own" in capsys.readouterr().err


def test_predict_takes_folders_and_names_classes(written, tmp_path, capsys):
    folder = images(tmp_path / "photos", 2)
    (tmp_path / "labels.txt").write_text("ant\nbee\ncat\ndog\nelk\n")
    words = [str(written), str(folder), "--labels", str(tmp_path / "labels.txt")]
    assert predict.main([*words, "--json", "--top", "2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [len(one["classes"]) for one in found] == [2, 2]
    assert found[0]["image"].endswith("class0/a.png")
    assert found[0]["classes"][0]["class"] in ("ant", "bee", "cat", "dog", "elk")
    assert predict.main([*words, "--csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "image,class,probability" and len(lines) == 1 + 2 * 5
    (tmp_path / "labels.txt").write_text("ant\nbee\n")
    assert predict.main(words) == 2
    assert "names 2 classes, the net has 5" in capsys.readouterr().err
    assert predict.main([str(written), str(tmp_path / "photos"), "--csv", "--json"]) == 2


def test_a_definition_alone_has_no_weights(tmp_path, capsys):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n'
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c"\n'
        "  convolution_param { num_output: 2 kernel_size: 3 } }\n"
    )
    assert weights.main([str(path), "--out", str(tmp_path / "w.safetensors")]) == 2
    assert "defines a net and holds no weights" in capsys.readouterr().err
    assert not (tmp_path / "w.safetensors").exists()
    assert summary.main([str(path)]) == 0
    assert "6x6x2" in capsys.readouterr().out


def test_checked_against_onnx(written, tmp_path, capsys):
    from jconv.scripts import export

    path, folder = tmp_path / "net.onnx", images(tmp_path / "photos", 2)
    assert export.main([str(written), "--to", "onnx", "--out", str(path)]) == 0
    assert weights.main([str(path), "--check", str(folder)]) == 0
    assert "layers agree with ONNX on 2 images" in capsys.readouterr().out


def test_what_has_no_framework_here(tmp_path, capsys):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(caffemodel())
    assert weights.main([str(path), "--check", "a.png"]) == 2
    assert "a file of Caffe has no framework to compare with here" in capsys.readouterr().err


def test_modules_by_hand(model, tmp_path, capsys):
    words = [str(FILES / "tiny.pth"), "--net", model, "--modules"]
    assert weights.main([*words, "fc=fc", "conv1=conv1"]) == 0
    assert weights.main([*words, "fc"]) == 2
    assert "MODULE=LAYER was expected" in capsys.readouterr().err
