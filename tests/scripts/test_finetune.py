import json

import numpy as np
import pytest
from PIL import Image

from jconv.scripts import evaluate, finetune
from jconv.train.linear import fit_linear
from jconv.train.run import Run, read_rows
from jconv.weights import load_weights


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A folder of three classes of gray noise, of images larger than the net takes."""
    folder, rng = tmp_path_factory.mktemp("three"), np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 3)):
        for name, base in (("dark", 0), ("gray", 80), ("light", 160)):
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(base, base + 95, (40, 40), np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{i}.png")
    return folder


def go(run, three, out, *more):
    words = [str(run), "--data-dir", str(three), "--batch-size", "6", "--out", str(out), *more]
    return finetune.main(words)


def test_a_new_head_and_frozen_layers(run, three, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["--epochs", "1", "--freeze", "conv1", "conv2"]
    assert go(run, three, out, *words) == 0
    said = capsys.readouterr().out
    assert "frozen" in said and "10 times the rate" in said and "without heads" in said
    before, after = (load_weights(f / "weights.safetensors") for f in (run, out))
    assert after.class_names == ("dark", "gray", "light")
    assert after.params["fc5"]["kernel"].shape[1] == 3
    same = lambda name: np.array_equal(before.params[name]["kernel"], after.params[name]["kernel"])
    assert same("conv1") and same("conv2") and not same("conv3")
    assert after.pixels == before.pixels
    assert (out / "report.html").exists() and (out / "pretrained.safetensors").exists()
    assert json.loads((out / "config.json").read_text())["options"]["freeze"] == ["conv1", "conv2"]
    assert evaluate.main([str(out)]) == 0


@pytest.mark.exhaustive
def test_more_trains_from_phase_to_phase(run, three, tmp_path, capsys):
    out = tmp_path / "out"
    assert go(run, three, out, "--epochs", "3", "--unfreeze", "1=fc4", "2=conv3") == 0
    said = capsys.readouterr().out
    assert "phase 3 of 3: 1 epochs" in said
    first, second, last = (
        load_weights(place / "weights.safetensors").params
        for place in (out / "phase1", out / "phase2", out)
    )
    start = load_weights(run / "weights.safetensors").params
    same = lambda a, b, name: np.array_equal(a[name]["kernel"], b[name]["kernel"])
    assert same(start, first, "fc4") and not same(first, second, "fc4")
    assert same(first, second, "conv3") and not same(second, last, "conv3")
    assert same(start, last, "conv1")


@pytest.mark.exhaustive
def test_features_computed_once(run, three, tmp_path, capsys):
    out = tmp_path / "out"
    assert go(run, three, out, "--features") == 0
    assert "84 features of 18 training images" in capsys.readouterr().out
    before, after = (load_weights(f / "weights.safetensors") for f in (run, out))
    assert np.array_equal(before.params["fc4"]["kernel"], after.params["fc4"]["kernel"])
    (row,) = read_rows(Run(out))
    assert row["train_accuracy"] > 0.9 and "test_accuracy" in row


@pytest.mark.parametrize(
    "words, said",
    [
        (["--freeze", "conv9"], "no such path in the net"),
        (["--unfreeze", "conv1"], "EPOCH=PATTERN was expected"),
        (["--unfreeze", "99=conv1"], "an epoch of 1 to 7"),
        (["--unfreeze", "1=conv1", "--freeze", "conv2"], "with the second all but the head"),
    ],
)
def test_what_cannot_be_is_named(words, said, run, three, tmp_path, capsys):
    assert go(run, three, tmp_path / "out", *words) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_net_is_that_of_the_weights(run, three, tmp_path, capsys):
    assert go(run, three, tmp_path / "out", "--model", "resnet18") == 2
    assert "the net is that of the weights named first" in capsys.readouterr().err


def test_no_weights(capsys):
    assert finetune.main([]) == 2
    assert "no weights given" in capsys.readouterr().err


def test_a_linear_head_is_where_the_loss_is_flat(rng):
    features = rng.standard_normal((200, 5)).astype(np.float32) * [1, 10, 0.1, 1, 0] + 3
    labels = (features[:, 1] > 3).astype(int) + (features[:, 2] > 3)
    kernel, bias = fit_linear(features.astype(np.float32), labels, 3, decay=1e-2)
    spread = np.where(features.std(axis=0) > 0, features.std(axis=0), 1)
    logits = features @ kernel + bias
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    x = (features - features.mean(axis=0)) / spread
    gradient = x.T @ (p - np.eye(3)[labels]) / 200 + 1e-2 * kernel * spread[:, None]
    assert np.abs(gradient).max() < 1e-3
