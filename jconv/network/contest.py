"""The methods of one operation as programs to be timed against one another, without those that
would only waste time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..compilation import jit
from ..errors import JconvError
from ..geometry import volume
from ..ops.bilinear import PRIMITIVES
from ..ops.direct import y_shape
from ..ops.grouped import joined
from ..ops.methods import METHODS, OPERATIONS, serving
from ..ops.plan import UNROLLED, Job, choose
from ..ops.precision import resolved
from ..timing import Run
from .passes import Pass

HOPELESS = 20  # times the fastest
COLUMNS = 2**30  # bytes of im2col's columns at most


class TooSlow(JconvError):
    """A method that needs no more samples."""


def programs(
    one: Pass, dtype: str, clock: Callable[[], float] = perf_counter
) -> tuple[dict[str, Run], dict[str, str]]:
    """By method, "auto" first: a function that runs the operation, a program of its own as
    `jconv.jit` compiles it, compiled by its first call; and why other methods have none. A second
    call that takes HOPELESS times that of the fastest raises TooSlow.
    """
    primitive, operands = (
        PRIMITIVES[one.job.operation],
        [jnp.asarray(a, dtype) for a in _operands(one.job)],
    )
    words, skipped = candidates(one.job, jnp.dtype(dtype).itemsize)
    fastest = Fastest(clock)

    def program(word: str) -> Run:
        settings = {
            "geometry": one.job.geometry,
            "precision": resolved(one.precision),
            "method": (word,) * len(OPERATIONS),
        }
        return fastest.guard(partial(jit(partial(primitive.bind, **settings)), *operands))

    return {word: program(word) for word in words}, skipped


def candidates(job: Job, item: int) -> tuple[list[str], dict[str, str]]:
    """ "auto", then every method that serves the operation by another function, the reference last;
    and why others are left out.
    """
    words, skipped = ["auto"], {}
    function = lambda word: getattr(METHODS[word], job.operation)
    seen = {function(choose(job, jax.default_backend()))}
    for word in sorted(serving(job.k, job.geometry), key=lambda word: word == "im2col"):
        if function(word) in seen:
            continue
        seen.add(function(word))
        if not job.may_run(word):
            skipped[word] = "rounds beyond the window, which the highest precision excludes"
        elif why := _too_large(word, job, item):
            skipped[word] = why
        else:
            words.append(word)
    return words, skipped


def _too_large(word: str, job: Job, item: int) -> str:
    """Why it is not tried, or ""."""
    groups = job.geometry.groups
    blocks = {"split": groups // joined(job.k, groups, job.highest), "im2col": groups}.get(word, 1)
    if blocks > UNROLLED:
        return f"a program of {blocks} blocks takes long to compile"
    columns = job.x[0] * volume(job.geometry.window.out_sizes) * volume(job.k[:-1]) * groups * item
    if word in ("columns", "im2col") and columns > COLUMNS:
        return f"columns of {columns / 2**30:.1f} GiB"
    return ""


class Fastest:
    """The fastest second call of several functions: the first call compiles, and from the second on
    it is known what is hopeless.
    """

    def __init__(self, clock: Callable[[], float]):
        self.clock, self.seconds = clock, math.inf

    def guard(self, run: Run) -> Run:
        calls = 0

        def guarded() -> Any:
            nonlocal calls
            calls += 1
            return self._second(run) if calls == 2 else run()

        return guarded

    def _second(self, run: Run) -> Any:
        result, seconds = self._timed(run)
        if seconds > HOPELESS * self.seconds:
            result, seconds = self._timed(run)  # something else may have had the machine
        if seconds > HOPELESS * self.seconds:
            raise TooSlow(f"{seconds / self.seconds:.0f} times the fastest in a first sample")
        self.seconds = min(self.seconds, seconds)
        return result

    def _timed(self, run: Run) -> tuple[Any, float]:
        start = self.clock()
        result = jax.block_until_ready(run())
        return result, self.clock() - start


def _operands(job: Job) -> list[np.ndarray]:
    """Normal numbers for the two arrays the operation takes, float32."""
    shapes = {"x": job.x, "y": y_shape(job.x, job.k, job.geometry), "k": job.k}
    rng = np.random.default_rng(0)
    kinds = {"forward": "xk", "input_gradient": "yk", "kernel_gradient": "xy"}[job.operation]
    return [rng.standard_normal(shapes[kind], np.float32) for kind in kinds]
