import dataclasses
import json
import os
import shutil
import signal
from datetime import datetime

import jax
import numpy as np
import pytest
from jax.errors import JaxRuntimeError
from PIL import Image

from jconv import Tuning, replace, save_plan
from jconv.compilation import DETERMINISTIC
from jconv.data import digits
from jconv.models import build
from jconv.scripts import evaluate, predict, train
from jconv.train.checkpoint import saved_steps
from jconv.train.epochs import Stopped, fit
from jconv.train.options import FIRST
from jconv.weights import load_weights


def test_a_run_leaves_its_folder(run, images, settings):
    assert sorted(p.name for p in run.iterdir()) == [
        "checkpoints",
        "config.json",
        "metrics.jsonl",
        "report.html",
        "weights.safetensors",
    ]
    options = json.loads((run / "config.json").read_text())["options"]
    assert (
        options["epochs"] == 3
        and options["data_dir"] == str(images)
        and options["model"] == "lenet5"
    )
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 2), (2, 4), (3, 6)]
    assert load_weights(run / "weights.safetensors")[:3] == (
        *build("lenet5", classes=2),
        ("dark", "light"),
    )
    report = (run / "report.html").read_text()
    assert "lenet5 on folder" in report and "light" in report
    assert saved_steps(run / "checkpoints") == [2, 4, 6]


def stop_after_one_epoch(settings, out, monkeypatch):
    """Train into `out`, and press Ctrl-C once an epoch is done."""
    with monkeypatch.context() as patch:
        patch.setattr(train, "fit", stopped_after_one_epoch)
        assert train.main([*settings, "--out", str(out)]) == 130


def stopped_after_one_epoch(*args):
    """`fit`, which a signal stops."""
    epochs = fit(*args)
    yield next(epochs)
    epochs.close()
    raise Stopped(2, signal.SIGINT)


def test_a_stopped_run_is_resumed_to_the_same_bits(run, settings, tmp_path, monkeypatch, capsys):
    out = tmp_path / "stopped"
    stop_after_one_epoch(settings, out, monkeypatch)
    assert (
        f"stopped after step 2; go on with: jconv train --resume {out}" in capsys.readouterr().err
    )
    assert saved_steps(out / "checkpoints") == [0, 2] and not (out / "weights.safetensors").exists()

    assert train.main(["--resume", str(out)]) == 0
    assert f"report: {out / 'report.html'}" in capsys.readouterr().out.replace("\n", " ")
    assert (out / "weights.safetensors").read_bytes() == (run / "weights.safetensors").read_bytes()
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 3


def digest(out):
    (line,) = (line for line in out.splitlines() if line.startswith("parameters: SHA-256 "))
    return line.split()[-1]


@pytest.mark.exhaustive
def test_deterministic_runs_end_in_the_same_bits_stopped_or_not(
    settings, tmp_path, monkeypatch, capsys
):
    digests = []
    for name in ("first", "second"):
        assert train.main([*settings, "--deterministic", "--out", str(tmp_path / name)]) == 0
        digests.append(digest(capsys.readouterr().out))
    with monkeypatch.context() as patch:
        patch.setattr(train, "fit", stopped_after_one_epoch)
        assert train.main([*settings, "--deterministic", "--out", str(tmp_path / "stopped")]) == 130
    assert train.main(["--resume", str(tmp_path / "stopped")]) == 0
    digests.append(digest(capsys.readouterr().out))
    assert evaluate.main([str(tmp_path / "first")]) == 0
    digests.append(digest(capsys.readouterr().out))
    assert len(set(digests)) == 1 and len(digests[0]) == 64
    assert train.main([*settings, "--seed", "1", "--out", str(tmp_path / "other")]) == 0
    assert digest(capsys.readouterr().out) != digests[0]


@pytest.mark.exhaustive
def test_a_policy_is_the_runs_and_evaluated_by(run, settings, tmp_path, capsys):
    """bfloat16 gives other bits than float32; highest precision the same on a CPU, where it is the
    only one.
    """
    for name, options in (("half", ["--dtype", "bfloat16"]), ("exact", ["--precision", "highest"])):
        assert train.main([*settings, *options, "--out", str(tmp_path / name)]) == 0
    weights = [
        (folder / "weights.safetensors").read_bytes()
        for folder in (run, tmp_path / "exact", tmp_path / "half")
    ]
    assert weights[0] == weights[1] != weights[2]
    capsys.readouterr()
    for name in ("half", "exact"):
        last = json.loads((tmp_path / name / "metrics.jsonl").read_text().splitlines()[-1])
        assert evaluate.main([str(tmp_path / name)]) == 0
        assert (
            f"softmax loss {last['test_loss']:.4f}, accuracy {last['test_accuracy']:.2%}"
            in capsys.readouterr().out
        )


