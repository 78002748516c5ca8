"""The programs of a training on the device: lowered from shapes, compiled, and run against the
clock.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..compilation import jit
from ..data import Dataset, Split
from ..edit.serving import build_servable
from ..layer import Layer
from .check import check_examples, count_classes
from .exhausted import advised
from .loop import Diverged
from .on_device import make_epoch, make_start, make_test, tested
from .recipe import Call, Recipe, calls
from .step import Metrics

Row = dict[str, float]


class Programs(NamedTuple):
    """Lowered, or compiled."""

    start: Any
    epochs: dict[Call, Any]
    test: Any


class Job(NamedTuple):
    """What every run of a recipe shares, whatever its seed."""

    recipe: Recipe
    programs: Programs  # compiled
    train: Split  # on the device
    test: Split
    compile_seconds: float


class Result(NamedTuple):
    """What a run came to."""

    seed: int
    # from its seed to its accuracy, compiling and the way of the images to the device apart
    seconds: float
    accuracy: float  # of the test images as they are, 0 to 1
    accuracy_of_views: float  # of each by the sum of its six views' logits
    epochs: list[Row]


def lower(
    recipe: Recipe,
    train: int,
    test: int,
    place: jax.sharding.Sharding | None = None,
    deterministic: bool = False,
) -> Programs:
    """The programs for so many training and test images, from shapes alone: nothing is allocated.

    `place` is where they would run, such as the `jax.sharding.SingleDeviceSharding` of a device
    that is described and need not be there; without it, here. Raises InputError when there is no
    whole batch, or where it is not known what makes programs deterministic.
    """
    there = lambda tree: jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=place), tree
    )
    split = lambda n: there(
        (
            jax.ShapeDtypeStruct((n, *recipe.in_shape), jnp.uint8),
            jax.ShapeDtypeStruct((n,), jnp.int32),
        )
    )
    seed, (images, labels) = there(jax.ShapeDtypeStruct((), jnp.uint32)), split(train)
    start = make_start(recipe)
    carried = there(jax.eval_shape(start, seed, images))
    jitted = partial(jit, deterministic=deterministic)
    epoch = lambda call: jitted(make_epoch(recipe, train, call), donate_argnums=0).lower(
        carried, seed, images, labels
    )
    return Programs(
        jitted(start).lower(seed, images),
        {call: epoch(call) for call in dict.fromkeys(calls(recipe, train))},
        jitted(make_test(recipe)).lower(carried, *split(test)),
    )


def prepare(recipe: Recipe, data: Dataset, deterministic: bool = False) -> Job:
    """Check the images, compile, and bring the images to the device. Raises InputError, with a
    batch that fits where memory does not do.

    Layers whose convolutions the compiler refuses run by im2col, and a warning names them.
    """
    for split in (data.train, data.test):
        check_examples(
            split.images, split.labels, recipe.in_shape, count_classes(recipe.net, recipe.in_shape)
        )
    began = perf_counter()
    train, test = len(data.train.labels), len(data.test.labels)

    def compiled(net: Layer) -> Programs:
        lowered = lower(recipe._replace(net=net), train, test, deterministic=deterministic)
        return jax.tree.map(lambda program: program.compile(), lowered)

    with _advised(recipe):
        batches = [recipe.batch_size, tested(test)]
        programs = build_servable(
            compiled, recipe.net, recipe.in_shape, batches, dtype=recipe.dtype
        )
        seconds = perf_counter() - began
        on_device = jax.block_until_ready(jax.device_put((data.train, data.test)))
    return Job(recipe, programs, *on_device, compile_seconds=seconds)


def run(job: Job, seed: int, watch: Callable[[Row], None] = lambda row: None) -> Result:
    """Train from a seed and test. `watch` gets a row of metrics after each epoch. Raises Diverged,
    and InputError as `prepare`.
    """
    with _advised(job.recipe):
        return _run(job, seed, watch)


def _run(job: Job, seed: int, watch: Callable[[Row], None]) -> Result:
    rows: list[Row] = [{"epoch": 0, "step": 0}]
    began, given = perf_counter(), jnp.uint32(seed)
    carried = job.programs.start(given, job.train.images)
    for call in calls(job.recipe, len(job.train.labels)):
        carried, metrics = job.programs.epochs[call](carried, given, *job.train)
        rows.append(
            _row(rows[-1], jax.device_get(metrics), job.recipe.batch_size)
            | {"seconds": perf_counter() - began}
        )
        watch(rows[-1])
    right, of_views = np.asarray(job.programs.test(carried, *job.test)).tolist()
    seconds, count = perf_counter() - began, len(job.test.labels)
    return Result(seed, seconds, right / count, of_views / count, rows[1:])


def _advised(recipe: Recipe) -> AbstractContextManager[None]:
    return advised(recipe.net, recipe.in_shape, recipe.batch_size, dtype=recipe.dtype)


def _row(before: Row, metrics: Metrics, batch_size: int) -> Row:
    """What the steps came to since the row before. Raises Diverged with the first step whose loss
    is not finite.
    """
    losses, steps = np.asarray(metrics.loss), len(metrics.loss)
    if not np.isfinite(losses).all():
        bad = int(np.argmin(np.isfinite(losses)))
        raise Diverged(int(before["step"]) + bad + 1, f"the loss is {losses[bad]}")
    correct = int(np.sum(metrics.correct)) / (steps * batch_size)
    return {
        "epoch": before["epoch"] + 1,
        "step": before["step"] + steps,
        "train_loss": float(losses.mean()),
        "train_accuracy": correct,
    }
