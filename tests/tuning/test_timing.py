"""Statistics on made-up samples, and measuring with a clock that the functions themselves move.
Nothing here waits.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv.tuning.timing import (
    PAIRS,
    Ratio,
    Timing,
    compiler_spans,
    covered,
    measure,
    ratio,
    slower,
)


class Clock:
    """Time passes when a function says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def takes(self, *seconds, log=None, name=""):
        """A function that takes seconds[0] at the first call, and the last of them ever after."""
        left = list(seconds)

        def run():
            self.now += left.pop(0) if len(left) > 1 else left[0]
            if log is not None:
                log.append(name)
            return name

        return run


def test_compiling_is_apart_from_running():
    clock = Clock()
    got = measure({"f": clock.takes(3.0, 0.5)}, 4, clock=clock)["f"]
    assert got.first == 3.0 and got.median == 0.5 and got.compile_seconds == 2.5
    assert got.samples.tolist() == [0.5] * 4 and got.calls == 1


def test_where_jax_compiles_its_own_account_counts():
    f = jax.jit(lambda x: x + 1)
    seen = lambda name, result: jax.jit(lambda x: x * 2)(result)  # compiles too, and does not count
    x = jax.numpy.ones(3)
    got = measure({"f": lambda: f(x), "none": lambda: x}, 2, seen=seen)
    assert 0 < got["f"].compile_seconds == got["f"].compiler < got["f"].first
    assert got["none"].compiler == 0


def test_a_short_function_is_called_until_a_sample_is_long_enough():
    clock, log = Clock(), []
    got = measure({"f": clock.takes(1.0, 0.25e-3, log=log)}, 3, clock=clock, least=2e-3)["f"]
    assert got.calls == 8 and len(log) == 3 + 3 * 8
    np.testing.assert_allclose(got.samples, 0.25e-3)


@pytest.mark.exhaustive
def test_each_round_runs_each_once_in_an_order_that_changes():
    clock, log = Clock(), []
    runs = {name: clock.takes(0.1, log=log, name=name) for name in "abc"}
    measure(runs, 20, clock=clock, seed=1)
    rounds = np.array(log[9:]).reshape(20, 3)
    assert log[:9] == [*"aaabbbccc"]
    assert all(sorted(r) == [*"abc"] for r in rounds)
    assert len({tuple(r) for r in rounds}) == 6
    again = []
    measure(
        {name: clock.takes(0.1, log=again, name=name) for name in "abc"}, 20, clock=clock, seed=1
    )
    assert again == log


def test_drift_of_the_machine_does_not_reach_the_ratio():
    """Everything gets three times slower on the way; f stays 1.5 times g."""
    clock, speed = Clock(), iter(np.repeat(np.linspace(1, 3, 41), 2))

    def takes(seconds):
        def run():
            clock.now += seconds * next(speed, 3.0)

        return run

    got = measure({"f": takes(1.5), "g": takes(1.0)}, 35, clock=clock)
    assert ratio(got["f"].samples, got["g"].samples).value == pytest.approx(1.5, rel=0.03)


@pytest.mark.exhaustive
def test_the_limit_ends_the_rounds_but_not_before_the_fewest():
    clock = Clock()
    assert len(measure({"f": clock.takes(1.0)}, 21, clock=clock, limit=10)["f"].samples) == 11
    assert (
        len(measure({"f": clock.takes(1.0)}, 21, clock=clock, limit=1, fewest=5)["f"].samples) == 5
    )


@pytest.mark.exhaustive
def test_results_are_waited_for_each_or_only_the_last():
    clock, waited = Clock(), []
    wait = lambda result: waited.append(result) or result
    measure({"f": clock.takes(0.5e-3, name="f")}, 1, clock=clock, wait=wait, least=2e-3)
    assert len(waited) == 3 + 4
    waited.clear()
    measure(
        {"f": clock.takes(0.5e-3, name="f")}, 1, clock=clock, wait=wait, least=2e-3, queued=True
    )
    assert len(waited) == 3 + 1


def test_the_first_result_is_shown_outside_the_clock():
    clock, got = Clock(), {}

    def seen(name, result):
        got[name] = result
        clock.now += 100

    assert measure({"f": clock.takes(1.0, name="f")}, 1, clock=clock, seen=seen)["f"].first == 1.0
    assert got == {"f": "f"}


def test_a_run_that_fails_is_left_out_where_that_is_asked_for():
    clock, told = Clock(), {}

    def broken():
        raise RuntimeError("no compiler")

    runs = {"f": clock.takes(1.0), "broken": broken}
    got = measure(runs, 2, clock=clock, failed=lambda name, error: told.update({name: str(error)}))
    assert list(got) == ["f"] and told == {"broken": "no compiler"}
    with pytest.raises(RuntimeError, match="no compiler"):
        measure(runs, 2, clock=clock)


def test_quartiles_and_median():
    t = Timing(0.0, np.array([5.0, 1, 4, 2, 3]))
    assert t.median == 3 and t.quartiles == (2, 4)


def test_a_ratio_is_of_medians_and_pairs_share_their_noise(rng):
    """Noise common to both cancels in the pairs: the interval stays narrow."""
    noise = rng.uniform(1, 3, PAIRS)
    together = ratio(1.2 * noise, noise)
    assert (
        together.value == pytest.approx(1.2)
        and together.low == pytest.approx(1.2)
        and together.high == pytest.approx(1.2)
    )
    apart = ratio(1.2 * rng.permutation(noise), noise)
    assert apart.low < 1 < apart.high


def test_the_interval_covers_the_true_ratio_about_as_often_as_it_says(rng):
    hits = 0
    for _ in range(200):
        a, b = (scale * rng.lognormal(0, 0.1, PAIRS) for scale in (1.1, 1.0))
        r = ratio(a, b, draws=500)
        hits += r.low <= 1.1 <= r.high
    assert 180 <= hits <= 200


def test_one_outlier_does_not_make_a_function_slower():
    calm = np.ones(PAIRS)
    jumpy = calm.copy()
    jumpy[3] = 50
    assert ratio(jumpy, calm) == Ratio(1, 1, 1, PAIRS)


@pytest.mark.parametrize(
    "measured, expected",
    [
        ([Ratio(1.2, 1.1, 1.3, 21)] * 2, True),
        ([Ratio(1.2, 1.1, 1.3, 21)], False),  # once is not enough
        ([Ratio(1.2, 1.1, 1.3, 20)] * 2, False),  # too few pairs
        ([Ratio(1.04, 1.01, 1.08, 21)] * 2, False),  # too little
        ([Ratio(1.2, 0.99, 1.3, 21)] * 2, False),  # not sure
        ([Ratio(1.2, 1.1, 1.3, 21), Ratio(1.0, 0.9, 1.1, 21)], False),  # not again
        ([], False),
    ],
)
def test_slower_is_what_the_definition_says(measured, expected):
    assert slower(measured) is expected


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
