"""A training as it is between two calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import jax
import numpy as np

from ..layer import Params, State
from ..train.step import TrainState
from ..train.update import hyperparameters, with_hyperparameters
from .images import Images, taken
from .program import AT_ONCE, Programs, Steps

CALL = 1 / 30  # seconds that the steps of one call are to take, so that as many end in a second


@dataclass
class Live:
    """What changes from call to call."""

    programs: Programs
    train: TrainState
    batch: int
    program: Any  # of steps of that batch, compiled
    order: Iterator[tuple[np.ndarray, int]]
    paused: bool = False
    owed: int = 0  # steps to take in spite of that
    examples: int = 0
    steps: int = 0
    step_seconds: float = 0.0
    forward_seconds: float = 0.0  # of a batch

    @property
    def arrays(self) -> tuple[Params, State]:
        return self.train.params, self.train.state

    def __post_init__(self) -> None:
        # numbers of our own: another thread may ask while a call has the state's
        self.hyperparameters = hyperparameters(self.train.opt_state)

    def set(self, values: Mapping[str, float]) -> None:
        """Other hyperparameters, from the next step on; nothing is compiled."""
        opt_state = with_hyperparameters(self.train.opt_state, **values)
        self.train = self.train._replace(opt_state=opt_state)
        self.hyperparameters = hyperparameters(opt_state)

    def advance(self, images: Images) -> Steps:
        """One call: as many steps as are owed, or as CALL seconds hold. Waits for them."""
        n = self.owed or max(1, min(AT_ONCE, int(CALL / (self.step_seconds or CALL))))
        rows, epoch = taken(self.order, n, (AT_ONCE, self.batch))
        start = perf_counter()
        self.train, seen = self.program(
            self.train, rows, np.int32(n), np.int32(epoch), *images.on_device
        )
        found = Steps(*(a[:n] for a in jax.device_get(seen)))
        each = (perf_counter() - start) / n
        self.step_seconds = 0.8 * self.step_seconds + 0.2 * each if self.step_seconds else each
        self.owed = 0
        self.steps += n
        self.examples += n * self.batch
        return found
