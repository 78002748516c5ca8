"""Steps, one after the other, watched without waiting for each of them."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..compilation import Jitted, jit
from ..data.feed import Batch
from ..edit.remat import compiler_options
from ..errors import JconvError
from ..layer import Layer
from .loss import Loss
from .step import Metrics, StepSettings, TrainState, drawn_batch, make_objective, train_step

LOOK_EVERY = 0.5  # seconds between two looks at the losses; each look waits for the device


class Diverged(JconvError, RuntimeError):
    """The loss or the parameters stopped being finite at `step`."""

    def __init__(self, step: int, what: str):
        super().__init__(step, what)  # what it is made of again when it comes out of a pickle
        self.step, self.what = step, what

    def __str__(self) -> str:
        return f"step {self.step}: {self.what}"


class Tally(NamedTuple):
    """Sums over the steps of an epoch so far, on the device: the host waits for none of them."""

    loss: jax.Array  # () float32
    correct: jax.Array  # () int32
    steps: jax.Array  # () int32
    bad: jax.Array  # () int32, the first step of all whose loss is not finite, from 1; 0 for none
    bad_loss: jax.Array  # () float32, its loss


class Carried(NamedTuple):
    """What goes from step to step, and into a checkpoint."""

    train: TrainState
    tally: Tally


def no_tally() -> Tally:
    """Before the first step."""
    zero = partial(jnp.zeros, ())  # an array each: they are given away
    return Tally(zero(), zero(jnp.int32), zero(jnp.int32), zero(jnp.int32), zero())


def counted(tally: Tally, metrics: Metrics, step: jax.Array, steps: int) -> Tally:
    """The sums with one step more, whose number is `step` from 0; every `steps` they begin anew."""
    kept = jax.tree.map(lambda a: jnp.where(step % steps == 0, jnp.zeros_like(a), a), tally)
    first = (tally.bad == 0) & ~jnp.isfinite(metrics.loss)
    return Tally(
        kept.loss + metrics.loss,
        kept.correct + metrics.correct,
        kept.steps + 1,
        jnp.where(first, step + 1, tally.bad),
        jnp.where(first, metrics.loss, tally.bad_loss),
    )


def make_loop_step(
    net: Layer,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    settings: StepSettings,
    steps: int,
    whole: bool,
    deterministic: bool = False,
) -> Jitted:
    """step(carried, images, labels, rows) -> Carried, jitted, for the batches of a `Feed`, of which
    `steps` are an epoch; with `whole` a batch has all the images. What is carried is donated.
    """
    objective = make_objective(net, loss, settings)

    options = compiler_options(net)  # of blocks that are computed again

    @partial(jit, donate_argnums=0, deterministic=deterministic, compiler_options=options)
    def step(before: Carried, images: jax.Array, labels: jax.Array, rows: jax.Array) -> Carried:
        number = before.train.step
        if whole:
            pick = lambda a: a.at[rows].get(mode="promise_in_bounds")
            images, labels = pick(images), pick(labels)
        batch = drawn_batch(settings, images, labels, rows, number // steps, number)
        train, metrics = train_step(objective, optimizer, settings, before.train, *batch)
        return Carried(train, counted(before.tally, metrics, number, steps))

    return step


class Progress(NamedTuple):
    """How a training is doing, of the epoch it is in."""

    step: int  # done, of all epochs
    loss: float  # the mean over the epoch's steps, in training mode and while parameters change
    accuracy: float
    images_per_second: float  # since the epoch began, or the run went on
    waiting: (
        float  # the share of that time in which the device had nothing to do but wait for images
    )
    memory: int  # bytes in use: the device's, or on a CPU this process's

    def __str__(self) -> str:
        return (
            f"loss {self.loss:.4f}  accuracy {self.accuracy:.1%}  "
            f"{self.images_per_second:,.0f} images/s  waiting {self.waiting:.0%}  "
            f"{self.memory / 2**30:.1f} GiB"
        )


class Clock:
    """Time, steps and waiting since an epoch began."""

    def __init__(self) -> None:
        self.start = self.looked = perf_counter()
        self.steps = 0
        self.waited = 0.0

    @property
    def seconds(self) -> float:
        return perf_counter() - self.start


def stepped(
    program: Callable[..., Carried], carried: Carried, batches: Iterator[Batch], clock: Clock
) -> Carried:
    """The state after the next batch. Time in which the batch was not there and the device had
    finished all that it was given counts as waiting.
    """
    asked = perf_counter()
    batch = next(batches)
    came = perf_counter()
    ready: Any = carried.tally.steps
    if ready.is_ready():
        clock.waited += came - asked
    after = program(carried, *batch)
    clock.steps += 1
    return after


def look(carried: Carried, clock: Clock, batch_size: int) -> Progress:
    """What the sums say; waits for the device. Raises Diverged with the first step whose loss was
    not finite.
    """
    tally = jax.device_get(carried.tally)
    if tally.bad:
        raise Diverged(int(tally.bad), f"the loss is {tally.bad_loss}")
    clock.looked = perf_counter()
    count, seconds = max(int(tally.steps), 1), max(clock.seconds, 1e-9)
    return Progress(
        int(carried.train.step),
        float(tally.loss) / count,
        int(tally.correct) / (count * batch_size),
        clock.steps * batch_size / seconds,
        clock.waited / seconds,
        memory_in_use(),
    )


def check_finite(train: TrainState) -> None:
    """Raises Diverged: a finite loss may still have had an infinite gradient."""
    if not all(np.isfinite(leaf).all() for leaf in jax.device_get(jax.tree.leaves(train.params))):
        raise Diverged(int(train.step), "the parameters are not finite after it")


def memory_in_use() -> int:
    """Bytes: what the device says that is taken of it, or else the most that this process took."""
    found = jax.local_devices()[0].memory_stats() or {}
    if "bytes_in_use" in found:
        return int(found["bytes_in_use"])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
