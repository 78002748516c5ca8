import math

import jax.numpy as jnp
import numpy as np
import pytest

from jconv.errors import InputError
from jconv.train import look, make_schedule, triangle


def test_constant():
    rate = make_schedule("constant", 0.3, 100)
    assert [float(rate(step)) for step in (0, 50, 1000)] == pytest.approx([0.3] * 3)


def test_cosine_rises_then_falls_to_zero():
    rate = make_schedule("cosine", 0.3, 110, warmup=10)
    expected = [0, 0.15, 0.3] + [0.15 * (1 + math.cos(math.pi * t)) for t in (0.25, 0.5, 1)]
    assert [float(rate(step)) for step in (0, 5, 10, 35, 60, 110)] == pytest.approx(
        expected, abs=1e-7
    )


def test_cosine_without_warmup_begins_at_its_peak():
    assert float(make_schedule("cosine", 0.3, 100)(0)) == pytest.approx(0.3)


def test_a_warmup_longer_than_the_run_is_cut():
    rate = make_schedule("cosine", 0.3, 10, warmup=50)
    assert float(rate(9)) == pytest.approx(0.3)


def test_step_is_divided_by_ten_twice():
    rate = make_schedule("step", 0.3, 100)
    assert [float(rate(step)) for step in (0, 49, 51, 74, 76, 99)] == pytest.approx(
        [0.3, 0.3, 0.03, 0.03, 0.003, 0.003]
    )


def test_triangle_rises_and_falls_in_straight_lines():
    rate = triangle(0.5, 100, rise=0.2, first=0.1, last=0.3)
    found = [float(rate(step)) for step in (0, 10, 20, 60, 99, 100)]
    assert found == pytest.approx([0.05, 0.275, 0.5, 0.325, 0.15 + 0.35 / 80, 0.15])


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_triangle_of_few_steps_begins_at_its_peak_or_rises_to_it(steps):
    rates = [float(triangle(0.5, steps)(step)) for step in range(steps)]
    assert max(rates) == pytest.approx(0.5) and min(rates) >= 0.07 * 0.5


def test_an_unknown_schedule_is_named():
    with pytest.raises(
        InputError, match="unknown schedule 'linear'; use 'constant', 'cosine', 'step'"
    ):
        make_schedule("linear", 0.3, 100)


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
