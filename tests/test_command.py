import pytest

from jconv import ShapeError
from jconv.command import command
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
