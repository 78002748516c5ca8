"""A training whose images lie on the device: its start, each of its epochs and its test are one
program each, lowered from shapes, compiled, and run against the clock.

No image crosses over from the host. What is drawn follows from (seed, epoch, index), and the step
it is at lies in what goes from program to program, so that a training goes on from any step as it
would have.
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
from ..data import (
    Dataset,
    Draws,
    Split,
    channel_statistics,
    draw_epoch,
    standardized,
    steps_per_epoch,
)
from ..data.on_device import mirrored_and_shifted
from ..edit.serving import build_servable
from ..layer import Layer, Params, State
from .check import check_examples, count_classes
from .exhausted import advised
from .loop import Diverged
from .recipe import Recipe, Segment, segments
from .schedule import look
from .step import Metrics, TrainState, make_train_step

SAMPLE = 5000  # images that `Recipe.start` sees, or a few more
TESTED = 500  # images tested at once, each in six views
# the weights of the image and its mirror image, and of their two shifts
VIEWS = (1 / 4, 1 / 4, 1 / 8, 1 / 8, 1 / 8, 1 / 8)


class Carried(NamedTuple):
    """What goes from program to program."""

    train: TrainState
    slow: tuple[Params, State]  # lookahead's, and what is tested
    mean: jax.Array  # (C,) float32, of the training images
    std: jax.Array


def make_start(recipe: Recipe) -> Callable:
    """start(seed, images) -> Carried: the images' statistics, and the parameters as drawn and as
    `Recipe.start` makes them.
    """

    def start(seed: jax.Array, images: jax.Array) -> Carried:
        mean, std = channel_statistics(images)
        params, state = recipe.net.init(jax.random.key(seed), recipe.in_shape)
        # spread over all: a folder's images come class by class
        sample = images[:: max(1, len(images) // SAMPLE)]
        params = recipe.start(params, standardized(sample, mean, std, "float32"))
        optimizer = recipe.optimizer(recipe, 1, recipe.phase(0))
        train = TrainState(params, state, optimizer.init(params), jnp.zeros((), jnp.int32))
        return Carried(train, (params, state), mean, std)

    return start


def make_epoch(recipe: Recipe, count: int, segment: Segment) -> Callable:
    """epoch(carried, seed, images, labels) -> (Carried, Metrics of each step): the next
    `segment.steps` steps of the epoch it is in.

    Shapes: images (count, *in_shape) uint8, labels (count,) int32; metrics (steps,).
    """
    each, total = (
        steps_per_epoch(count, recipe.batch_size),
        sum(c.steps for c in segments(recipe, count)),
    )
    step = make_train_step(
        recipe.net,
        recipe.loss,
        recipe.optimizer(recipe, total, segment.phase),
    )

    def epoch(
        before: Carried, seed: jax.Array, images: jax.Array, labels: jax.Array
    ) -> tuple[Carried, Metrics]:
        number, done = jnp.divmod(before.train.step, each)
        drawn = draw_epoch(jax.random.key(seed), number, count, recipe.pixels)
        by_step = jax.tree.map(
            lambda a: a[: each * recipe.batch_size].reshape(each, recipe.batch_size, *a.shape[1:]),
            drawn,
        )
        batches = jax.tree.map(
            lambda a: jax.lax.dynamic_slice_in_dim(a, done, segment.steps), by_step
        )

        def one(carry: tuple[TrainState, tuple[Params, State]], draws: Draws):
            train, slow = carry
            batch = standardized(
                mirrored_and_shifted(images, draws), before.mean, before.std, recipe.dtype
            )
            train, metrics = step(train, batch, labels[draws.rows])
            (params, state), slow = look((train.params, train.state), slow, train.step, total)
            return (train._replace(params=params, state=state), slow), metrics

        (train, slow), metrics = jax.lax.scan(one, (before.train, before.slow), batches)
        return before._replace(train=train, slow=slow), metrics

    return epoch


def make_test(recipe: Recipe) -> Callable:
    """test(carried, images, labels) -> (2,) int32: how many images the slow parameters get right,
    as they are and by their views.
    """

    def guesses(carried: Carried, batch: jax.Array) -> jax.Array:
        x = six_views(standardized(batch, carried.mean, carried.std, recipe.dtype))
        logits = (
            recipe.net.apply(*carried.slow, x)[0]
            .astype(jnp.float32)
            .reshape(len(VIEWS), len(batch), -1)
        )
        of_views = (jnp.array(VIEWS)[:, None, None] * logits).sum(0)
        return jnp.stack([logits[0].argmax(1), of_views.argmax(1)])  # (2, N)

    def test(carried: Carried, images: jax.Array, labels: jax.Array) -> jax.Array:
        size = tested(len(images)) // len(VIEWS)
        filled = jnp.pad(images, ((0, -len(images) % size), (0, 0), (0, 0), (0, 0)))
        found = jax.lax.map(
            lambda batch: guesses(carried, batch), filled.reshape(-1, size, *images.shape[1:])
        )
        return (found.swapaxes(0, 1).reshape(2, -1)[:, : len(images)] == labels[None]).sum(
            1, dtype=jnp.int32
        )

    return test


def tested(count: int) -> int:
    """How many views of images a test of `count` images takes at once."""
    return len(VIEWS) * min(TESTED, count)


def six_views(x: jax.Array) -> jax.Array:
    """Every image, its mirror image, and both moved by a pixel down and right, and up and left: (N,
    H, W, C) -> (6*N, H, W, C)
    """
    height, width = x.shape[1:3]
    wide = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    moved = [x, wide[:, :height, :width], wide[:, 2:, 2:]]
    return jnp.concatenate([side for image in moved for side in (image, image[:, :, ::-1])])


# The training itself
# --------------------------------------------------------------------------------------------------

EpochRow = dict[str, float]


class Programs(NamedTuple):
    """Lowered, or compiled."""

    start: Any
    epochs: dict[Segment, Any]
    test: Any


class DeviceTraining(NamedTuple):
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
    epochs: list[EpochRow]


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
    epoch = lambda segment: jitted(make_epoch(recipe, train, segment), donate_argnums=0).lower(
        carried, seed, images, labels
    )
    return Programs(
        jitted(start).lower(seed, images),
        {segment: epoch(segment) for segment in dict.fromkeys(segments(recipe, train))},
        jitted(make_test(recipe)).lower(carried, *split(test)),
    )


def prepare_on_device(recipe: Recipe, data: Dataset, deterministic: bool = False) -> DeviceTraining:
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
    return DeviceTraining(recipe, programs, *on_device, compile_seconds=seconds)


def train_on_device(
    training: DeviceTraining, seed: int, watch: Callable[[EpochRow], None] = lambda row: None
) -> Result:
    """Train from a seed and test. `watch` gets a row of metrics after each epoch. Raises Diverged,
    and InputError as `prepare_on_device`.
    """
    with _advised(training.recipe):
        return _train(training, seed, watch)


def _train(training: DeviceTraining, seed: int, watch: Callable[[EpochRow], None]) -> Result:
    rows: list[EpochRow] = [{"epoch": 0, "step": 0}]
    began, given = perf_counter(), jnp.uint32(seed)
    carried = training.programs.start(given, training.train.images)
    for segment in segments(training.recipe, len(training.train.labels)):
        carried, metrics = training.programs.epochs[segment](carried, given, *training.train)
        rows.append(
            _row(rows[-1], jax.device_get(metrics), training.recipe.batch_size)
            | {"seconds": perf_counter() - began}
        )
        watch(rows[-1])
    right, of_views = np.asarray(training.programs.test(carried, *training.test)).tolist()
    seconds, count = perf_counter() - began, len(training.test.labels)
    return Result(seed, seconds, right / count, of_views / count, rows[1:])


def _advised(recipe: Recipe) -> AbstractContextManager[None]:
    return advised(recipe.net, recipe.in_shape, recipe.batch_size, dtype=recipe.dtype)


def _row(before: EpochRow, metrics: Metrics, batch_size: int) -> EpochRow:
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
