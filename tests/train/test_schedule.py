import math

import pytest

from jconv.errors import InputError
from jconv.train import make_schedule


def test_constant():
    rate = make_schedule("constant", 0.3, 100)
    assert [float(rate(step)) for step in (0, 50, 1000)] == pytest.approx([0.3] * 3)


def test_cosine_rises_then_falls_to_zero():
    rate = make_schedule("cosine", 0.3, 110, warmup=10)
    expected = [0, 0.15, 0.3] + [0.15 * (1 + math.cos(math.pi * t)) for t in (0.25, 0.5, 1)]
    assert [float(rate(step)) for step in (0, 5, 10, 35, 60, 110)] == pytest.approx(expected, abs=1e-7)


def test_cosine_without_warmup_begins_at_its_peak():
    assert float(make_schedule("cosine", 0.3, 100)(0)) == pytest.approx(0.3)


def test_a_warmup_longer_than_the_run_is_cut():
    rate = make_schedule("cosine", 0.3, 10, warmup=50)
    assert float(rate(9)) == pytest.approx(0.3)


def test_step_is_divided_by_ten_twice():
    rate = make_schedule("step", 0.3, 100)
    assert [float(rate(step)) for step in (0, 49, 51, 74, 76, 99)] == pytest.approx([0.3, 0.3, 0.03, 0.03, 0.003, 0.003])


def test_an_unknown_schedule_is_named():
    with pytest.raises(InputError, match="unknown schedule 'linear'; use 'constant', 'cosine', 'step'"):
        make_schedule("linear", 0.3, 100)
