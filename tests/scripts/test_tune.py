import json

import numpy as np
import pytest

from jconv import load_plan
from jconv.models import build
from jconv.scripts import tune
from jconv.tuning import choosing as tuning
from jconv.tuning.timing import Timing


@pytest.fixture
def timer(monkeypatch):
    """im2col takes half the time of everything else; what it was asked for."""
    asked = []

    def measure(runs, **settings):
        asked.append(settings)
        return {word: Timing(1.0, np.full(7, 1e-3 if word == "im2col" else 2e-3)) for word in runs}

    monkeypatch.setattr(
        tune, "tune", lambda *args, **settings: tuning.tune(*args, **settings, measure=measure)
    )
    return asked


def test_it_prints_what_it_finds_and_writes_the_plan(timer, tmp_path, capsys):
    out = tmp_path / "new" / "plan.json"
    assert (
        tune.main(["lenet5", "--batch", "2", "--pairs", "7", "--limit", "1.5", "--out", str(out)])
        == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "conv1 forward: im2col, 2x (auto runs shift, 2 ms)" and len(lines) == 8 + 2
    assert lines[-2:] == [
        "a step's convolutions, one by one: 16 ms by auto, 8 ms as tuned, 2x",
        f"plan: {out}",
    ]
    assert (timer[0]["rounds"], timer[0]["limit"]) == (7, 1.5)
    net, line = load_plan(out, *build("lenet5"), batch=2, dtype="float32")
    assert line is None and dict(net.layers)["conv1"].method == ("im2col", "auto", "im2col")


def test_the_options_reach_the_net_and_the_file(timer, tmp_path):
    out = tmp_path / "plan.json"
    out.write_text("an old one")
    options = [
        "--in-shape",
        "16",
        "16",
        "3",
        "--classes",
        "5",
        "--variant",
        "B",
        "--batch",
        "3",
        "--dtype",
        "bfloat16",
    ]
    assert tune.main(["cifar_resnet20", *options, "--out", str(out)]) == 0
    about = json.loads(out.read_text())
    assert (about["in_shape"], about["batch"], about["dtype"]) == ([16, 16, 3], 3, "bfloat16")
    assert (
        load_plan(out, build("cifar_resnet20", classes=5, variant="B")[0], (16, 16, 3))[0]
        != build("cifar_resnet20")[0]
    )


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["lenet"], "error: unknown model 'lenet'; did you mean lenet5"),
        (["lenet5", "--batch", "0"], "error: --batch 0, a whole number of at least 1 was expected"),
        (["lenet5", "--pairs", "0"], "error: --pairs 0, a whole number of at least 1 was expected"),
        (["lenet5", "--in-shape", "8", "8", "1"], "error: conv2: "),
        (["lenet5", "--out", "."], "error: --out .: is a folder; give the name of a file"),
        (
            ["lenet5", "--out", "taken/plan.json"],
            "error: --out taken/plan.json: cannot be written (file exists); choose another --out",
        ),
    ],
)
def test_wrong_input_is_one_line_before_anything_is_measured(
    arguments, words, timer, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("")
    assert tune.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(words) and error.count("\n") == 1
    assert not timer and [file.name for file in tmp_path.iterdir()] == ["taken"]
