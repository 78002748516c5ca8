import json
import re
from dataclasses import dataclass

import jax
import pytest

from jconv import (
    Concat,
    Conv,
    Dense,
    Initializer,
    Lambda,
    Layer,
    LayerError,
    Relu,
    Residual,
    Sequential,
    Tap,
    from_json,
    to_json,
)
from jconv.layers import gaussian

NET = Sequential(
    conv1=Conv(
        4, (3, 2), padding=((1, 0), 2), mask=((0, 1), (2,), (0,), (1,)), kernel_init=gaussian(0.01)
    ),
    block=Residual(
        Sequential(conv=Conv(4, 1), tap=Tap("seen", Dense(3), train_only=True)), then=Relu()
    ),
    mix=Concat(a=Conv(2, 1), b=Relu()),
)


def test_a_net_goes_to_json_and_back():
    text = to_json(NET)
    again = from_json(text)
    assert again == NET
    assert hash(again) == hash(NET)
    assert repr(again) == repr(NET)
    assert to_json(again) == text
    assert [name for name, _ in again.children] == ["conv1", "block", "mix"]
    assert again["conv1"].kernel_init == Initializer("normal", 0.01)


def test_the_text_is_class_names_and_settings():
    data = json.loads(to_json(Sequential(fc=Dense(3, bias=False))))
    assert (data["class"], list(data["layers"])) == ("Sequential", ["fc"])
    fc = data["layers"]["fc"]
    assert (fc["class"], fc["features"], fc["bias"], fc["precision"]) == ("Dense", 3, False, None)
    kernel_init = fc["kernel_init"]
    assert (
        kernel_init["class"],
        kernel_init["distribution"],
        kernel_init["scale"],
        kernel_init["fan"],
    ) == (
        "Initializer",
        "normal",
        2,
        "in",
    )
    assert to_json(Relu()) == '{"class": "Relu"}'
    assert to_json(Relu(), indent=1) == '{\n "class": "Relu"\n}'


def test_names_that_are_words_of_the_format_are_only_names():
    net = Sequential(layer=Relu(), layers=Relu(), initializer=Tap("name"))
    assert from_json(to_json(net)) == net


@dataclass(frozen=True)
class Own(Layer):
    width: int = 1
    kernel_size: tuple = (1, 2)


def test_layers_of_ones_own_are_given_by_class():
    net = Sequential(a=Own(3, kernel_size=(2, 3)))
    assert from_json(to_json(net), own=[Own]) == net
    with pytest.raises(
        ValueError, match=r"^a: unknown layer 'Own'; if it is yours, give its class: own=\[Own\]$"
    ):
        from_json(to_json(net))


@dataclass(frozen=True)
class Odd(Layer):
    setting: object = None


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (
            Sequential(a=Sequential(f=Lambda(abs))),
            "a/f: a Lambda holds a function and cannot be saved; write a Layer of your own instead",
        ),
        (
            Sequential(a=Sequential(conv1=Conv(4, 3, kernel_init=jax.nn.initializers.normal()))),
            "a/conv1/kernel_init: a setting of type function",
        ),
        (
            Sequential(fc=Dense(4, bias_init=jax.nn.initializers.ones)),
            "fc/bias_init: a setting of type function cannot be saved",
        ),
        (
            Sequential(a=Odd({1: 2}.keys)),
            "a/setting: a setting of type builtin_function_or_method cannot be saved; settings are "
            "numbers",
        ),
        (
            Sequential(a=Odd((1, frozenset()))),
            "a/setting: a setting of type frozenset cannot be saved",
        ),
        (Residual(Odd(1j)), "body/setting: a setting of type complex cannot be saved"),
    ],
)
def test_what_cannot_be_saved_names_its_path(net, words):
    with pytest.raises(LayerError, match=f"^{re.escape(words)}"):
        to_json(net)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not the JSON of a net: Expecting value: line 1"),
        ('{"class": ', "not the JSON of a net: Expecting value: line 1"),
        ("[]", 'the JSON of a net is an object with a "class", got tuple'),
        ("3", 'the JSON of a net is an object with a "class", got int'),
        (
            '{"class": "Initializer", "distribution": "normal"}',
            'the JSON of a net is an object with a "class", got Initializer',
        ),
        ("{}", "the net: unknown layer None; if it is yours, give its class"),
        ('{"class": "Konv"}', "the net: unknown layer 'Konv'; if it is yours, give its class"),
        (
            '{"class": "Sequential"}',
            'the net: Sequential needs "layers", an object with a layer under each name',
        ),
        (
            '{"class": "Sequential", "layers": []}',
            'the net: Sequential needs "layers", an object with a layer under each name',
        ),
        (
            '{"class": "Sequential", "layers": {}}',
            "the net: Sequential does not take these settings: Sequential: no layers given",
        ),
        (
            '{"class": "Concat", "layers": {"a": 3}}',
            "the net: Concat does not take these settings: Concat: a is 3, a layer was expected",
        ),
        ('{"class": "Sequential", "layers": {"a": {"class": "Konv"}}}', "a: unknown layer 'Konv'"),
        (
            '{"class": "Sequential", "layers": {"a": {"class": "Dense"}}}',
            "a: Dense does not take these settings: Dense.__init__() missing 1",
        ),
        (
            '{"class": "Residual", "body": {"class": "Relu", "slope": 1}}',
            "body: Relu does not take these settings: Relu has no setting 'slope'",
        ),
        (
            '{"class": "Sequential", "layers": {"a": {"class": "Conv", "features": 0, "kernel": '
            "3}}}",
            "a: Conv does not take these settings: Conv: features=0, whole numbers of at least 1 "
            "were expected",
        ),
    ],
)
def test_text_that_is_no_net_says_where_and_why(text, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        from_json(text)