@pytest.mark.exhaustive
def test_a_compiler_that_cannot_be_deterministic_ends_it(settings, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(DETERMINISTIC, "cpu", {"xla_cpu_no_such_option": True})
    assert train.main([*settings, "--deterministic", "--out", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err.startswith(
        "error: deterministic: this cpu compiler does not know xla_cpu_no_such_option"
    )
    assert not (tmp_path / "run").exists()


def out_of_memory(*_, **__):
    raise JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 10 bytes.")


@pytest.mark.exhaustive
def test_out_of_memory_is_one_line_and_leaves_no_folder_that_blocks(
    settings, tmp_path, monkeypatch, capsys
):
    """In the first step, and while compiling; the same command then works."""
    out = tmp_path / "run"
    for place in ("jconv.train.epochs.stepped", "jconv.train.setup.make_loop_step"):
        with monkeypatch.context() as patch:
            patch.setattr(place, out_of_memory)
            assert train.main([*settings, "--out", str(out)]) == 2
        error = capsys.readouterr().err
        assert (
            error.startswith(
                "error: --batch-size 5: out of memory: a training step of 5 images needs "
            )
            and error.count("\n") == 1
        )
        assert not out.exists()
    assert train.main([*settings, "--epochs", "1", "--out", str(out)]) == 0


@pytest.mark.exhaustive
def test_out_of_memory_later_keeps_what_there_is(settings, tmp_path, monkeypatch, capsys):
    out = tmp_path / "run"
    stop_after_one_epoch(settings, out, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr("jconv.train.epochs.stepped", out_of_memory)
        assert train.main(["--resume", str(out)]) == 2
    assert "out of memory" in capsys.readouterr().err
    assert (
        saved_steps(out / "checkpoints") == [0, 2]
        and len((out / "metrics.jsonl").read_text().splitlines()) == 1
    )


@pytest.mark.exhaustive
def test_a_run_of_an_earlier_version_is_resumed(run, settings, tmp_path):
    """Its config.json knows nothing of options that came later."""
    old = shutil.copytree(run, tmp_path / "old")
    config = json.loads((old / "config.json").read_text())
    config["options"] = {name: value for name, value in config["options"].items() if name in FIRST}
    (old / "config.json").write_text(json.dumps(config))
    (old / "weights.safetensors").unlink()
    assert train.main(["--resume", str(old)]) == 0
    assert (old / "weights.safetensors").read_bytes() == (run / "weights.safetensors").read_bytes()


def test_divergence_ends_with_the_step_and_the_last_good_checkpoint(settings, tmp_path, capsys):
    out = tmp_path / "run"
    assert (
        train.main([*settings, "--out", str(out), "--optimizer", "sgd", "--learning-rate", "1e30"])
        == 1
    )
    error = capsys.readouterr().err
    assert error.startswith("error: training diverged at step 2: the loss is ")
    assert (
        f"the last good checkpoint is {out / 'checkpoints' / '0'}; use a lower --learning-rate"
        in error
    )
    assert saved_steps(out / "checkpoints") == [0]
    assert not (out / "weights.safetensors").exists()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--model", "lenet"], "error: unknown model 'lenet'; did you mean lenet5"),
        (["--data", "folder"], "error: --data folder needs the folder's path: --data-dir PATH"),
        (
            ["--batch-size", "2000"],
            "error: the batch size is 2000 but there are 1438 training examples",
        ),
        (
            ["--model", "tiny_vgg"],
            "error: images have the shape (32, 32, 1) (the batch is (1438, 32, 32, 1)) but the net "
            "takes (32, 32, 3)",
        ),
        (["--resume", "absent"], "error: absent: there is no such run folder"),
        (
            ["--backend", "tpu"],
            "error: --backend tpu: jax finds only cpu here; pip install 'jax[tpu]' on a machine "
            "with a TPU",
        ),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(
    arguments, words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert train.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(words) and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_refused(run, settings, capsys):
    before = (run / "metrics.jsonl").read_bytes()
    assert train.main([*settings, "--out", str(run)]) == 2
    assert (
        f"{run}: already exists and is not empty; choose another --out, or go on with it: --resume "
        f"{run}" in capsys.readouterr().err
    )
    assert (run / "metrics.jsonl").read_bytes() == before


def test_a_resumed_run_takes_no_other_options(run, capsys):
    assert train.main(["--resume", str(run), "--batch-size", "4"]) == 2
    assert (
        "error: resume: the run was begun with other options: --batch-size 4 was 5"
        in capsys.readouterr().err
    )


@pytest.mark.exhaustive
def test_a_plan_is_kept_and_a_resumed_run_is_by_it(run, settings, tmp_path, monkeypatch, capsys):
    """The same bits stopped or not, others than without the plan; and the weights are of the net as
    the zoo has it.
    """

    (net, in_shape), plan = build("lenet5", classes=2), tmp_path / "plan.json"
    tuned = replace(
        net,
        "conv1",
        dataclasses.replace(dict(net.layers)["conv1"], method=("auto", "auto", "im2col")),
    )
    save_plan(plan, Tuning(tuned, in_shape, 7, "float32", ()))
    whole, out = tmp_path / "whole", tmp_path / "stopped"
    assert train.main([*settings, "--plan", str(plan), "--out", str(whole)]) == 0
    assert (
        f"{plan}: used, but made with batch 7, not 5: right in any case" in capsys.readouterr().out
    )
    with monkeypatch.context() as patch:
        patch.setattr(train, "fit", stopped_after_one_epoch)
        assert train.main([*settings, "--plan", str(plan), "--out", str(out)]) == 130
    assert (out / "plan.json").read_bytes() == plan.read_bytes()
    assert json.loads((out / "config.json").read_text())["options"]["plan"] == str(plan)
    plan.unlink()
    assert train.main(["--resume", str(out)]) == 0
    weights = [(folder / "weights.safetensors").read_bytes() for folder in (out, whole, run)]
    assert weights[0] == weights[1] != weights[2]
    assert load_weights(whole / "weights.safetensors").net == net


@pytest.mark.exhaustive
def test_a_plan_of_another_net_is_said_and_a_damaged_one_ends_it(settings, tmp_path, capsys):
    plan, out = tmp_path / "plan.json", tmp_path / "run"
    other, in_shape = build("caffe_lenet")
    save_plan(plan, Tuning(other, in_shape, 5, "float32", ()))
    assert train.main([*settings, "--epochs", "1", "--plan", str(plan), "--out", str(out)]) == 0
    assert f"{plan}: ignored, it was made for images of {in_shape}" in capsys.readouterr().out
    plan.write_text(plan.read_text()[:100])
    assert train.main([*settings, "--plan", str(plan), "--out", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith(f"error: {plan}: is not JSON")
    assert not (tmp_path / "none").exists()


@pytest.mark.exhaustive
def test_resize_fits_images_to_the_net(settings, tmp_path):
    out = tmp_path / "run"
    assert (
        train.main(
            [*settings, "--out", str(out), "--model", "tiny_vgg", "--resize", "--epochs", "1"]
        )
        == 0
    )
    assert load_weights(out / "weights.safetensors").in_shape == (32, 32, 3)


def test_the_defaults_fit_the_digits():
    options, *_ = train._parse([])
    assert build(options.model)[1] == digits().train.images.shape[1:]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--optimizer", "tiger"], "--optimizer"),
        (["--epochs", "0"], "epochs=0: 1 or more was expected"),
    ],
)
def test_options_that_cannot_be_end_with_2(arguments, words, capsys):
    with pytest.raises(SystemExit) as caught:
        train.main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


class SameSecond(datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 1, 2, 3, 4, 5)


@pytest.mark.exhaustive
def test_two_runs_that_begin_in_one_second_have_two_folders(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "datetime", SameSecond)
    monkeypatch.chdir(tmp_path)
    for seed in "012":
        assert train.main([*settings, "--epochs", "1", "--seed", seed]) == 0
    names = [f"lenet5-folder-20260102-030405{number}" for number in ("", "-2", "-3")]
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == names
    assert [
        json.loads((tmp_path / "runs" / name / "config.json").read_text())["options"]["seed"]
        for name in names
    ] == [0, 1, 2]


@pytest.mark.exhaustive
@pytest.mark.parametrize("epochs, code", [("5", 0), ("3", 0), ("2", 2)])
def test_a_run_is_given_more_epochs(run, tmp_path, epochs, code, capsys):
    longer = tmp_path / "longer"
    shutil.copytree(run, longer)
    assert train.main(["--resume", str(longer), "--epochs", epochs]) == code
    if code:
        assert f"--epochs 2: {longer} has had 3 already; give more" in capsys.readouterr().err
        assert (longer / "config.json").read_bytes() == (run / "config.json").read_bytes()
        return
    rows = [json.loads(line) for line in (longer / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == list(range(1, int(epochs) + 1))
    assert json.loads((longer / "config.json").read_text())["options"]["epochs"] == int(epochs)


@pytest.mark.exhaustive
def test_with_a_constant_rate_more_epochs_end_where_all_at_once_would(settings, tmp_path):
    constant = [*settings, "--schedule", "constant"]
    assert train.main([*constant, "--epochs", "2", "--out", str(tmp_path / "some")]) == 0
    assert train.main(["--resume", str(tmp_path / "some"), "--epochs", "3"]) == 0
    assert train.main([*constant, "--epochs", "3", "--out", str(tmp_path / "all")]) == 0
    some, whole = (
        (tmp_path / name / "weights.safetensors").read_bytes() for name in ("some", "all")
    )
    assert some == whole


@pytest.mark.exhaustive
def test_a_training_begins_from_weights(run, settings, tmp_path, capsys):
    for weights in (run, run / "weights.safetensors"):
        out = tmp_path / weights.name
        assert (
            train.main(
                [
                    *settings,
                    "--epochs",
                    "1",
                    "--learning-rate",
                    "1e-30",
                    "--weights",
                    str(weights),
                    "--out",
                    str(out),
                ]
            )
            == 0
        )
        begun, given = (
            load_weights(folder / "weights.safetensors").params for folder in (out, run)
        )
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), begun, given)
    assert (
        train.main(
            [
                *settings,
                "--model",
                "caffe_lenet",
                "--resize",
                "--weights",
                str(run),
                "--out",
                str(tmp_path / "other"),
            ]
        )
        == 2
    )
    assert "is another; give the model that they were trained as" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


NET = """
from dataclasses import dataclass
from jconv import Conv, Dense, GlobalAvgPool, Layer, Pointwise, Sequential

@dataclass(frozen=True)
class Twice(Pointwise):
    def apply(self, params, state, x, *, train=False, key=None):
        return 2 * x, state

def small(classes=10):
    return Sequential(Conv(4, 3), Twice(), GlobalAvgPool(), Dense(classes))
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "model",
    [
        "nets.py:small",
        "INPUT -> CONV3-4 -> RELU -> POOL -> FC",
        "INPUT32x32x1 -> CONV3-4 -> RELU -> POOL -> FC-7",
    ],
)
def test_a_net_of_ones_own_is_trained_tested_and_used_from_anywhere(
    model, images, tmp_path, monkeypatch, capsys
):
    (tmp_path / "nets.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    relative = os.path.relpath(images, tmp_path)
    options = [
        "--data",
        "folder",
        "--data-dir",
        relative,
        "--epochs",
        "1",
        "--batch-size",
        "5",
        "--out",
        "run",
    ]
    assert train.main(["--model", model, *options]) == 0, capsys.readouterr().err
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert evaluate.main([str(tmp_path / "run")]) == 0, capsys.readouterr().err
    assert predict.main([str(tmp_path / "run"), str(images / "test" / "dark" / "0.png")]) == 0
    assert train.main(["--resume", str(tmp_path / "run"), "--epochs", "2"]) == 0


@pytest.mark.exhaustive
def test_names_of_classes_and_folders_are_printed_as_they_are(tmp_path, capsys):
    for split in ("train", "test"):
        for i, name in enumerate(("dog [puppy]", "dog [bold]", ":cat:")):
            (tmp_path / split / name).mkdir(parents=True)
            Image.fromarray(np.full((32, 32), 90 * i, np.uint8)).save(
                tmp_path / split / name / "0.png"
            )
    out = tmp_path / "q[" / "b]run"
    assert (
        train.main(
            [
                "--data",
                "folder",
                "--data-dir",
                str(tmp_path),
                "--epochs",
                "1",
                "--batch-size",
                "3",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    assert f"report: {out}/report.html" in capsys.readouterr().out
    assert evaluate.main([str(out)]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("dog [puppy]", "dog [bold]", ":cat:"))


@pytest.mark.exhaustive
def test_a_log_gets_a_line_now_and_then(settings, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "SAY_EVERY", 0.0)
    assert train.main([*settings, "--epochs", "1", "--out", str(tmp_path / "run")]) == 0
    assert "  step 2 of 2  loss " in capsys.readouterr().out


@pytest.mark.exhaustive
def test_advice_for_a_shell_is_quoted(settings, tmp_path, monkeypatch, capsys):
    out = tmp_path / "my run"
    stop_after_one_epoch(settings, out, monkeypatch)
    assert f"go on with: jconv train --resume '{out}'" in capsys.readouterr().err
