"""The programs of a net that trains while it is watched, each compiled once: steps, one step looked
into, answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial
from threading import Lock
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..analysis.recording import Backward, backward
from ..compilation import jit
from ..data.augmentation import Augmentation, augmented
from ..data.pixels import PixelScale
from ..geometry import Shape
from ..layer import Layer
from ..optimizer import kernels
from ..train.loss import make_loss
from ..train.step import (
    StepSettings,
    TrainState,
    as_input,
    draw,
    drawn_batch,
    make_objective,
    mean_of_views,
    train_step,
)
from ..train.update import UpdateSettings, make_update

AT_ONCE = 64  # steps that one call may take
VIEWS = 6  # of an image whose answers are averaged, as in ConvNetJS's demo
SHOWN = 4  # test images whose answers are shown


class Steps(NamedTuple):
    """Of the steps of one call, (AT_ONCE,) each; those that it did not take are 0."""

    loss: jax.Array
    correct: jax.Array
    squares: jax.Array  # half the sum of the squares of what weight decay acts on


class Answer(NamedTuple):
    probabilities: Any  # (classes,)
    saliency: Any  # (H, W), the largest |d score of the best class / d pixel| of a pixel


class _Once:
    """A program that whoever asks first compiles."""

    def __init__(self) -> None:
        self.lock, self.program = Lock(), None


class Programs:
    """What is computed of one net. Every program is compiled when it is first asked for, by
    whichever thread asks, and then kept.
    """

    def __init__(
        self,
        net: Layer,
        in_shape: Shape,
        update: UpdateSettings,
        pixels: PixelScale,
        augmentation: Augmentation,
        seed: int = 0,
    ):
        self.net, self.in_shape, self.update = net, in_shape, update
        self.augmentation = augmentation
        self.settings = StepSettings(seed, None, pixels, augmentation, in_shape)
        self.params, self.state = draw(net, in_shape, seed)
        schedule = optax.constant_schedule(update.learning_rate)
        self.optimizer = make_update(update, schedule, self.params)
        self.compiled: dict[Any, _Once] = {}
        self.lock = Lock()

    def has(self, key: Any) -> bool:
        """Whether a program is compiled: "look", or ("forward", 32)."""
        return key in self.compiled and self.compiled[key].program is not None

    def looks(self, batch: int) -> Iterator[Any]:
        """What a training is looked at with, compiled one by one."""
        yield self.look
        yield self.forward(batch)
        yield self.averaged
        yield self.answer

    def first(self) -> TrainState:
        """The state before the first step."""
        params, state = jax.tree.map(jnp.copy, (self.params, self.state))
        opt_state = self.optimizer.init(params)
        return TrainState(params, state, opt_state, jnp.zeros((), jnp.int32))

    def steps(self, batch: int, images: jax.Array, labels: jax.Array) -> Any:
        """steps(train, rows (AT_ONCE, batch), n, epoch, images, labels) -> (train, Steps): n steps,
        AT_ONCE at most, on the images of these rows. What is carried is donated.

        n is no constant of the program: one serves a step and many. A call for each step takes as
        long again as the step itself where the batch is small.
        """
        objective = make_objective(self.net, make_loss("softmax"), self.settings)

        @partial(jit, donate_argnums=0)
        def run(train, rows, n, epoch, images, labels):
            def one(i, carried):
                train, seen = carried
                picked = rows[i]
                batch = drawn_batch(
                    self.settings, images[picked], labels[picked], picked, epoch, train.step
                )
                train, metrics = train_step(objective, self.optimizer, self.settings, train, *batch)
                squares = _squares(train.params)
                put = lambda a, value: a.at[i].set(value)
                return train, Steps(*map(put, seen, (*metrics, squares)))

            zeros = jnp.zeros(AT_ONCE)
            seen = Steps(zeros, jnp.zeros(AT_ONCE, jnp.int32), zeros)
            return jax.lax.fori_loop(0, n, one, (train, seen))

        count = jax.ShapeDtypeStruct((), jnp.int32)
        rows = jax.ShapeDtypeStruct((AT_ONCE, batch), jnp.int32)
        shapes = (self._train, rows, count, count, _shape(images), _shape(labels))
        return self._once(("steps", batch, images.shape), lambda: run.lower(*shapes))

    def forward(self, batch: int) -> Any:
        """forward(params, state, images (batch, H, W, C)) -> logits, at test time."""

        def run(params, state, images):
            return self.net.apply(params, state, self._input(images))[0]

        shapes = (*self._arrays, self._images(batch))
        return self._once(("forward", batch), lambda: jit(run).lower(*shapes))

    @property
    def look(self) -> Any:
        """look(params, state, image (1, H, W, C), label) -> Backward of that image's loss."""
        loss = make_loss("softmax")

        def run(params, state, image, label) -> Backward:
            f = lambda logits: loss(logits, label[None]).sum()
            return backward(self.net, params, state, self._input(image), f)

        shapes = (*self._arrays, self._images(1), jax.ShapeDtypeStruct((), jnp.int32))
        return self._once("look", lambda: jit(run).lower(*shapes))

    @property
    def averaged(self) -> Any:
        """averaged(params, state, images (SHOWN, H, W, C), draw) -> probabilities (SHOWN, classes):
        the mean over VIEWS of each image, changed as those that are trained on.
        """

        def run(params, state, images, draw):
            views = jnp.tile(images, (VIEWS, 1, 1, 1))
            rows, key = jnp.arange(len(views)), jax.random.fold_in(jax.random.key(0), draw)
            x = augmented(
                self.augmentation,
                views,
                key,
                0,
                rows,
                in_shape=self.in_shape,
                pixels=self.settings.pixels,
            )
            logits = self.net.apply(params, state, x)[0].reshape(VIEWS, SHOWN, -1)
            return jnp.exp(mean_of_views(logits))

        shapes = (*self._arrays, self._images(SHOWN), jax.ShapeDtypeStruct((), jnp.uint32))
        return self._once("averaged", lambda: jit(run).lower(*shapes))

    @property
    def answer(self) -> Any:
        """answer(params, state, image (1, H, W, C)) -> Answer."""

        def run(params, state, image):
            def best(x):
                logits = self.net.apply(params, state, x)[0][0]
                return logits.max(), logits

            gradient, logits = jax.grad(best, has_aux=True)(self._input(image))
            return Answer(jax.nn.softmax(logits), jnp.abs(gradient[0]).max(axis=-1))

        shapes = (*self._arrays, self._images(1))
        return self._once("answer", lambda: jit(run).lower(*shapes))

    @cached_property
    def _train(self) -> Any:
        return jax.tree.map(_shape, self.first())

    @property
    def _arrays(self) -> tuple[Any, Any]:
        return self._train.params, self._train.state

    def _images(self, count: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((count, *self.in_shape), jnp.uint8)

    def _input(self, images: jax.Array) -> jax.Array:
        return as_input(images, pixels=self.settings.pixels)

    def _once(self, key: Any, lowered: Any) -> Any:
        with self.lock:
            made = self.compiled.setdefault(key, _Once())
        with made.lock:  # another program may be asked for meanwhile
            if made.program is None:
                made.program = lowered().compile()
            return made.program


def _shape(a: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(np.shape(a), a.dtype)


def _squares(params: Any) -> jax.Array:
    """Half the sum of the squares of the kernels."""
    pulled = jax.tree.map(
        lambda a, is_kernel: jnp.square(a).sum() if is_kernel else jnp.zeros(()),
        params,
        kernels(params),
    )
    return sum(jax.tree.leaves(pulled), jnp.zeros(())) / 2
