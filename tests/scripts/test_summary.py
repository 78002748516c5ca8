import pytest

from jconv.analysis.memory import MIB
from jconv.errors import InputError
from jconv.scripts import summary
from jconv.train import compiled


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")


def test_the_table(capsys):
    assert summary.main(["lenet5"]) == 0
    out = capsys.readouterr().out
    assert "61,706" in out and "pool2" in out and "CS231n notes:" not in out


def test_lint_prints_the_findings_below_the_table(capsys):
    assert summary.main(["lenet5", "--lint"]) == 0
    lines = capsys.readouterr().out.splitlines()
    below = lines[next(i for i, line in enumerate(lines) if "61,706" in line) + 1 :]
    assert [line for line in below if line.strip()] == [
        "conv1: 32x32 becomes 28x28; P = (F - 1)/2 = 2 keeps the size and the border; use "
        "padding=2 (CS231n notes: padding)",
        "conv2: 14x14 becomes 10x10; P = (F - 1)/2 = 2 keeps the size and the border; use "
        "padding=2 (CS231n notes: padding)",
    ]


def test_lint_says_that_there_is_nothing(capsys):
    assert summary.main(["tiny_vgg", "--lint"]) == 0
    assert (
        capsys.readouterr().out.splitlines()[-1]
        == "nothing to find: every rule of the CS231n notes is kept"
    )


def test_lint_follows_the_shape_given(capsys):
    assert summary.main(["tiny_vgg", "--lint", "--in-shape", "36", "36", "3"]) == 0
    assert "input: 36 = 9*2^2 can be halved 2 times" in capsys.readouterr().out


def test_remarks_are_about_the_published_form(capsys):
    said = (
        "the CS231n notes' total is 24M values, 93 MB an image; their own rows sum to 15,237,608 "
        "values, "
        "60.95 MB"
    )
    for argv, expected in (
        (["vgg16"], True),
        (["vgg16", "--classes", "10"], False),
        (["vgg16", "--in-shape", "384", "384", "3"], False),
    ):
        assert summary.main(argv) == 0
        assert (said in capsys.readouterr().out.splitlines()) is expected


def test_the_memory_of_vgg16(capsys):
    assert (
        summary.main(
            ["vgg16", "--memory", "--topology", "none", "--optimizer", "adam", "--fits", "12"]
        )
        == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert (
        "one image's values, as the CS231n notes count them: 58.13 MiB forward, 116.25 MiB with "
        "their "
        "gradients" in lines
    )
    for what, size in (
        ("parameters", "527.79"),
        ("their gradients", "527.79"),
        ("the optimizer's cache", "1,055.58"),
    ):
        assert any(line.split() == [*what.split(), size, "MiB"] for line in lines), what
    assert any(
        "sgd 0.00 MiB; momentum, nesterov, rmsprop, adagrad, lion 527.79 MiB; "
        "adam, adamw, adadelta, lamb 1,055.58 MiB" in line
        for line in lines
    )
    assert "testing one image keeps 6,422,528 values alive at most" in lines
    assert lines[-1].startswith("the largest batch that fits 12 GiB: ")


def compiled_as(found, monkeypatch):
    """XLA's figure is `found`, or the error that it is; what was asked is returned."""
    asked = []

    def answer(net, in_shape, batch, **settings):
        asked.append((batch, settings))
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(summary, "find_spec", lambda name: name)
    monkeypatch.setattr(compiled, "compiled_memory", answer)
    return asked


def test_xlas_figure_is_printed_beside_the_prediction(monkeypatch, capsys):
    asked = compiled_as(
        compiled.Compiled("TPU v5 lite", 3 * MIB, 2**19, 5 * MIB, None, None, 1.0), monkeypatch
    )
    assert (
        summary.main(["lenet5", "--memory", "--batch", "7", "--optimizer", "adam", "--wait", "9"])
        == 0
    )
    out = capsys.readouterr().out
    assert asked == [
        (7, {"optimizer": "adam", "dtype": "float32", "topology": "v5e:2x2", "timeout": 9.0})
    ]
    rows = [line.split(" MiB")[0].split() for line in out.splitlines() if " MiB" in line]
    assert [row[-1] for row in rows[-4:]] == ["3.00", "0.50", "5.00", "8.50"]
    assert "compiled for one TPU v5 lite" in out


def test_no_figure_is_one_line_and_no_failure(monkeypatch, capsys):
    compiled_as(
        compiled.CompilationFailed(
            "XLA did not finish within 300 s; allow more with timeout= or --wait"
        ),
        monkeypatch,
    )
    assert summary.main(["lenet5", "--memory"]) == 0
    assert (
        capsys.readouterr().out.splitlines()[-1]
        == "no figure from XLA for v5e:2x2: XLA did not finish within 300 s; allow more with "
        "timeout= or --wait"
    )


def test_it_is_not_asked_for_without_libtpu_or_when_left_out(monkeypatch, capsys):
    asked = compiled_as(InputError("topology 'moon'"), monkeypatch)
    assert summary.main(["lenet5", "--memory", "--topology", "none"]) == 0
    assert summary.main(["lenet5", "--fits", "1"]) == 0
    monkeypatch.setattr(summary, "find_spec", lambda name: None)
    assert summary.main(["lenet5", "--memory"]) == 0
    assert asked == [] and "XLA" not in capsys.readouterr().out
    monkeypatch.setattr(summary, "find_spec", lambda name: name)
    assert summary.main(["lenet5", "--memory", "--topology", "moon"]) == 2
    assert capsys.readouterr().err == "error: topology 'moon'\n"


def test_a_budget_below_the_parameters_says_so(capsys):
    assert summary.main(["vgg16", "--fits", "0.5"]) == 2
    assert (
        "512.0 MiB hold no training: parameters, gradients and momentum's cache take 1,583.4 MiB"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "argv, words",
    [
        (["lenet"], "unknown model 'lenet'; did you mean"),
        (["lenet5", "--lint", "--in-shape", "9", "9", "1"], "conv2: a 5-wide window does not"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(argv, words, capsys):
    assert summary.main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and words in error and error.count("\n") == 1
