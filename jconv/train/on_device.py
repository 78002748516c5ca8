"""A training whose images lie on the device: its start, each of its epochs and its test are one
program each.

No image crosses over from the host. What is drawn follows from (seed, epoch, index), and the step
it is at lies in what goes from program to program, so that a training goes on from any step as it
would have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ..data import (
    Draws,
    augmented,
    channel_statistics,
    draw_epoch,
    standardized,
    steps_per_epoch,
    whitening_kernel,
)
from ..layer import Params, State
from .lookahead import look
from .loss import smoothed_softmax_cross_entropy
from .recipe import Call, Recipe, calls, make_optimizer
from .state import TrainState
from .step import Metrics, make_train_step

SAMPLE = 5000  # images that the whitening kernel is computed from, or a few more
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
    """start(seed, images) -> Carried: the images' statistics, the drawn parameters, and the kernel
    that whitens.
    """

    def start(seed: jax.Array, images: jax.Array) -> Carried:
        mean, std = channel_statistics(images)
        params, state = recipe.net.init(jax.random.key(seed), recipe.in_shape)
        # spread over all: a folder's images come class by class
        sample = images[:: max(1, len(images) // SAMPLE)]
        params["whiten"]["kernel"] = whitening_kernel(standardized(sample, mean, std, "float32"))
        train = TrainState(
            params, state, make_optimizer(recipe, 1, False).init(params), jnp.zeros((), jnp.int32)
        )
        return Carried(train, (params, state), mean, std)

    return start


def make_epoch(recipe: Recipe, count: int, call: Call) -> Callable:
    """epoch(carried, seed, images, labels) -> (Carried, Metrics of each step): the next
    `call.steps` steps of the epoch it is in.

    Shapes: images (count, *in_shape) uint8, labels (count,) int32; metrics (steps,).
    """
    each, total = (
        steps_per_epoch(count, recipe.batch_size),
        sum(c.steps for c in calls(recipe, count)),
    )
    step = make_train_step(
        recipe.net,
        smoothed_softmax_cross_entropy(recipe.smoothing),
        make_optimizer(recipe, total, call.frozen),
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
        batches = jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, done, call.steps), by_step)

        def one(carry: tuple[TrainState, tuple[Params, State]], draws: Draws):
            train, slow = carry
            batch = standardized(augmented(images, draws), before.mean, before.std, recipe.dtype)
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
        x = views(standardized(batch, carried.mean, carried.std, recipe.dtype))
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


def views(x: jax.Array) -> jax.Array:
    """Every image, its mirror image, and both moved by a pixel down and right, and up and left: (N,
    H, W, C) -> (6*N, H, W, C)
    """
    height, width = x.shape[1:3]
    wide = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    moved = [x, wide[:, :height, :width], wide[:, 2:, 2:]]
    return jnp.concatenate([side for image in moved for side in (image, image[:, :, ::-1])])
