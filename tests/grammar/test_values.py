import math

import pytest

from jconv import LayerError, PatternError
from jconv.grammar.values import read_settings, settings_text, value_text
from jconv.layers import (
    Initializer,
    caffe_xavier,
    constant,
    convnetjs_normal,
    gaussian,
    glorot_uniform,
    he_normal,
    identity_kernel,
    lecun_normal,
    msra_normal,
    ones,
    symmetric_uniform,
    zeros,
)


@pytest.mark.parametrize(
    "value, text",
    [
        (3, "3"),
        (-0.25, "-0.25"),
        (1e-4, "0.0001"),
        (2 / 3, "0.6666666666666666"),
        (math.inf, "1e999"),
        (-math.inf, "-1e999"),
        (True, "True"),
        (None, "None"),
        ("SAME", '"SAME"'),
        ("a b", "'a b'"),
        ('it\'s "->" (\\', "'it\\'s \"->\" (\\\\'"),
        ("\N{GREEK SMALL LETTER PI}\n", "'\N{GREEK SMALL LETTER PI}\\n'"),
        ((3,), "(3,)"),
        ((), "()"),
        (((1, 2), 3), "((1, 2), 3)"),
        (zeros, "zeros"),
        (ones, "ones"),
        (caffe_xavier(), "caffe_xavier()"),
        (lecun_normal(), "lecun_normal()"),
        (msra_normal(), "msra_normal()"),
        (convnetjs_normal(), "convnetjs_normal()"),
        (Initializer("truncated_normal", 0.1), 'Initializer("truncated_normal", scale=0.1)'),
        (glorot_uniform(), "glorot_uniform()"),
        (he_normal(), "he_normal()"),
        (msra_normal("average"), 'msra_normal("average")'),
        (gaussian(0.01), "gaussian(0.01)"),
        (symmetric_uniform(0.5), "symmetric_uniform(0.5)"),
        (constant(0.1), "constant(0.1)"),
        (identity_kernel(), "identity_kernel()"),
        (identity_kernel(3, noise=0.5), 'Initializer("identity", groups=3, noise=0.5)'),
        (Initializer("uniform", 2.5, "out"), 'Initializer("uniform", scale=2.5, fan="out")'),
    ],
)
def test_values_are_written_and_read_back(value, text):
    assert value_text(value) == text
    settings = (("a", value), (None, value))
    wrapped = settings_text(settings[::-1])
    assert read_settings(f"FC{wrapped} -> RELU", 2) == (settings[::-1], 2 + len(wrapped))


def test_no_settings():
    assert settings_text([]) == "" and read_settings("FC()", 2) == ((), 4)


@pytest.mark.parametrize("value", [math.nan, abs, 1j, [1], {"a": 1}, b"a"])
def test_values_that_have_no_text(value):
    with pytest.raises(
        LayerError,
        match="^the setting .* cannot be written; numbers, texts, tuples and initializers can$",
    ):
        value_text(value)


@pytest.mark.parametrize(
    "text, words, at",
    [
        ("(a=1, b=x)", "b=x: a number, a word in quotes", 8),
        ("(b=f(1), a=1)", "b=f(1): a number, a word in quotes", 3),
        ('(a=gaussian("x", 2))', "a=gaussian('x', 2)", 3),
        ('(a=msra_normal("up"))', "unknown fan 'up'; use 'none', 'in'", 3),
        ("(a=1+1)", "a=1 + 1: a number", 3),
        ("(**a)", "a setting=a: a number", 3),
        ("(a 1)", "as Python writes them", 0),
        ("(a=1 -> FC", "this ( is not closed", 0),
        ("(a=[1]) -> FC", "this ( is not closed", 0),
        ('(a="->', "this ( is not closed", 0),
        ("(a=(1, 2) - FC)", "(1, 2) - FC: a number", 3),
    ],
)
def test_settings_that_cannot_be_read(text, words, at):
    with pytest.raises(PatternError) as caught:
        read_settings(text, 0)
    assert words in caught.value.message and caught.value.at == at
