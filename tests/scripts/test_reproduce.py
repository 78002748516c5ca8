import json
import re

import pytest
from jax.errors import JaxRuntimeError

from jconv import Conv, replace, thin
from jconv.models import build
from jconv.scripts import reproduce
from jconv.train import Diverged

TWO_STEPS = ["cifar94", "--resize", "--epochs", "1", "--batch-size", "5", "--dtype", "float32"]


@pytest.fixture(autouse=True)
def slim(monkeypatch):
    """The recipe with a net of four channels."""

    def slim(*args, **settings):
        net, in_shape = build(*args, **settings)
        return replace(thin(net, 0.001), "whiten", Conv(24, 2)), in_shape

    monkeypatch.setattr(reproduce, "build", slim)


@pytest.mark.exhaustive
def test_two_runs_of_two_steps(images, tmp_path, capsys):
    out = tmp_path / "runs" / "one"
    assert (
        reproduce.main(
            [*TWO_STEPS, "--data-dir", str(images), "--runs", "2", "--seed", "7", "--out", str(out)]
        )
        == 0
    )
    printed = capsys.readouterr().out
    assert sorted(p.name for p in out.iterdir()) == ["config.json", "runs.json"]
    assert re.search(
        r"cifar94: [\d,]+ parameters; 11 training and 6 test images; float32; compiled in [\d.]+ "
        r"s\n",
        printed,
    )
    assert [line.split()[0] for line in printed.splitlines()[3:]] == [
        "seed",
        "7",
        "8",
        "median",
        "mean",
        "written:",
    ]

    config, found = (json.loads((out / name).read_text()) for name in ("config.json", "runs.json"))
    assert (config["recipe"], config["batch_size"], config["epochs"], config["dtype"]) == (
        "cifar94",
        5,
        1.0,
        "float32",
    )
    assert (
        config["command"].startswith("jconv reproduce cifar94 --resize")
        and config["machine"]["versions"]["jax"]
    )
    assert [run["seed"] for run in found["runs"]] == [7, 8]
    assert [[(row["epoch"], row["step"]) for row in run["epochs"]] for run in found["runs"]] == [
        [(1, 2)]
    ] * 2
    seconds = [run["seconds"] for run in found["runs"]]
    assert found["median"]["seconds"] == found["mean"]["seconds"] == pytest.approx(sum(seconds) / 2)
    assert found["compile_seconds"] > 0
    assert all(
        run[name] * 6 == pytest.approx(round(run[name] * 6))
        for run in found["runs"]
        for name in ("accuracy", "accuracy_of_views")
    )


@pytest.mark.exhaustive
def test_divergence_is_exit_code_1_and_what_was_done_is_kept(images, tmp_path, monkeypatch, capsys):
    def second_diverges(job, seed, watch):
        if seed == 1:
            raise Diverged(2, "the loss is nan")
        return run(job, seed, watch)

    run = reproduce.train_on_device
    monkeypatch.setattr(reproduce, "train_on_device", second_diverges)
    assert (
        reproduce.main([*TWO_STEPS, "--data-dir", str(images), "--out", str(tmp_path / "run")]) == 1
    )
    assert (
        capsys.readouterr().err
        == "error: the training from seed 1 diverged at step 2: the loss is nan\n"
    )
    assert [
        r["seed"] for r in json.loads((tmp_path / "run" / "runs.json").read_text())["runs"]
    ] == [0]


