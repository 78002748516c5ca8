import numpy as np
import pytest
from jax.errors import JaxRuntimeError

from jconv.scripts.bench import speed
from jconv.scripts.bench.ours import task as ours
from jconv.scripts.bench.speed import Settings, judge, measure_speed, reason
from jconv.scripts.bench.task import Unable
from jconv.tuning.timing import Timing

pytestmark = pytest.mark.exhaustive  # the benchmark is not in the installed package

FAST = Settings(pairs=2, pause=0.0)


def test_a_case_is_measured_and_compared(small_net):
    row = measure_speed("train", small_net, "train", ("jconv", "lax"), FAST)
    assert [len(s) for s in row.samples.values()] == [2, 2] and all(
        s > 0 for s in row.samples["jconv"]
    )
    assert set(row.compile_seconds) == {"jconv", "lax"} and row.errors["lax"] < 1e-5
    assert row.skipped == row.disagree == {} and row.judged == []
    assert row.others is None or 0 <= row.others < 1
    assert row.flops == 2 * 3 * 3 * (6 * 8 * 9 * 2 * 4 + 48 * 5)


@pytest.mark.exhaustive
def test_contestants_that_cannot_or_that_fail_are_left_out_with_the_reason(small_net, monkeypatch):
    def maker(name):
        if name == "absent":
            raise Unable("absent is not installed")
        if name == "broken":
            return lambda case, what: ours(case, what)._replace(run=lambda: 1 / 0)
        return ours

    monkeypatch.setattr(speed, "maker", maker)
    row = measure_speed("train", small_net, "forward", ("broken", "absent", "jconv"), FAST)
    assert row.skipped == {
        "absent": "absent is not installed",
        "broken": "ZeroDivisionError: division by zero",
    }
    assert list(row.samples) == ["jconv"] and row.errors == {"jconv": 0.0}


@pytest.mark.exhaustive
def test_out_of_memory_is_told_with_a_batch_that_fits(small_net, monkeypatch):
    def fails(*_):
        raise JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    told = "out of memory: a training step of 3 images needs 0.0 MiB at least; try 1 images"
    monkeypatch.setattr(
        speed,
        "maker",
        lambda name: (
            fails if name == "early" else lambda case, what: ours(case, what)._replace(run=fails)
        ),
    )
    assert measure_speed("s", small_net, "train", ("early", "late"), FAST).skipped == {
        "early": told,
        "late": told,
    }
    assert measure_speed("s", small_net, "forward", ("late",), FAST).skipped == {
        "late": "JaxRuntimeError: RESOURCE_EXHAUSTED: Out of memory"
    }


@pytest.mark.exhaustive
def test_who_computes_something_else_is_told(small_net, monkeypatch):
    def maker(name):
        if name == "other":
            return lambda case, what: ours(case, what)._replace(
                parameters=7, shown=lambda result: [2 * np.asarray(result[0])]
            )
        return ours

    monkeypatch.setattr(speed, "maker", maker)
    assert measure_speed("s", small_net, "forward", ("jconv", "other"), FAST).disagree == {
        "other": "it has 7 parameters, not 321"
    }
    monkeypatch.setattr(
        speed,
        "maker",
        lambda name: lambda case, what: maker(name)(case, what)._replace(parameters=321),
    )
    told = measure_speed("s", small_net, "forward", ("jconv", "other"), FAST).disagree["other"]
    assert told == "its numbers differ by 1 of the largest"


def timings(jconv, lax, pairs=21):
    noise = 1 + 0.01 * np.sin(np.arange(pairs))
    return {"jconv": Timing(0.0, jconv * noise), "lax": Timing(0.0, lax * noise)}


def never():
    raise AssertionError("measured again")


@pytest.mark.exhaustive
def test_jconv_is_judged_against_the_fastest_rival(small_net, monkeypatch):
    seconds = {"jconv": 1.2, "direct": 1.0, "lax": 1.1}
    played = lambda runs, rounds, **_: {
        name: Timing(0.0, np.full(rounds, seconds[name])) for name in runs
    }
    monkeypatch.setattr(speed, "measure", played)
    row = measure_speed(
        "plan", small_net, "forward", tuple(seconds), Settings(), rivals=("lax", "direct")
    )
    assert (
        row.rival == "direct"
        and [r.value for r in row.judged] == pytest.approx([1.2, 1.2])
        and row.loses
    )
    row = measure_speed(
        "plan", small_net, "forward", ("jconv", "lax"), Settings(), rivals=("lax", "direct")
    )
    assert row.rival == "lax" and [r.value for r in row.judged] == pytest.approx([1.2 / 1.1] * 2)


def test_what_is_not_slower_is_measured_once():
    assert [r.value for r in judge(timings(1.0, 1.2), never)] == pytest.approx([1 / 1.2])


def test_what_looks_slower_is_measured_again():
    assert [r.value for r in judge(timings(1.2, 1.0), lambda: timings(1.3, 1.0))] == pytest.approx(
        [1.2, 1.3]
    )
    assert [r.value for r in judge(timings(1.2, 1.0), lambda: timings(1.0, 1.0))] == pytest.approx(
        [1.2, 1.0]
    )


def test_too_few_pairs_do_not_judge_but_lead_to_enough():
    assert [r.pairs for r in judge(timings(1.2, 1.0, pairs=7), lambda: timings(1.2, 1.0))] == [
        21,
        21,
    ]
    assert judge(timings(1.0, 1.2, pairs=7), never) == []


def test_a_reason_is_one_line():
    assert reason(ValueError("a\nb")) == "ValueError: a"
    assert reason(Unable("no")) == "no" and reason(ValueError()) == "ValueError: no reason given"
