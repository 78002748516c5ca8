"""One epoch of steps, watched without waiting for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import NamedTuple

import jax
import numpy as np

from ..data.dataset import Split
from ..errors import JconvError
from .step import Metrics, TrainState

LOOK_EVERY = 0.5  # seconds between two looks at the losses; each look waits for the device


class Diverged(JconvError, RuntimeError):
    """The loss or the parameters stopped being finite at `step`."""

    def __init__(self, step: int, what: str):
        super().__init__(step, what)  # what it is made of again when it comes out of a pickle
        self.step, self.what = step, what

    def __str__(self) -> str:
        return f"step {self.step}: {self.what}"


class EpochMetrics(NamedTuple):
    """Means over the steps of an epoch, in training mode and while the parameters change."""

    loss: float
    accuracy: float
    images_per_second: float


def train_epoch(
    step: Callable,
    state: TrainState,
    batches: Iterable[Split],
    watch: Callable[[int, EpochMetrics], None] = lambda step, metrics: None,
) -> tuple[TrainState, EpochMetrics]:
    """The state after every batch, and what was measured. `step` is `make_train_step(...)`; its
    state is donated.

    `watch(step, metrics)` is called about twice a second with the number of the step just done.
    Raises Diverged with the first step whose loss is not finite, once it is seen: at the next look
    or at the end of the epoch.
    """
    first, start = int(state.step), perf_counter()
    seen: list[Metrics] = []  # on the host
    pending: list[Metrics] = []  # maybe still being computed
    looked, images = start, 0
    for batch in batches:
        state, metrics = step(state, batch.images, batch.labels)
        pending.append(metrics)
        images += len(batch.labels)
        if perf_counter() - looked > LOOK_EVERY:
            seen, pending = _look(first, seen, pending), []
            looked = perf_counter()
            watch(first + len(seen), _summary(seen, images, looked - start))
    seen = _look(first, seen, pending)
    summary = _summary(seen, images, perf_counter() - start)
    # a finite loss may still have had an infinite gradient
    if not all(np.isfinite(leaf).all() for leaf in jax.device_get(jax.tree.leaves(state.params))):
        raise Diverged(int(state.step), "the parameters are not finite after it")
    watch(first + len(seen), summary)
    return state, summary


def _look(first: int, seen: list[Metrics], pending: list[Metrics]) -> list[Metrics]:
    """All the metrics so far, on the host. Steps are counted from 1: the first step of a run is
    step 1.
    """
    new = jax.device_get(pending)
    for i, metrics in enumerate(new):
        if not np.isfinite(metrics.loss):
            raise Diverged(first + len(seen) + i + 1, f"the loss is {metrics.loss}")
    return seen + new


def _summary(seen: list[Metrics], images: int, seconds: float) -> EpochMetrics:
    loss = float(np.mean([m.loss for m in seen]))
    return EpochMetrics(loss, int(sum(m.correct for m in seen)) / images, images / seconds)
