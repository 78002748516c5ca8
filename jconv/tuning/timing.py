"""Which of several functions is faster, and how sure that is: measured in one process, in turn,
with the spread stated.

A machine's speed drifts by more than what one wants to see, so functions are never timed one after
another: each runs once a round, the order drawn anew each time, and two are compared over the pairs
of their rounds. Compiling is timed apart. A short function is called several times a sample, so
that the clock and one call's overhead do not matter.

    f is slower than g when its median is more than 1.05 times g's and the 95% bootstrap interval of
    that ratio, over at least 21 interleaved pairs, excludes 1, and both hold again when it is
    measured again.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.monitoring
import numpy as np

SLOWER = 1.05  # a median ratio above this counts
PAIRS = 21  # interleaved pairs it takes to say so

Run = Callable[[], Any]


class Timing(NamedTuple):
    """What one function took. Seconds."""

    first: float  # the first call, which compiles
    samples: np.ndarray  # (rounds,) seconds a call
    calls: int = 1  # in one sample
    compiler: float = (
        0.0  # of the first call, what JAX reports; 0 where it was not JAX that compiled
    )

    @property
    def median(self) -> float:
        return float(np.median(self.samples))

    @property
    def quartiles(self) -> tuple[float, float]:
        low, high = np.quantile(self.samples, (0.25, 0.75))
        return float(low), float(high)

    @property
    def compile_seconds(self) -> float:
        """Tracing and compiling. Where JAX reports none: what the first call took beyond a later
        one, its first touch of memory too.
        """
        return self.compiler or max(0.0, self.first - self.median)


class Ratio(NamedTuple):
    """How many times as long one function takes as another: the ratio of the medians, and its 95%
    bootstrap interval.
    """

    value: float
    low: float
    high: float
    pairs: int

    @property
    def slower(self) -> bool:
        """Whether this measurement alone says so; `slower` asks for two."""
        return self.pairs >= PAIRS and self.value > SLOWER and self.low > 1

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def measure(
    runs: Mapping[str, Run],
    rounds: int = PAIRS,
    *,
    seed: int = 0,
    least: float = 2e-3,
    limit: float = math.inf,
    fewest: int = 5,
    pause: float = 0.0,
    queued: bool = False,
    clock: Callable[[], float] = time.perf_counter,
    wait: Callable[[Any], Any] = jax.block_until_ready,
    seen: Callable[[str, Any], None] = lambda name, result: None,
    failed: Callable[[str, Exception], None] | None = None,
) -> dict[str, Timing]:
    """Time every run over `rounds` interleaved rounds, after one call that compiles and two that
    warm up.

    A sample is as many calls as take `least` seconds, each waited for, or with `queued` only the
    last (an accelerator works while the next call is sent). After `limit` seconds no further round
    begins, once there are `fewest`. `pause` seconds pass before each sample, for the threads of
    another library to stop spinning. `seen` gets each name and its first result, outside the clock.
    A run that raises while it warms up is left out and told to `failed`, where that is given.
    """
    first, compiler, calls = {}, {}, {}
    for name, run in runs.items():
        try:
            seconds, compiling = _first_call(name, run, clock, wait, seen)
            once = min(_sample(run, 1, queued, clock, wait) for _ in range(2))
        except Exception as error:
            if failed is None:
                raise
            failed(name, error)
            continue
        first[name], compiler[name], calls[name] = (
            seconds,
            compiling,
            max(1, math.ceil(least / max(once, 1e-7))),
        )
    names, rng, start = list(first), np.random.default_rng(seed), clock()
    samples: dict[str, list[float]] = {name: [] for name in names}
    with _no_collection():
        for done in range(rounds):
            if done >= fewest and clock() - start > limit:
                break
            for i in rng.permutation(len(names)):
                time.sleep(pause)
                samples[names[i]].append(
                    _sample(runs[names[i]], calls[names[i]], queued, clock, wait)
                )
    return {
        name: Timing(first[name], np.array(samples[name]), calls[name], compiler[name])
        for name in names
    }


def ratio(a: np.ndarray, b: np.ndarray, *, draws: int = 4000, seed: int = 0) -> Ratio:
    """How many times as long a takes as b: their samples, one entry per round. Rounds are resampled
    whole, as pairs.
    """
    pairs = min(len(a), len(b))
    x, y = np.asarray(a)[:pairs], np.asarray(b)[:pairs]
    drawn = np.random.default_rng(seed).integers(pairs, size=(draws, pairs))
    low, high = np.quantile(
        np.median(x[drawn], axis=1) / np.median(y[drawn], axis=1), (0.025, 0.975)
    )
    return Ratio(float(np.median(x) / np.median(y)), float(low), float(high), pairs)


def slower(measurements: Sequence[Ratio]) -> bool:
    """Whether at least two measurements all say slower."""
    return len(measurements) >= 2 and all(m.slower for m in measurements)


def _first_call(name: str, run: Run, clock, wait, seen) -> tuple[float, float]:
    """Seconds in all, and of them the compiler's."""
    with compiler_spans() as spans:
        start = clock()
        result = wait(run())
        seconds = clock() - start
    seen(name, result)
    return seconds, covered(spans)


def _sample(run: Run, calls: int, queued: bool, clock, wait) -> float:
    """Seconds a call."""
    start = clock()
    for _ in range(calls - 1):
        result = run()
        if not queued:
            wait(result)
    wait(run())
    return (clock() - start) / calls


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection within a sample."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# What JAX's compiler takes of it
# --------------------------------------------------------------------------------------------------

COMPILING = "/jax/core/compile/"  # how the names of these events begin
Span = tuple[float, float]  # seconds, start and end


@contextmanager
def compiler_spans() -> Iterator[list[Span]]:
    """A list that is filled, inside the block, with the spans of all that JAX traces, lowers and
    compiles, in any thread.
    """
    spans: list[Span] = []

    def hear(event: str, start_time: float, end_time: float, **_: str | int) -> None:
        if event.startswith(COMPILING):
            spans.append((start_time, end_time))

    jax.monitoring.register_event_time_span_listener(hear)
    try:
        yield spans
    finally:
        jax.monitoring.unregister_event_time_span_listener(hear)


def covered(spans: Sequence[Span]) -> float:
    """Seconds that at least one span covers: a function traced inside another is traced once.

    >>> covered([(3, 5), (4, 4.5), (1, 2), (4, 6)])
    4.0
    """
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
