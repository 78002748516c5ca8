import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv.errors import InputError
from jconv.train import SCHEDULES, look, make_schedule, triangle


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


def rates(schedule, steps):
    with jax.numpy_dtype_promotion("standard"):  # as in a training step
        return [float(schedule(t)) for t in steps]


def caffe(policy, t, *, base=0.01, gamma=0.1, power=0.75, size=5, values=(3, 7, 12), most=20):
    """GetLearningRate of Caffe's sgd_solver.cpp."""
    return {
        "fixed": lambda: base,
        "step": lambda: base * gamma ** (t // size),
        "exp": lambda: base * gamma**t,
        "inv": lambda: base * (1 + gamma * t) ** -power,
        "multistep": lambda: base * gamma ** sum(t >= value for value in values),
        "poly": lambda: base * (1 - t / most) ** power,
        "sigmoid": lambda: base / (1 + math.exp(-gamma * (t - size))),
    }[policy]()


@pytest.mark.parametrize(
    ("policy", "ours", "settings"),
    [
        ("fixed", "constant", {}),
        ("step", "step", {"gamma": 0.1, "milestones": (5, 10, 15)}),
        ("multistep", "step", {"gamma": 0.1, "milestones": (3, 7, 12)}),
        ("exp", "exponential", {"gamma": 0.1}),
        ("inv", "inverse", {"gamma": 0.1, "power": 0.75}),
        ("poly", "poly", {"power": 0.75}),
        ("sigmoid", "sigmoid", {"gamma": -0.1, "milestones": (5,)}),
    ],
)
def test_caffes_policies(policy, ours, settings):
    schedule = make_schedule(ours, 0.01, 20, **settings)
    expected = [caffe(policy, t) for t in range(20)]
    assert rates(schedule, range(20)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["exponential", "inverse", "sigmoid"])
def test_gamma_may_be_said_for_several_steps(name):
    by_step, by_four = (make_schedule(name, 0.3, 40, gamma=0.2, every=n) for n in (1, 4))
    if name == "sigmoid":  # about the middle
        by_step = make_schedule(name, 0.3, 10, gamma=0.2)
    assert rates(by_four, range(0, 40, 4)) == pytest.approx(rates(by_step, range(10)), rel=1e-5)


def test_one_cycle_rises_to_its_peak_and_falls_to_nearly_nothing():
    schedule = make_schedule("one_cycle", 0.5, 100, 20)
    half = (0.02 + 0.5) / 2  # of a cosine
    expected = [0.02, half, 0.5, 0.25, 0.5 / 250_000]
    assert rates(schedule, (0, 15, 30, 65, 100)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "name", [name for name in SCHEDULES if name not in ("cosine", "one_cycle")]
)
def test_a_warmup_rises_from_0_before_any(name):
    """The first steps alone are others: t is counted from the very first."""
    plain, warmed = make_schedule(name, 0.3, 40), make_schedule(name, 0.3, 40, 6)
    assert rates(warmed, range(6)) == pytest.approx([0.05 * t for t in range(6)], rel=1e-5)
    assert rates(warmed, range(6, 41)) == pytest.approx(rates(plain, range(6, 41)), rel=1e-6)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_run_of_few_steps_has_rates(name):
    for steps in (1, 2, 3, 5):
        found = rates(make_schedule(name, 0.3, steps, 1), range(steps))
        assert 0 < max(found) <= 0.3 + 1e-6 and min(found) >= 0


@pytest.mark.parametrize("milestones", [(5, 3), (4, 4), (0, 4)])
def test_milestones_rise(milestones):
    with pytest.raises(InputError, match="rising steps"):
        make_schedule("step", 0.3, 20, milestones=milestones)
