"""A function that stays apart in a larger program, and what is in it does not."""

import jax
import jax.numpy as jnp
import numpy as np

from jconv.ops.apart import apart


def scaled(x, factor):
    """jnp.where and jnp.roll are functions jitted by themselves."""
    return jnp.roll(jnp.where(x > 0, x, 0.0), 1) * factor


def test_one_call_and_none_inside():
    program = jax.jit(lambda x: apart(scaled, static=("factor",))(x + 1, factor=2.0) + 1)
    x = jnp.arange(6.0) - 3
    lines = program.lower(x).compile().as_text().splitlines()
    assert sum(" call(" in line and 'inlineable="false"' in line for line in lines) == 1
    np.testing.assert_array_equal(program(x), scaled(x + 1, 2.0) + 1)


def test_the_name_stays():
    text = jax.jit(lambda x: apart(scaled, static=("factor",))(x, factor=2.0)).lower(jnp.zeros(3)).as_text()
    assert "func.func private @scaled" in text


def test_a_loop_inside_keeps_its_body():
    """Were the body a call, what the loop carries would be copied in every step."""

    def doubled(x, times):
        return jax.lax.fori_loop(0, times, lambda _, a: a * 2, x)

    text = jax.jit(lambda x: apart(doubled, static=("times",))(x, times=7)).lower(jnp.zeros(3)).compile().as_text()
    assert text.count('inlineable="false"') == 1
