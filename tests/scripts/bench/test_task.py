import numpy as np
import pytest

from jconv.scripts.bench.task import Stepper, largest_error


def test_a_stepper_carries_on():
    run = Stepper(lambda carried, x: (carried + x, 10 * carried), 1, 2)
    assert [run() for _ in range(3)] == [(3, 10), (5, 30), (7, 50)]


@pytest.mark.parametrize(
    "a, b, expected",
    [
        ([2.0], [4.0], 0.5),  # of the largest
        ([1e-5], [0.0], 1e-5),  # zero but for rounding is held against 1
        ([np.nan], [1.0], np.inf),
        ([1.0, 2.0], [1.0], np.inf),  # another shape
    ],
)
def test_largest_error(a, b, expected):
    assert largest_error([np.zeros(2), np.array(a)], [np.zeros(2), np.array(b)]) == expected


def test_another_number_of_arrays_is_an_error():
    assert largest_error([np.zeros(2)], []) == np.inf
