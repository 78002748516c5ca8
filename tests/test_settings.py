from typing import Any, Literal

import pytest

from jconv import (
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Gelu,
    LeakyRelu,
    MaxPool,
    Normalize,
    Softplus,
)
from jconv.errors import InputError
from jconv.geometry import Shape
from jconv.settings import annotated, check_counts, check_kind, check_range, fits


@pytest.mark.parametrize(
    "annotation, right, wrong",
    [
        (int, [0, -3], [1.0, True, "1", None, (1,)]),
        (float, [0.5, 2], [float("nan"), float("inf"), True, "1", None]),
        (bool, [True], [1, None, "yes"]),
        (int | Shape, [3, (3, 1)], [3.0, (3, 1.5), None, "3"]),
        (int | Shape | None, [3, None], [False]),
        (annotated(Conv)["padding"], [0, "SAME", (1, (0, 2))], [1.0, None, ((0, 1, 2),)]),
        (Literal["a", "b"], ["a"], ["c"]),
        (float | tuple[float, ...], [1, (0.5, 1)], [("a",)]),
        (Any, [print], []),
    ],
    ids=str,
)
def test_a_value_fits_its_annotation_or_not(annotation, right, wrong):
    assert all(fits(annotation, value) for value in right)
    assert not any(fits(annotation, value) for value in wrong)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Conv(4, 3, bias=None), "Conv: bias=None, True or False was expected"),
        (lambda: Conv(4, 3, padding=(3 - 1) / 2), r'Conv: padding=1.0, "SAME".* write 1 '),
        (
            lambda: ConvTranspose(4, 3, 2, extra=1.0),
            "ConvTranspose: extra=1.0, a whole number, or one per axis was expected",
        ),
        (lambda: Conv(True, 3), "Conv: features=True, a whole number was expected"),
        (lambda: Dense(None), "Dense: features=None, a whole number was expected"),
        (
            lambda: MaxPool(2, stride="2"),
            "MaxPool: stride='2', a whole number, or one per axis or None",
        ),
        (lambda: AvgPool(3, count_padding=0), "AvgPool: count_padding=0, True or False"),
        (lambda: Gelu(approximate="tanh"), "Gelu: approximate='tanh', True or False"),
        (
            lambda: LeakyRelu(float("inf")),
            "LeakyRelu: slope=inf, a number was expected; it is not finite",
        ),
        (lambda: BatchNorm(eps="1e-5"), "BatchNorm: eps='1e-5', a number"),
        (lambda: Conv(4, 3, kernel_init=0.1), "Conv: kernel_init=0.1, a function was expected"),
        (lambda: Conv(4, 3, precision=32), "Conv: precision=32, a word or None"),
        (lambda: Normalize(std=(1.0, 0.0)), "Normalize: std=0.0, a number above 0"),
        (lambda: BatchNorm(decay=1.5), "BatchNorm: decay=1.5, a number at least 0 and at most 1"),
        (lambda: Softplus(-1.0), "Softplus: beta=-1.0, a number above 0"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_named_where_it_is_given(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_range_says_what_it_is():
    check_range("here", a=0, least=0)
    with pytest.raises(ValueError, match="here: a=0, a number above 0 and below 1 was expected"):
        check_range("here", a=0, above=0, below=1)
    with pytest.raises(ValueError, match="a=nan"):
        check_range("here", a=float("nan"), least=0)


def test_a_class_where_a_value_is_meant_is_said():
    with pytest.raises(
        ValueError, match=r"here: a=<class 'float'>, a number was expected; float\(\) makes one"
    ):
        check_kind("here", "a", float, float)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2", None])
def test_counts_are_whole_numbers(value):
    check_counts(batch=1)
    with pytest.raises(InputError, match="batch=.*, a whole number of at least 1 was expected"):
        check_counts(batch=value)
