"""Each suite at toy size, with jconv and plain lax only. Nothing is said about how long anything
took.
"""

import json

import pytest

from jconv.scripts.bench import __main__ as bench
from jconv.scripts.bench.compiling import measure_compiling
from jconv.scripts.bench.result import CaseResult
from jconv.tuning import ahead

OURS = ["--contestants", "jconv", "lax", "--toy", "--pairs", "2", "--pause", "0"]


def run(tmp_path, *argv):
    assert bench.main([*argv, *OURS, "--out", str(tmp_path)]) == 0
    return json.loads((tmp_path / "bench.json").read_text())


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "suite, part, cases",
    [
        ("ops", "3x3 64 at 8", 2),
        ("nets", "LeNet", 2),
        ("train", "LeNet, train", 1),
        ("train", "LeNet b64", 2),
        ("compile", "LeNet b64", 1),
        ("memory", "LeNet, train", 1),
        ("gpu", "max pool 2/2 64 at 56, gradient", 2),
    ],
)
def test_a_suite_writes_its_three_files(suite, part, cases, tmp_path, capsys):
    result = run(tmp_path, "--suite", suite, "--cases", part)
    assert (
        len(result["rows"]) == cases
        and result["machine"]["cores"]
        and result["command"].startswith(f"jconv bench --suite {suite}")
    )
    for row in result["rows"]:
        assert (
            row["suite"] == suite
            and set(row["samples"]) == {"jconv", "lax"}
            and not row["skipped"]
            and not row["disagree"]
        )
        assert row["times_of_jconv"]["lax"]["value"] > 0
    assert {file.name for file in tmp_path.iterdir()} == {"bench.json", "bench.md", "bench.svg"}
    out = capsys.readouterr().out
    assert "threads in XLA" in out and "slower than plain lax" in out and "not judged" in out


@pytest.mark.exhaustive
def test_a_row_of_the_plan_that_loses_ends_with_exit_code_1(tmp_path, monkeypatch, capsys):
    argv = [
        "--suite",
        "plan",
        "--cases",
        "columns: 64x32x32x3 by 3x3 to 16",
        "--toy",
        "--pairs",
        "2",
        "--out",
        str(tmp_path),
    ]
    assert bench.main(argv) == 0
    (row,) = json.loads((tmp_path / "bench.json").read_text())["rows"]
    assert (
        row["what"] == "forward"
        and set(row["samples"]) == {"jconv", "direct", "lax"}
        and not row["disagree"]
    )
    monkeypatch.setattr(CaseResult, "loses", True)
    assert bench.main(argv) == 1
    assert "rows of the plan that do not hold on this machine" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_scans_are_measured_against_themselves_written_out(tmp_path, capsys):
    argv = [
        "--suite",
        "scan",
        "--cases",
        "4 batches of 32: gradients of depthwise 3x3 64",
        "--toy",
        "--pairs",
        "2",
    ]
    assert bench.main([*argv, "--out", str(tmp_path)]) == 0
    (row,) = json.loads((tmp_path / "bench.json").read_text())["rows"]
    assert (
        set(row["samples"]) == {"jconv", "jconv-written-out"}
        and not row["skipped"]
        and not row["disagree"]
    )
    lines = (tmp_path / "bench.md").read_text().splitlines()
    head = lines.index("| case | batch | jconv | × written out |")
    assert lines[head + 1].count("|") == lines[head + 2].count("|") == 5
    out = capsys.readouterr().out
    # no plain lax, no chart
    assert "\n  written out    " in out and out.rstrip().endswith("bench.json, bench.md")
    assert {file.name for file in tmp_path.iterdir()} == {"bench.json", "bench.md"}


