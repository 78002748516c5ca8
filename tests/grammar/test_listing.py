import pytest

from jconv import (
    Conv,
    Dense,
    Flatten,
    Lambda,
    LayerError,
    MaxPool,
    PatternError,
    Relu,
    Residual,
    Sequential,
)
from jconv.grammar import read_listing, write_listing
from jconv.layers import convnetjs_normal
from jconv.models import build

TEXT = """
conv1 = Conv(16, 5, padding=2, kernel_init=convnetjs_normal())
relu1: Relu()   # so too
MaxPool(2)
block = Residual(Sequential(conv1=Conv(16, 3, padding=1),
                            relu1=Relu()))
flatten = Flatten()
fc = Dense(10)
"""


def test_a_list_is_the_net_that_python_would_make_of_it():
    assert read_listing(TEXT) == Sequential(
        conv1=Conv(16, 5, padding=2, kernel_init=convnetjs_normal()),
        relu1=Relu(),
        maxpool1=MaxPool(2),
        block=Residual(Sequential(conv1=Conv(16, 3, padding=1), relu1=Relu())),
        flatten=Flatten(),
        fc=Dense(10),
    )


@pytest.mark.parametrize(
    "name", ["lenet5", "convnetjs", "cifar_resnet20", "alexnet", "dilated_frontend"]
)
def test_nets_of_the_zoo_come_back(name):
    net, _ = build(name)
    assert read_listing(write_listing(net)) == net


@pytest.mark.parametrize(
    "text, line, column, words",
    [
        ("a = Conv(6, 5)\nb = Cnov(6, 5)", 2, 5, "no layer Cnov; did you mean Conv"),
        ("a = Conv(0, 5)", 1, 5, "features"),
        ("a = Conv(6, 5, colour=3)", 1, 5, "colour"),
        ("a = Conv(6 5)", 1, 10, ""),
        ("a = Relu", 1, 5, "Relu(...)"),
        ("a = __import__('os').system('true')", 1, 5, "cannot stand here"),
        ("a = open('x')", 1, 5, "no layer open"),
        ("a = Conv(6, 5, kernel_init=eval('1'))", 1, 28, "no layer eval"),
        ("a = [Relu() for _ in (1, 2)]", 1, 5, "cannot stand here"),
        ("import os", 1, 1, "name = Layer(...)"),
        ("é = Relu(); a = 3", 1, 17, "is no layer"),
        ("a = Relu()\na = Relu()", 2, 1, "two layers"),
        ("a = Lambda(3)", 1, 5, "no layer Lambda"),
        ("a = Conv(**3)", 1, 12, "one by one"),
        ("", 1, 1, "no layers"),
        ("a = " + "(" * 500, 1, 1, ""),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, line, column, words):
    with pytest.raises(PatternError) as error:
        read_listing(text)
    assert words in str(error.value)
    assert error.value.line == line
    if words:
        assert error.value.column == column


def test_a_list_that_is_too_long_is_refused():
    with pytest.raises(PatternError, match="characters"):
        read_listing("a = Relu()\n" * 20_000)


def test_a_net_that_no_text_holds_is_refused():
    with pytest.raises(LayerError, match="list of layers"):
        write_listing(Sequential(a=Lambda(abs), b=Relu()))
    with pytest.raises(LayerError, match="list of layers"):
        write_listing(Sequential(**{"1": Relu()}))
