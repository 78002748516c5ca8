"""`tune`: for every convolution of a network, the methods measured that the plan chooses from, on
this machine and at these shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax

from ..analysis.example import example_shape
from ..errors import InputError, unknown
from ..geometry import Shape
from ..layer import Layer, computes_as, map_layers
from ..layers import Conv, ConvTranspose
from ..ops.methods import OPERATIONS
from ..ops.methods.plan import choose
from ..settings import check_counts
from .contest import programs
from .passes import Pass, passes
from .result import Measurement, Tuning
from .timing import PAIRS, SLOWER, Ratio, Timing, measure, ratio

DTYPES = ("float32", "bfloat16", "float16")


def tune(
    net: Layer,
    in_shape: Shape,
    batch: int,
    *,
    dtype: str = "float32",
    pairs: int = PAIRS,
    limit: float = 10.0,
    report: Callable[[Measurement], Any] | None = None,
    watch: Callable[[int, int, str], Any] | None = None,
    measure: Callable[..., dict[str, Timing]] = measure,
) -> Tuning:
    """The net with the fastest methods for this machine: the three operations of every Conv and
    ConvTranspose, equal ones once.

    Every method that serves an operation runs interleaved with the others for `pairs` rounds, or
    `limit` seconds, as a program of its own under the options of `jconv.jit`. "auto" stays unless
    another takes less than 1/1.05 of its time, the 95% bootstrap interval excludes 1, and both hold
    again when the two are measured again; that second ratio is the gain. What a method does to the
    layers around it is not seen. Methods set before are replaced; layers other than convolutions
    are left. `report` gets each measurement, `watch(i, of, title)` says what is being measured.
    `measure` is `timing.measure` or its like. Raises ShapeError; InputError for a batch, pairs or
    dtype that cannot be.
    """
    check_counts(batch=batch, pairs=pairs)
    in_shape = example_shape(net, in_shape)
    if dtype not in DTYPES:
        raise InputError(unknown("dtype", dtype, DTYPES))
    timed = partial(
        measure,
        rounds=pairs,
        limit=limit,
        **({} if jax.default_backend() == "cpu" else {"queued": True, "least": 20e-3}),
    )
    todo, done = passes(net, in_shape, batch), []
    for i, one in enumerate(todo, 1):
        if watch:
            watch(i, len(todo), one.title)
        done.append(_measurement(one, dtype, timed))
        if report:
            report(done[-1])
    return Tuning(with_choices(net, done), in_shape, batch, dtype, tuple(done))


def with_choices(net: Layer, measurements: Sequence[Measurement]) -> Layer:
    """The net with the method of each convolution as measured: a word for each operation, or "auto"
    for all.
    """
    words = {(path, m.operation): m.chosen for m in measurements for path in m.paths}

    def chosen(path: str, layer: Layer) -> Layer:
        if not computes_as(layer, Conv, ConvTranspose):
            return layer
        each = tuple(words.get((path, operation), "auto") for operation in OPERATIONS)
        return replace(layer, method="auto" if set(each) == {"auto"} else each)

    return map_layers(net, chosen)


def _measurement(one: Pass, dtype: str, timed: Callable[..., dict[str, Timing]]) -> Measurement:
    runs, skipped = programs(one, dtype)
    times = timed(
        runs,
        failed=lambda word, error: skipped.update(
            {word: (str(error).splitlines() or [type(error).__name__])[0]}
        ),
    )
    chosen, gain = _choice(times, lambda two: timed({word: runs[word] for word in two}, seed=1))
    return Measurement(
        one.paths,
        one.name,
        one.work.operation,
        one.work.x,
        one.work.k,
        choose(one.work, jax.default_backend()),
        chosen,
        gain and (gain.value, gain.low, gain.high),
        {word: t.median for word, t in times.items()},
        {word: t.compile_seconds for word, t in times.items()},
        skipped,
    )


def _choice(
    times: Mapping[str, Timing], again: Callable[[Sequence[str]], Mapping[str, Timing]]
) -> tuple[str, Ratio | None]:
    """The method to run, and how many times as long "auto" takes: by a measurement of its own, as
    the first one picked the winner.
    """
    best = min(times, key=lambda word: times[word].median, default="auto")
    if best == "auto" or "auto" not in times:
        return best, None
    if not _clear(ratio(times["auto"].samples, times[best].samples)):
        return "auto", None
    times = again(("auto", best))
    gain = ratio(times["auto"].samples, times[best].samples)
    return (best, gain) if _clear(gain) else ("auto", None)


def _clear(gain: Ratio) -> bool:
    return gain.value > SLOWER and gain.low > 1