@pytest.mark.exhaustive
def test_ahead_compiles_every_case_in_one_process_and_runs_none(tmp_path, monkeypatch, capsys):
    """With the CPU in the place of the chip."""
    monkeypatch.setattr(ahead, "find_spec", lambda name: name)
    patched = (
        "import jax, jconv.tuning.ahead as ahead; ahead.find_chip = lambda name: "
        "jax.devices('cpu')[0]; "
    )
    monkeypatch.setattr(ahead, "CHILD", patched + "print('started'); ahead.answer()")
    argv = [
        "--suite",
        "gpu",
        "--cases",
        "max pool 2/2 64 at 56",
        "--toy",
        "--ahead",
        "v0:1x1",
        "--out",
        str(tmp_path),
    ]
    assert bench.main(argv) == 0
    result = json.loads((tmp_path / "bench.json").read_text())
    assert result["topology"] == "v0:1x1" and result[
        "command"
    ] == f"jconv bench {' '.join(argv)}".replace("max pool 2/2 64 at 56", "'max pool 2/2 64 at 56'")
    assert [(row["what"], row["dtype"]) for row in result["rows"]] == [
        (what, dtype) for dtype in ("float32", "bfloat16") for what in ("forward", "gradient")
    ]
    image = 56 * 56 * 64 * 2 * 4
    assert all(
        row["account"]["chip"] == "cpu" and row["account"]["accessed"] > image / 2
        for row in result["rows"]
    )
    assert {file.name for file in tmp_path.iterdir()} == {"bench.json", "bench.md"}
    assert (
        "gpu: max pool 2/2 64 at 56, gradient, batch 2, bfloat16, jconv: "
        in capsys.readouterr().out
    )


def test_ahead_without_libtpu_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ahead, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    assert bench.main(["--suite", "gpu", "--ahead", "v5e:2x2"]) == 2
    assert (
        capsys.readouterr().err
        == "error: --ahead v5e:2x2: libtpu is not installed; pip install 'jconv[tpu-plan]'\n"
    )
    assert not list(tmp_path.iterdir())


def test_ctrl_c_keeps_the_cases_before(tmp_path, monkeypatch, capsys):
    calls = []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure_compiling(*args)

    monkeypatch.setitem(
        bench.SUITES, "compile", bench.SUITES["compile"]._replace(measure=interrupted)
    )
    monkeypatch.setattr("jconv.scripts.bench.compiling.compile_seconds", lambda *_: 1.0)
    assert bench.main(["--suite", "compile", *OURS, "--out", str(tmp_path)]) == 130
    assert [row["case"] for row in json.loads((tmp_path / "bench.json").read_text())["rows"]] == [
        "LeNet"
    ]
    assert "LeNet, train" in (tmp_path / "bench.md").read_text()


@pytest.mark.parametrize(
    "argv, words",
    [
        (
            ["--suite", "speed"],
            "unknown suite 'speed'; use 'ops', 'scan', 'nets', 'train', 'compile', 'memory', "
            "'data', 'plan'",
        ),
        (
            ["--suite", "train", "--cases", "alexnex"],
            "no case of train has 'alexnex' in its name; there are\n  LeNet, train",
        ),
        (["--contestants", "keras"], "unknown contestant 'keras'"),
        (
            ["--suite", "ops", "gpu"],
            "--suite gpu: jax finds only cpu here; pip install 'jax[cuda13]' on a machine with an "
            "NVIDIA GPU",
        ),
        (["--suite", "gpu-compile"], "--suite gpu-compile: jax finds only cpu here"),
        (["--pairs", "0"], "--pairs 0: at least 1 was expected"),
    ],
)
def test_wrong_input_is_exit_code_2_and_nothing_is_written(
    argv, words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert bench.main(argv) == 2
    assert capsys.readouterr().err.startswith(f"error: {words}")
    assert not list(tmp_path.iterdir())


def test_out_may_not_be_a_file(tmp_path, capsys):
    (tmp_path / "x").write_text("")
    assert bench.main(["--out", str(tmp_path / "x")]) == 2
    assert "is a file; name a folder" in capsys.readouterr().err


def test_the_chart_shows_how_much_less_than_plain_lax_each_takes():
    def row(case, **samples):
        return CaseResult(
            "train",
            case,
            "train",
            8,
            "float32",
            samples={name: [seconds] for name, seconds in samples.items()},
        )

    (group,) = bench.chart_groups([row("a", jconv=2.0, lax=4.0, torch=8.0), row("b", jconv=2.0)])
    assert group.title.startswith("train: whole") and group.speeds == {
        "a, train, batch 8": {"jconv": 2.0, "PyTorch": 0.5}
    }
