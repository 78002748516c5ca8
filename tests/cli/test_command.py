import errno
import os
import subprocess
import sys
import warnings
from dataclasses import dataclass

import pytest
from rich.table import Table

from jconv import ShapeError
from jconv.cli.command import command, console, parse, with_flags
from jconv.errors import InputError


@pytest.mark.parametrize(
    "error, code, text",
    [
        (InputError("a.txt: is wrong"), 2, "error: a.txt: is wrong\n"),
        (ShapeError("does not fit", "conv1"), 2, "error: conv1: does not fit\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_errors_become_a_line_and_a_code(error, code, text, capsys):
    @command
    def main(argv):
        raise error

    assert main([]) == code
    assert capsys.readouterr().err == text


def test_what_is_no_fault_of_the_input_is_raised():
    @command
    def main(argv):
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        main([])


def test_the_code_and_the_arguments_pass_through():
    @command
    def main(argv):
        return len(argv)

    assert main(["a", "b", "c"]) == 3


@pytest.mark.parametrize(
    "error, text",
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "out/a"),
            "error: out/a: no space left on device; free some space, or write elsewhere",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "out"),
            "error: out: permission denied; change its permissions",
        ),
        (
            NotADirectoryError(errno.ENOTDIR, "Not a directory", "file/run"),
            "error: file/run: not a directory; a part of this path is a file",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "out"),
            "error: out: read-only file system; write elsewhere",
        ),
    ],
)
def test_what_the_system_refuses_is_a_line_with_the_path(error, text, capsys):
    @command
    def main(argv):
        raise error

    assert main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(text)


def test_warnings_are_one_line_each(capsys):
    @command
    def main(argv):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = lambda message, *rest: print(
                warnings.formatwarning(message, *rest[:3]), end="", file=sys.stderr
            )
            warnings.warn("two files are left out", stacklevel=1)
        return 0

    assert main([]) == 0
    assert capsys.readouterr().err == "warning: two files are left out\n"


@pytest.mark.parametrize("text", ["dog [puppy]", "[/b]run", ":dog: [bold]", "[link=file:///x]a"])
def test_what_comes_from_outside_is_printed_as_it_is(text, capsys):
    out = console(width=80)
    out.print(text)
    table = Table(text)
    table.add_row(text)
    out.print(table)
    printed = capsys.readouterr().out
    assert printed.count(text) == 3


def test_letters_that_a_terminal_does_not_know_are_question_marks():
    code = (
        "from jconv.cli.command import command, console\n@command\ndef main(argv):\n "
        "console().print('caf\u00e9 \u65e5'); return 0\nmain([])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
    )
    assert (run.returncode, run.stdout) == (0, b"caf? ?\n"), run.stderr


@pytest.mark.sweep(1)
@pytest.mark.parametrize("colours", [{}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}])
def test_nothing_is_drawn_over_in_a_log(colours):
    code = (
        "from jconv.cli.command import console, status\nimport time\nout = console()\n"
        "with status(out, 'working') as update:\n update('still'); "
        "time.sleep(0.3)\nout.print('done')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **colours}, capture_output=True
    )
    assert run.stdout == b"done\n", run.stderr


@dataclass(frozen=True)
class Choices:
    learning_rate: float = 0.1
    batch_size: int = 3
    resize: bool = False


@pytest.mark.parametrize(
    "words, said",
    [
        (
            ["--lr", "0.1"],
            "jconv train has no option --lr; it is called --learning-rate (jconv train --help "
            "lists them)",
        ),
        (["--batch=8"], "has no option --batch; it is called --batch-size"),
        (["--learning-rte", "1"], "has no option --learning-rte; did you mean --learning-rate"),
        (["--colour"], "has no option --colour; did you mean --"),
    ],
)
def test_an_option_by_another_name_is_told_ours(words, said, capsys):
    @command
    def main(argv):
        parse(Choices, argv, prog="jconv train", doc="")
        return 0

    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_options_are_read():
    read = lambda *words: parse(Choices, words, prog="jconv train", doc="")
    assert read() == Choices()
    assert read("--learning_rate", "1e-3", "--batch-size=5", "--resize") == Choices(1e-3, 5, True)
    assert read("--no-resize") == Choices()


@pytest.mark.parametrize(
    "text, flags",
    [
        ("batch_size=0: 1 or more was expected", "--batch-size 0: 1 or more was expected"),
        ("one size (resize=True); else", "one size (--resize); else"),
        ("resize=False is it", "--no-resize is it"),
        ("data='a b' needs data_dir=PATH", "--data a b needs --data-dir PATH"),
        ("my_batch_size=3, padding=0", "my_batch_size=3, padding=0"),
    ],
)
def test_arguments_that_an_error_names_are_flags_of_a_command(text, flags):
    options = ["batch_size", "data", "data_dir", "resize"]
    assert with_flags(text, options) == flags
    assert with_flags(text, []) == text