@pytest.mark.exhaustive
@pytest.mark.parametrize("done", [0, 1])
def test_too_little_memory_is_one_line_and_leaves_no_folder_without_a_run(
    done, images, tmp_path, monkeypatch, capsys
):
    def exhausted(job, seed, watch):
        if seed < done:
            return run(job, seed, watch)
        return run(job._replace(programs=job.programs._replace(start=raises)), seed, watch)

    def raises(*_):
        raise JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes.")

    run = reproduce.train_on_device
    monkeypatch.setattr(reproduce, "train_on_device", exhausted)
    out = tmp_path / "run"
    assert reproduce.main([*TWO_STEPS, "--data-dir", str(images), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert re.fullmatch(
        r"error: --batch-size 5: out of memory: a training step of 5 images needs [\d.]+ MiB at "
        r"least; try 2 images\n",
        error,
    )
    assert out.exists() == bool(done)


@pytest.mark.exhaustive
def test_deterministic_runs_agree_and_say_so(images, tmp_path):
    for name in "ab":
        words = [
            "--data-dir",
            str(images),
            "--runs",
            "1",
            "--deterministic",
            "--backend",
            "cpu",
            "--out",
            str(tmp_path / name),
        ]
        assert reproduce.main([*TWO_STEPS, *words]) == 0
    losses = [
        [
            row["train_loss"]
            for row in json.loads((tmp_path / name / "runs.json").read_text())["runs"][0]["epochs"]
        ]
        for name in "ab"
    ]
    assert (
        losses[0] == losses[1]
        and json.loads((tmp_path / "a" / "config.json").read_text())["deterministic"]
    )


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["cifar95"], "unknown recipe 'cifar95'; use 'digits', 'convnetjs_cifar10'"),
        (["cifar94"], "cifar94 needs the folder of its images: --data-dir PATH"),
        (["cifar94", "--data-dir", "absent"], "absent/train: there is no such folder"),
        (["cifar94", "--data-dir", "IMAGES"],
            r"images have the shape (32, 32, 1) (the batch is (11, 32, 32, 1)) but the net "
            r"takes (32, 32, 3); --resize"),
        (["cifar94", "--data-dir", "IMAGES", "--resize"],
            "the batch size is 1024 but there are 11 training examples; use a batch size of at "
            "most 11"),
        (["cifar94", "--data-dir", "IMAGES", "--runs", "0"], "--runs 0: at least 1 was expected"),
        (["cifar94", "--data-dir", "IMAGES", "--seed", "-1"], "--seed -1: at least 0 was expected"),
        (["cifar94", "--data-dir", "IMAGES", "--seed", "4294967295"],
            "--seed 4294967295: with --runs 5 below 2^32 was expected"),
        (["cifar94", "--data-dir", "IMAGES", "--batch-size", "0"],
            "--batch-size 0: at least 1 was expected"),
        (["cifar94", "--data-dir", "IMAGES", "--epochs", "0"],
            "--epochs 0.0: a number above 0 was expected"),
        (["cifar94", "--data-dir", "IMAGES", "--backend", "tpu"],
            "--backend tpu: jax finds only cpu here; pip install 'jax[tpu]' on"),
        (["cifar94", "--data-dir", "IMAGES", "--epochs", "nan"],
            "--epochs nan: a number above 0 was expected"),
    ],
)  # fmt: skip
def test_wrong_input_is_exit_code_2_and_nothing_is_written(
    argv, words, images, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert reproduce.main([str(images) if word == "IMAGES" else word for word in argv]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {words}") and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_out_must_be_new_or_empty(images, tmp_path, capsys):
    (tmp_path / "kept").write_text("")
    for out, what in (
        (tmp_path, "already exists and is not empty"),
        (tmp_path / "kept", "is a file, a folder was expected"),
    ):
        assert reproduce.main(["cifar94", "--data-dir", str(images), "--out", str(out)]) == 2
        assert capsys.readouterr().err == f"error: {out}: {what}; choose another folder\n"


def test_the_recipe_is_the_published_one_unless_told_otherwise():
    options = reproduce.Options("cifar94")
    recipe = reproduce.chosen(options, 10)
    assert (recipe.epochs, recipe.batch_size, recipe.dtype) == (9.9, 1024, "bfloat16")
    smaller = reproduce.chosen(reproduce.Options("cifar94", batch_size=512), 10)
    assert (smaller.epochs, smaller.batch_size, smaller.net) == (9.9, 512, recipe.net)
