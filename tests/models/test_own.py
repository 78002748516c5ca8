import pytest

from jconv import Conv, Dense, Flatten, InputError, MaxPool, PatternError, Relu, Sequential
from jconv.models import build, sized
from jconv.models.own import own_layers

FILE = """
from dataclasses import dataclass
from jconv import Conv, Dense, Flatten, Pointwise, Sequential
import beside

INPUT = (8, 8, 1)

@dataclass(frozen=True)
class Mine(Pointwise):
    def apply(self, params, state, x, *, train=False, key=None):
        return x, state

def net(classes=10, variant="A"):
    return Sequential(Conv(4 if variant == "A" else 8, 3), Mine(), Flatten(), Dense(classes))

def fixed():
    return Dense(3)

def none():
    pass

def broken():
    raise KeyError("no such")
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "beside.py").write_text("")
    (tmp_path / "nets.py").write_text(FILE)
    return tmp_path / "nets.py"


def test_a_pattern_is_a_model():
    net, shape = build("INPUT32x32x3 -> [CONV3-8 -> RELU]*2 -> POOL -> FC-10")
    assert shape == (32, 32, 3) and net.layers[-1][1] == Dense(10)
    assert build("INPUT -> CONV3-8 -> FC", classes=7)[0] == Sequential(
        Conv(8, 3, padding=1), Flatten(), Dense(7)
    )
    # no dense layer to change
    assert build("INPUT -> RELU -> POOL", classes=7)[0] == Sequential(Relu(), MaxPool(2))


def test_a_function_in_a_file_is_a_model(file):
    net, shape = build(f"{file}:net", classes=5, variant="B")
    assert shape == (8, 8, 1)
    assert net["conv1"] == Conv(8, 3) and net["dense1"] == Dense(5)
    assert build(f"{file}:fixed", classes=5)[0] == Dense(3)  # it takes no classes
    (mine,) = own_layers(f"{file}:net")
    # one class, however often the file is asked
    assert mine.__name__ == "Mine" and isinstance(net["mine1"], mine)
    assert own_layers("lenet5") == own_layers("INPUT -> FC") == []


def test_a_shape_that_is_given_goes_before_the_nets(file):
    assert build(f"{file}:net", in_shape=[16, 16, 1])[1] == (16, 16, 1)
    assert build("lenet5", in_shape=(40, 40, 1))[1] == (40, 40, 1)
    assert sized("INPUT -> FC", in_shape=(8, 8, 1))[1] == (8, 8, 1)
    with pytest.raises(
        InputError,
        match="INPUT -> FC: says nothing of the size of an image; give --in-shape 32 32 3, or "
        "INPUT32x32x3 at",
    ):
        sized("INPUT -> FC")


@pytest.mark.parametrize(
    "name, words",
    [
        (
            "lenet",
            r"unknown model 'lenet'; did you mean lenet5, \w+ or \w+\? \(or give a pattern, or "
            r"FILE.py:FUNCTION\)$",
        ),
        ("absent.py:net", "absent.py: there is no such file"),
        ("{file}", "nets.py: say which function makes the net: .*nets.py:net"),
        ("{file}:ned", r"has no function 'ned'; did you mean net"),
        ("{file}:none", "nets.py:none: returns NoneType, a net was expected"),
        ("{file}:broken", "nets.py:broken: KeyError: 'no such'"),
        ("{folder}/syntax.py:net", "syntax.py, line 2: SyntaxError"),
        ("{folder}/raises.py:net", "raises.py, line 3: ZeroDivisionError"),
    ],
)
def test_what_is_wrong_is_named(name, words, file):
    (file.parent / "syntax.py").write_text("\ndef net(:\n")
    (file.parent / "raises.py").write_text("a = 1\n\na / 0\n")
    with pytest.raises(InputError, match=words):
        build(name.format(file=file, folder=file.parent))


def test_a_pattern_that_is_none_says_where():
    with pytest.raises(PatternError, match="column"):
        build("INPUT -> CONF -> FC")
