import jax.numpy as jnp
import numpy as np
import pytest

from jconv.train import look


@pytest.fixture
def trees(rng):
    draw = lambda: {
        "kernel": jnp.asarray(rng.standard_normal((3, 2)), jnp.float32),
        "mean": jnp.asarray(rng.standard_normal(5), jnp.float32),
    }
    return draw(), draw()


@pytest.mark.parametrize("step", [5, 10, 20])
def test_every_fifth_step_both_become_their_average(trees, step, close):
    fast, slow = trees
    d = 0.95**5 * (step / 20) ** 3
    expected = {
        name: d * np.asarray(slow[name], np.float64) + (1 - d) * np.asarray(fast[name])
        for name in fast
    }
    found = look(fast, slow, jnp.int32(step), 20)
    close(found[0], expected, 1e-6)
    close(found[1], expected, 1e-6)


@pytest.mark.parametrize("step", [1, 4, 11])
def test_between_them_both_stay(trees, step, close):
    fast, slow = trees
    close(look(fast, slow, jnp.int32(step), 20), (fast, slow), 0)
