import math

import jax
import numpy as np
import pytest

from jconv.check.differences import (
    Differences,
    output_and_gradient,
    relative,
    rounding_noise,
    weighted_sum,
)


@pytest.mark.parametrize(
    ("a", "b", "floor", "expected"),
    [
        ([1.0, 2.0], [1.0, 4.0], 0, 0.5),
        ([0.0, 0.0], [0.0, 0.0], 0, 0),
        ([1e-3], [0.0], 0, math.inf),
        ([1e-3], [0.0], 10.0, 1e-4),
        ([math.nan], [1.0], 0, math.inf),
        ([math.inf], [math.inf], 0, math.inf),
    ],
)
def test_errors_are_relative_to_the_largest_value(a, b, floor, expected):
    assert relative(np.array(a), np.array(b), floor) == pytest.approx(expected)


def cube(leaves):
    return (leaves["x"] ** 3).sum() + leaves["y"].sum()


LEAVES = {"x": np.array([1.0, -2.0, 0.5]), "y": np.array([4.0])}
RIGHT = 3 * LEAVES["x"] ** 2


def test_a_right_gradient_agrees_and_a_wrong_one_does_not(rng):
    differences = Differences(cube, LEAVES, 1e-6, floor=1e-9)
    error, kinks = differences.along_coordinates("x", RIGHT)
    assert error < 1e-8
    assert kinks == 0
    assert differences.along_coordinates("x", RIGHT * np.array([1, 1, 1.01]))[0] == pytest.approx(
        0.01, rel=0.02
    )
    assert differences.along_random("x", RIGHT, 3, rng)[0] < 1e-8
    assert differences.along_random("x", -RIGHT, 3, rng)[0] == pytest.approx(2, rel=1e-6)
    assert differences.along_random("y", np.ones(1), 3, rng)[0] < 1e-8


def test_a_derivative_below_the_floor_counts_as_that_large():
    flat = Differences(lambda leaves: 0.0, LEAVES, 1e-6, floor=10.0)
    assert flat.along_coordinates("y", np.array([0.1])) == (pytest.approx(0.01), 0)


def test_rounding_grows_with_what_is_summed():
    assert (
        rounding_noise(2e3)
        == 2 * rounding_noise(1e3)
        == pytest.approx(2.2e-16 * 2e3 / 1e-6, rel=0.01)
    )


def test_output_and_gradient_of_a_function_of_named_arrays(x64):
    weights = (np.array([1.0, 10.0]), np.array(3.0))
    f = lambda leaves: (leaves["a"] * leaves["b"], leaves["b"] ** 2)
    leaves = {"b": np.array(2.0), "a": np.array([5.0, 7.0])}
    with jax.numpy_rank_promotion("allow"):
        output, gradient = output_and_gradient(f, weights, leaves)
        assert weighted_sum(weights, f(leaves)) == 10 + 140 + 12
    np.testing.assert_allclose(output[0], [10, 14])
    assert list(gradient) == ["b", "a"]  # the order given, not the alphabet's
    np.testing.assert_allclose(gradient["a"], [2, 20])
    np.testing.assert_allclose(gradient["b"], 5 + 70 + 3 * 4)
