"""What the tests of the operations share."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.fixture(scope="session")
def loops():
    """loops.py, the third opinion, as a fixture: tests are collected by importlib and cannot import one another."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("loops.py"))))


@pytest.fixture(params=["auto", "lax", "im2col"])
def method(request):
    return request.param


@pytest.fixture
def pull():
    """pull(f, *operands, ct): f's value and its gradients of every operand for the cotangent ct."""

    def pulled(f, *operands, ct):
        y, back = jax.vjp(f, *operands)
        return y, back(ct)

    return pulled


@pytest.fixture
def normal(rng):
    """normal(*shape): float32 noise."""
    return lambda *shape: jnp.asarray(rng.standard_normal(shape), jnp.float32)


@pytest.fixture
def close_to_loops(close):
    """float32 results against a float64 loop."""
    return lambda actual, expected: close(jax.tree.map(np.asarray, actual), expected, 1e-5)
