"""Run seconds: every contestant does a case in turn, and all must have the same parameters and
numbers.

The threads of XLA and of PyTorch spin for a while after their work, on the cores that the other
needs. What that costs, measured on two quiet cores (gradient of a 3x3 convolution of 64 channels,
32x32, batch 32, 41 rounds): plain lax takes 44.1 ms right after PyTorch, 41.4 after a rest of 2 ms,
42.3 after one of 10; PyTorch 17.8, 17.8 and 17.3. Hence the pause. A busy machine costs far more:
with other work on both cores the same gradients took 60 to 96 and 80 to 143 ms, so
`CaseResult.others` says how busy it was. After a rest threads sleep and wake slowly, so a sample is
many calls: 64x28x28x1 by 5x5 to 32 takes 0.50 ms a call in samples of 20 ms, 0.61 after a rest, but
0.97 in samples of 2 ms.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, NamedTuple

from jax.errors import JaxRuntimeError

from jconv.analysis import summary
from jconv.train.exhausted import advice, is_exhausted
from jconv.tuning.machine import others_share, used
from jconv.tuning.timing import PAIRS, Ratio, Timing, measure, ratio

from .case import Case, What
from .contestants import label, maker
from .result import CaseResult
from .task import Task, Unable, largest_error, wait

TOLERANCE = {"float32": 1e-3, "bfloat16": 1e-1}  # of the largest number
LEAST = 20e-3  # seconds a sample
# the same where calls are queued. A ResNet-50 step on an H100: 29.7 ms one by one, 23.5 among
# others, as in training
QUEUED = 0.2
PASSES = {"gradient": 3, "train": 3, "per-example": 3}  # in forward passes' arithmetic; else one


class Settings(NamedTuple):
    """How a case is measured."""

    pairs: int = PAIRS
    limit: float = 300.0  # seconds of a case's rounds, after which none begins
    pause: float = 0.01  # seconds before a sample
    seed: int = 0
    small: bool = False  # the cases are toys
    queued: bool = False  # only a sample's last call is waited for: on an accelerator


Note = Callable[[str], Any]


def measure_speed(
    suite: str,
    case: Case,
    what: What,
    names: Sequence[str],
    settings: Settings,
    note: Note = str,
    rivals: Sequence[str] = ("lax",),
) -> CaseResult:
    """Time the contestants on a case. `note` is told what is going on. jconv is judged against the
    fastest of the `rivals`.
    """
    gc.collect()  # the case before may have left gigabytes
    flops = (
        2 * PASSES.get(what, 1) * case.batch * (summary(case.net, case.in_shape).totals.macs or 0)
    )
    row = CaseResult(suite, case.name, what, case.batch, case.dtype, flops=flops)
    tasks = made(row, case, what, names, note)
    runs = {name: task.run for name, task in tasks.items()}
    fail = lambda name, error: row.skipped.update({name: failure(error, case, what)})
    how = {"seed": settings.seed, "pause": settings.pause, "queued": settings.queued, "wait": wait}
    how["least"] = QUEUED if settings.queued else LEAST
    note("compiling and measuring")
    compare = Comparison(row, tasks, case)
    timings = measure(runs, settings.pairs, limit=settings.limit, seen=compare, failed=fail, **how)
    row.others = others_share(compare.since, used())
    row.samples = {name: t.samples.tolist() for name, t in timings.items()}
    row.compile_seconds = {name: t.compile_seconds for name, t in timings.items()}

    def again() -> dict[str, Timing]:
        note(f"measuring jconv and {label(row.rival)} again")
        return measure({name: runs[name] for name in ("jconv", row.rival)}, PAIRS, **how)

    row.rival = min(rivals, key=lambda name: timings[name].median if name in timings else inf)
    if settings.pairs >= PAIRS and {"jconv", row.rival} <= set(timings):
        row.judged = judge(timings, again, row.rival)
    return row


def made(
    row: CaseResult, case: Case, what: What, names: Sequence[str], note: Note
) -> dict[str, Task]:
    """The tasks of those who can; why the others cannot goes into the row."""
    tasks = {}
    for name in names:
        note(f"building {name}")
        try:
            tasks[name] = maker(name)(case, what)
        except (Unable, ValueError, ImportError, JaxRuntimeError) as error:
            row.skipped[name] = failure(error, case, what)
    return tasks


class Comparison:
    """Holds every contestant's first result against the first one's; `since` is when the last had
    compiled, in processes of its own.
    """

    def __init__(self, row: CaseResult, tasks: dict[str, Task], case: Case):
        self.row, self.tasks, self.case = row, tasks, case
        self.expected, self.since = None, used()

    def __call__(self, name: str, result: Any) -> None:
        shown, row = self.tasks[name].shown(result), self.row
        if self.expected is None:
            self.expected = shown
        row.errors[name] = largest_error(shown, self.expected)
        if row.errors[name] > TOLERANCE[row.dtype]:
            row.disagree[name] = f"its numbers differ by {row.errors[name]:.2g} of the largest"
        if self.tasks[name].parameters != self.case.parameters:
            row.disagree[name] = (
                f"it has {self.tasks[name].parameters:,} parameters, not {self.case.parameters:,}"
            )
        self.since = used()


def judge(
    timings: dict[str, Timing], again: Callable[[], dict[str, Timing]], rival: str = "lax"
) -> list[Ratio]:
    """jconv against a rival, in measurements of enough pairs: one where it does not look slower,
    else up to two.
    """
    against = lambda timings: ratio(timings["jconv"].samples, timings[rival].samples)
    first = against(timings)
    judged = [first] if first.pairs >= PAIRS else []
    looks_slower = first._replace(pairs=PAIRS).slower
    while looks_slower and len(judged) < 2:
        judged.append(against(again()))
        looks_slower = judged[-1].slower
    return judged


def failure(error: Exception, case: Case, what: What) -> str:
    """Why a contestant has no numbers, in one line; out of memory, with a batch that would fit."""
    if is_exhausted(error) and what != "forward":
        return advice(case.net, case.in_shape, case.batch, dtype=case.dtype)
    return reason(error)


def reason(error: Exception) -> str:
    """One line."""
    lines = str(error).strip().splitlines()
    return (f"{type(error).__name__}: " if not isinstance(error, Unable) else "") + (
        lines[0][:200] if lines else "no reason given"
    )
