"""Every fault of a request of the page Convolution is named."""

import numpy as np
import pytest

from jconv.demo.convolution import computed
from jconv.demo.convolution_request import MOST
from jconv.errors import InputError


def row(values):
    return np.reshape(values, (1, -1, 1)).tolist()


def taps(values):
    return np.reshape(values, (1, -1, 1, 1)).tolist()


GOOD = {"input": row([1, 2, 3]), "kernel": taps([1, 1]), "bias": [0]}


@pytest.mark.parametrize(
    "wrong, words",
    [
        (
            {"input": np.zeros((13, 1, 1)).tolist()},
            ["input height", "13", str(MOST["input height"])],
        ),
        ({"input": [[[]]]}, ["input depth", "0"]),
        ({"input": [[["a"]]]}, ["input", "numbers"]),
        ({"input": [[[1], [1, 2]]]}, ["input", "length"]),
        ({"input": [[[float("nan")]]]}, ["input", "number"]),
        ({"input": [[[10**400]]]}, ["input"]),
        ({"input": [1]}, ["input", "1 axes"]),
        ({"kernel": np.zeros((6, 1, 1, 1)).tolist()}, ["window", "6"]),
        ({"kernel": np.zeros((1, 1, 2, 1)).tolist()}, ["kernel", "depth of 2"]),
        ({"bias": [0, 0]}, ["bias", "2"]),
        ({"stride": 0}, ["stride", "0", "1"]),
        ({"stride": 1.5}, ["stride", "1.5"]),
        ({"padding": -1}, ["padding", "-1"]),
        ({"padding": [1, 1, 1]}, ["padding", "3"]),
        ({"dilation": True}, ["dilation", "True"]),
        ({"groups": 2}, ["groups", "2"]),
        ({"gradient": row([1])}, ["gradient", "(1, 2, 1)"]),
        ({"pool": {"size": "x"}}, ["pool size", "'x'"]),
        ({"pool": []}, ["pool", "object"]),
    ],
)
def test_a_wrong_setting_is_named(wrong, words):
    with pytest.raises(InputError) as error:
        computed({**GOOD, **wrong})
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_request_that_is_none_or_lacks_a_part_is_refused():
    for request, word in ((None, "request"), ({}, "input"), ({"input": GOOD["input"]}, "kernel")):
        with pytest.raises(InputError, match=word):
            computed(request)
