import jax.numpy as jnp
import numpy as np
import pytest

from jconv.train import averaged


def test_it_is_the_usual_average_with_a_warm_up():
    average, by_hand = {"w": jnp.float32(1.0), "n": jnp.int32(1)}, 1.0
    for step in range(50):
        new = {"w": jnp.float32(step), "n": jnp.int32(step)}
        average = averaged(average, new, jnp.int32(step), 0.8)
        d = min(0.8, (1 + step) / (10 + step))
        by_hand = d * by_hand + (1 - d) * step
    assert average["w"] == pytest.approx(by_hand, rel=1e-5)
    assert average["n"] == 49 and average["n"].dtype == jnp.int32


def test_what_does_not_change_keeps_every_bit():
    w = jnp.asarray(np.random.default_rng(0).normal(size=100), jnp.float32)
    average = w
    for step in range(20):
        average = averaged(average, w, jnp.int32(step), 0.999)
    np.testing.assert_array_equal(average, w)
