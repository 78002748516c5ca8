"""The suites: which cases, what is done with them, and who takes part. Data, and the functions that
choose from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from jconv.errors import InputError, unknown

from .case import Case, What, toy
from .compiling import measure_compiling
from .contestants import MAIN, OURS, PEERS, UNTUNED, WRITTEN_OUT
from .loading import CASES as LOADING
from .loading import measure_loading
from .memory import measure_memory
from .nets import GPU, LARGE, PER_EXAMPLE, SMALL, TABLE
from .ops import (
    BENCHMARK_LAYERS,
    COMMON,
    EVERY_METHOD,
    IN_TURN,
    OPS,
    POOLS_AND_NORMS,
    SCANS,
    SLOW_IN_LAX,
)
from .planned import plan_cases
from .result import CaseResult
from .speed import measure_speed


class Entry(NamedTuple):
    suite: str
    case: Case
    what: What

    @property
    def title(self) -> str:
        """What a part of is asked for."""
        return f"{self.case.name}, {self.what}, {self.case.dtype}"


class Suite(NamedTuple):
    title: str
    entries: Sequence[tuple[Case, What]]
    contestants: Sequence[str] = MAIN
    measure: Callable[..., CaseResult] = measure_speed


def _jobs(cases: Iterable[Case], *whats: What) -> list[tuple[Case, What]]:
    return [(case, what) for case in cases for what in whats]


def _both_dtypes(cases: Iterable[Case], times: int) -> list[Case]:
    return [
        replace(case, batch=times * case.batch, dtype=dtype)
        for case in cases
        for dtype in ("float32", "bfloat16")
    ]


# an operation is lax's own in Flax and Equinox
WITHOUT_LAYERS = ("jconv", "lax", "torch", "torch-compile")
SUITES = {
    "ops": Suite(
        "operations, with the gradient in input and parameters",
        _jobs(OPS, "forward", "gradient"),
        WITHOUT_LAYERS,
    ),
    "scan": Suite(
        "operations inside lax.scan and written out ('gradients of': computed inside, and summed); "
        "last the gradient of a whole scan",
        [*_jobs(IN_TURN, "forward"), *_jobs(SCANS, "forward", "gradient")],
        ("jconv", WRITTEN_OUT),
    ),
    "nets": Suite(
        "networks, forward and with the gradient of sum(scores^2)",
        _jobs(SMALL + LARGE + TABLE, "forward", "gradient"),
    ),
    "train": Suite(
        "whole training steps, and per-example gradients",
        [*_jobs(SMALL + LARGE, "train"), *_jobs(PER_EXAMPLE, "gradient", "per-example")],
    ),
    "compile": Suite(
        "compile seconds, cold",
        [*_jobs(SMALL + LARGE, "train"), *_jobs(PER_EXAMPLE, "per-example")],
        tuple(name for name in MAIN if name != "torch"),
        measure_compiling,
    ),
    "memory": Suite(
        "peak resident memory, each in a process of its own",
        [*_jobs(SMALL + LARGE, "train"), *_jobs(EVERY_METHOD, "gradient")],
        (*OURS, *PEERS),
        measure_memory,
    ),
    "data": Suite(
        "reading images: decoded, a random part resized, mirrored, standardized; two workers",
        _jobs(LOADING, "forward"),
        ("jconv", "torch"),
        measure_loading,
    ),
    "plan": Suite(
        "every row of the plan where it was measured, forward and each gradient alone",
        list(plan_cases("cpu")),
        ("jconv", "direct", "lax"),
        partial(measure_speed, rivals=("direct", "lax")),
    ),
    "gpu": Suite(
        "an accelerator, in float32 and bfloat16",
        [
            *_jobs(_both_dtypes(GPU, 1), "train"),
            *_jobs(_both_dtypes(TABLE, 8), "forward", "gradient"),
            *_jobs(
                _both_dtypes(BENCHMARK_LAYERS + SLOW_IN_LAX + COMMON + POOLS_AND_NORMS, 16),
                "forward",
                "gradient",
            ),
        ],
    ),
    "gpu-plan": Suite(
        "the same of an accelerator's rows",
        list(plan_cases("cuda", "bfloat16")),
        ("jconv", "direct", "lax"),
    ),
    "gpu-compile": Suite(
        "compile seconds of an accelerator's training steps, cold, with autotuning and without",
        _jobs(_both_dtypes(GPU, 1), "train"),
        ("jconv", UNTUNED, "lax"),
        measure_compiling,
    ),
}

PLANS = ("plan", "gpu-plan")  # whose cases are rows of the plan


def choose(suites: Sequence[str], parts: Sequence[str], small: bool = False) -> list[Entry]:
    """The entries of the suites in whose title a word begins like one of `parts` ("LeNet" is not
    GoogLeNet); all of them without parts.

    Raises InputError listing what there is.
    """
    for name in suites:
        if name not in SUITES:
            raise InputError(unknown("suite", name, tuple(SUITES)))
    entries = [Entry(name, case, what) for name in suites for case, what in SUITES[name].entries]
    has = lambda entry, part: re.search(rf"(?<!\w){re.escape(part)}", entry.title, re.IGNORECASE)
    for part in parts:
        if not any(has(entry, part) for entry in entries):
            there = "\n  ".join(dict.fromkeys(entry.title for entry in entries))
            raise InputError(
                f"no case of {', '.join(suites)} has {part!r} in its name; there are\n  {there}"
            )
    chosen = [entry for entry in entries if not parts or any(has(entry, part) for part in parts)]
    return [entry._replace(case=toy(entry.case)) if small else entry for entry in chosen]


def find_case(suite: str, name: str, small: bool) -> Case:
    """The case of that name in a suite."""
    case = next(case for case, _ in SUITES[suite].entries if case.name == name)
    return toy(case) if small else case
