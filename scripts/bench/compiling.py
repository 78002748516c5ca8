"""Compile seconds, cold each time, in turn, without any cache on disk."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import jax
import numpy as np

from jconv.tuning.timing import compiler_spans, covered

from .case import Case, What
from .contestants import maker
from .result import CaseResult
from .speed import Note, Settings, reason
from .task import wait

ROUNDS = 3  # compiling varies little, and takes long


def measure_compiling(
    suite: str, case: Case, what: What, names: Sequence[str], settings: Settings, note: Note = str
) -> CaseResult:
    """Time the contestants' compilers on a case."""
    row = CaseResult(suite, case.name, what, case.batch, case.dtype)
    rng = np.random.default_rng(settings.seed)
    with _no_cache():
        for done in range(min(ROUNDS, settings.pairs)):
            for i in rng.permutation(len(names)):
                name = names[int(i)]
                if name in row.skipped:
                    continue
                note(f"compiling {name}, {done + 1} of {ROUNDS}")
                try:
                    row.samples.setdefault(name, []).append(compile_seconds(case, what, name))
                except Exception as error:  # whatever a compiler raises, the others go on
                    row.skipped[name] = reason(error)
                    row.samples.pop(name, None)
    row.samples = {name: row.samples[name] for name in names if name in row.samples}
    return row


def compile_seconds(case: Case, what: What, name: str) -> float:
    """Seconds to trace and compile, nothing compiled before: what JAX reports, or else what the
    first call takes beyond a later one.
    """
    jax.clear_caches()
    gc.collect()
    run = maker(name)(case, what).run
    with compiler_spans() as spans:
        first = _seconds(run)
    return covered(spans) or max(0.0, first - min(_seconds(run) for _ in range(2)))


def _seconds(run) -> float:
    start = time.perf_counter()
    wait(run())
    return time.perf_counter() - start


@contextmanager
def _no_cache() -> Iterator[None]:
    before = jax.config.values["jax_enable_compilation_cache"]
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
