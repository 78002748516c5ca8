"""What JAX reports of its compiler's work, and how overlapping spans add up."""

import jax
import jax.numpy as jnp
import pytest

from jconv.compiler_time import compiler_spans, covered


def test_the_first_call_compiles_and_the_second_does_not():
    f = jax.jit(lambda x: jax.jit(jnp.sin)(x) + 1)
    x = jnp.ones((2, 3))
    with compiler_spans() as first:
        f(x)
    with compiler_spans() as second:
        f(x)
    assert len(first) >= 3 and covered(first) > 0, "tracing, lowering and compiling"
    assert second == []


def test_nothing_is_heard_outside():
    with compiler_spans() as spans:
        pass
    jax.jit(lambda x: x + 2)(jnp.ones(3))
    assert spans == []
    with pytest.raises(RuntimeError), compiler_spans() as spans:
        raise RuntimeError
    jax.jit(lambda x: x + 3)(jnp.ones(3))
    assert spans == []


@pytest.mark.parametrize(
    "spans, seconds",
    [
        ([], 0),
        ([(1, 3)], 2),
        ([(1, 3), (5, 6)], 3),
        ([(5, 6), (1, 3), (2, 4)], 4),
        ([(1, 9), (2, 3), (4, 5)], 8),  # inside another
        ([(1, 2), (2, 3)], 2),
    ],
)
def test_what_overlaps_counts_once(spans, seconds):
    assert covered(spans) == seconds
