import pytest

from jconv.scripts import summary


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")


def test_the_table(capsys):
    assert summary.main(["lenet5"]) == 0
    out = capsys.readouterr().out
    assert "61,706" in out and "pool2" in out and "S80" not in out


def test_lint_prints_the_findings_below_the_table(capsys):
    assert summary.main(["lenet5", "--lint"]) == 0
    lines = capsys.readouterr().out.splitlines()
    below = lines[next(i for i, line in enumerate(lines) if "61,706" in line) + 1 :]
    assert [line for line in below if line.strip()] == [
        "conv1: 32x32 becomes 28x28; P = (F - 1)/2 = 2 keeps the size and the border; use padding=2 (S80 padding)",
        "conv2: 14x14 becomes 10x10; P = (F - 1)/2 = 2 keeps the size and the border; use padding=2 (S80 padding)",
    ]


def test_lint_says_that_there_is_nothing(capsys):
    assert summary.main(["tiny_vgg", "--lint"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing to find: every rule of the notes is kept"


def test_lint_follows_the_shape_given(capsys):
    assert summary.main(["tiny_vgg", "--lint", "--in-shape", "36", "36", "3"]) == 0
    assert "input: 36 = 9*2^2 can be halved 2 times" in capsys.readouterr().out


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
