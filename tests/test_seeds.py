import jax
import numpy as np
import pytest

from jconv.errors import InputError
from jconv.seeds import random_key

SEEDS = (0, 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64 - 1)


def test_every_seed_draws_its_own_numbers():
    drawn = {tuple(np.asarray(jax.random.bits(random_key(seed), (2,))).tolist()) for seed in SEEDS}
    assert len(drawn) == len(SEEDS)


@pytest.mark.parametrize("seed", [0, 7, 2**31 - 1])
def test_small_seeds_are_jaxs_own(seed):
    assert (
        jax.random.key_data(random_key(seed)) == jax.random.key_data(jax.random.key(seed))
    ).all()


def test_large_seeds_are_jaxs_with_64_bits():
    with jax.enable_x64(True):
        expected = jax.random.key_data(jax.random.key(np.uint64(2**40 + 3)))
    assert (jax.random.key_data(random_key(2**40 + 3)) == expected).all()


def test_a_key_is_made_inside_a_trace_too():
    draw = lambda: jax.random.bits(random_key(2**40 + 3), (2,))
    assert (jax.jit(draw)() == draw()).all()


@pytest.mark.parametrize("seed", [-1, 2**64, 10**20, 1.0, True, "0", None])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(
        InputError,
        match=r"seed=.*, a whole number from 0 to 18,446,744,073,709,551,615 \(2\^64 - 1\) was "
        r"expected",
    ):
        random_key(seed)
