import ast
import subprocess
import sys
from pathlib import Path

import pytest

from jconv import __main__ as cli

SCRIPTS = Path(cli.__file__).parents[1] / "scripts"


def test_every_script_is_listed_with_its_first_line(capsys):
    assert cli.main(["--help"]) == 0
    listed = capsys.readouterr().out.splitlines()
    names = sorted([*(file.stem for file in SCRIPTS.glob("[!_]*.py")), "bench"])
    assert [line.split()[0] for line in listed if line.startswith("  ")] == names
    assert any(
        "train " in line
        and line.endswith(
            "Train a network on images and write a run folder with its weights and a report."
        )
        for line in listed
    )


def test_listing_is_what_no_arguments_do(capsys):
    assert cli.main([]) == 0
    assert capsys.readouterr().out.startswith("usage: jconv NAME")


def test_listing_imports_no_script():
    code = (
        "import sys; from jconv.__main__ import main; main(['--help']); print(*[m for m in "
        "sys.modules if m.startswith('jconv.scripts.')])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert out.splitlines()[-1] == ""


def test_a_name_that_is_nearly_right(capsys):
    assert cli.main(["evaluat", "x"]) == 2
    assert "error: no command is called 'evaluat'; did you mean evaluate" in capsys.readouterr().err
    assert cli.main(["xyzzy"]) == 2
    assert "did you mean bench, " in capsys.readouterr().err


def test_the_benchmark_is_a_checkouts(capsys, monkeypatch):
    found = {name: file for name, file in cli.scripts().items() if name != "bench"}
    monkeypatch.setattr(cli, "scripts", lambda: found)
    assert cli.main(["bench", "--toy"]) == 2
    assert "run it in a checkout" in capsys.readouterr().err


def test_a_command_gets_its_arguments_and_gives_its_code(capsys):
    assert cli.main(["predict", "nowhere", "a.png"]) == 2
    assert capsys.readouterr().err.startswith("error: nowhere: there is no such run folder")


@pytest.mark.parametrize("file", sorted(SCRIPTS.glob("[!_]*.py")), ids=lambda file: file.stem)
def test_every_script_says_how_it_is_called(file):
    tree = ast.parse(file.read_text())
    assert f"jconv {file.stem} " in f"{ast.get_docstring(tree)} "
    assert any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)
