"""A strict house for every test: no silent broadcasting, no silent casts; pyproject makes warnings errors."""

import jax
import numpy as np
import pytest

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def x64():
    """float64 for one test."""
    with jax.enable_x64(True):
        yield


def assert_close(actual, expected, tolerance: float) -> None:
    """max|a - b| <= tolerance * max|b| for every array of two trees of one structure."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        assert a.shape == b.shape, f"{a.shape} != {b.shape}"
        error, scale = np.abs(a - b).max(initial=0), np.abs(b).max(initial=0)
        assert error <= tolerance * scale or error == 0, f"max|a - b| = {error:.3g} is over {tolerance} * {scale:.3g}"


@pytest.fixture
def close():
    """assert_close as a fixture: tests are collected by importlib and cannot import one another."""
    return assert_close
