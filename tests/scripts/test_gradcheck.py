import pytest

from jconv.scripts import gradcheck


def test_it_says_what_was_checked_in_what(capsys):
    assert gradcheck.main(["lenet5", "--thin", "0.25", "--directions", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "passed in float64 at highest precision; worst: " in lines[-1] and any(
        line.startswith("fc") or "kernel" in line for line in lines
    )


@pytest.mark.exhaustive
def test_errors_of_each_policy(capsys):
    assert gradcheck.main(["lenet5", "--errors", "--batch", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "max|a - b| / max|b| on cpu, batch 3"
    scores = [float(line.split()[2]) for line in lines[3:6]]
    assert scores[0] < 1e-5 < 1e-3 < scores[2] < 0.1


def test_an_unknown_model_is_one_line(capsys):
    assert gradcheck.main(["lenet", "--errors"]) == 2
    assert capsys.readouterr().err.startswith("error: unknown model 'lenet'")
