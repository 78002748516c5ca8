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
from ..ops.methods import METHODS, OPERATIONS, serving
from ..ops.methods.grouped import joined
from ..ops.methods.plan import UNROLLED, Workload, choose
from ..ops.precision import resolved
from ..ops.shapes import y_shape
from .passes import Pass
from .timing import Run

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
        PRIMITIVES[one.work.operation],
        [jnp.asarray(a, dtype) for a in _operands(one.work)],
    )
    words, skipped = candidates(one.work, jnp.dtype(dtype).itemsize)
    fastest = Fastest(clock)

    def program(word: str) -> Run:
        settings = {
            "geometry": one.work.geometry,
            "precision": resolved(one.precision),
            "method": (word,) * len(OPERATIONS),
        }
        return fastest.guard(partial(jit(partial(primitive.bind, **settings)), *operands))

    return {word: program(word) for word in words}, skipped


def candidates(work: Workload, item: int) -> tuple[list[str], dict[str, str]]:
    """ "auto", then every method that serves the operation by another function, the reference last;
    and why others are left out.
    """
    words, skipped = ["auto"], {}
    function = lambda word: getattr(METHODS[word], work.operation)
    seen = {function(choose(work, jax.default_backend()))}
    for word in sorted(serving(work.k, work.geometry), key=lambda word: word == "im2col"):
        if function(word) in seen:
            continue
        seen.add(function(word))
        if not work.may_run(word):
            skipped[word] = "rounds beyond the window, which the highest precision excludes"
        elif why := _too_large(word, work, item):
            skipped[word] = why
        else:
            words.append(word)
    return words, skipped


def _too_large(word: str, work: Workload, item: int) -> str:
    """Why it is not tried, or ""."""
    groups = work.geometry.groups
    blocks = {"split": groups // joined(work.k, groups, work.highest), "im2col": groups}.get(
        word, 1
    )
    if blocks > UNROLLED:
        return f"a program of {blocks} blocks takes long to compile"
    columns = (
        work.x[0] * volume(work.geometry.window.out_sizes) * volume(work.k[:-1]) * groups * item
    )
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


def _operands(work: Workload) -> list[np.ndarray]:
    """Normal numbers for the two arrays the operation takes, float32."""
    shapes = {"x": work.x, "y": y_shape(work.x, work.k, work.geometry), "k": work.k}
    rng = np.random.default_rng(0)
    kinds = {"forward": "xk", "input_gradient": "yk", "kernel_gradient": "xy"}[work.operation]
    return [rng.standard_normal(shapes[kind], np.float32) for kind in kinds]
