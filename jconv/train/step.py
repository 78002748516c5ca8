"""What training carries from step to step, one jitted step, and the jitted forward pass."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Literal, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..compilation import Jitted, jit
from ..compose import split_taps
from ..data.augmentation import Augmentation, augmented, centred, mixed
from ..data.pixels import UNIT, PixelScale, scaled
from ..data.views import VIEWS
from ..edit import convolutionalize
from ..errors import InputError
from ..geometry import Shape
from ..layer import Layer, Params, State, child_key
from ..seeds import random_key
from .average import averaged
from .loss import Loss, weighted_mean, with_auxiliary

Views = Literal[
    "centre", "mirrored", "ten-crop", "dense"
]  # those of data/views.py, and every position


class TrainState(NamedTuple):
    params: Params
    state: State  # the net's: batch norm's running statistics
    opt_state: optax.OptState
    step: jax.Array  # () int32, the steps taken
    average: Any = ()  # of (params, state) over the last steps, where there is one

    def begun_with(self, params: Params, state: State) -> TrainState:
        """The same with other first parameters, the average too."""
        average = jax.tree.map(jnp.copy, (params, state)) if self.average else ()
        return self._replace(params=params, state=state, average=average)


class Metrics(NamedTuple):
    """Of one batch, before the step changed the parameters."""

    loss: jax.Array  # () float32, the mean over the batch
    correct: jax.Array  # () int32, examples whose own class scores highest


class StepSettings(NamedTuple):
    """What a step does beside the net, the loss and the optimizer."""

    seed: int = 0
    dtype: str | None = None  # of images and activations
    pixels: PixelScale = UNIT
    augmentation: Augmentation | None = None
    in_shape: Shape | None = None  # of an image after augmentation; None: as it comes
    auxiliary: float = 0.0  # the share of the loss of each auxiliary head
    class_weights: tuple[float, ...] | None = None
    ema: float = 0.0  # what a step keeps of the average of the parameters; 0: there is none


def make_train_step(
    net: Layer,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    seed: int = 0,
    *,
    dtype: str | None = None,
    deterministic: bool = False,
) -> Jitted:
    """step(train_state, images, labels) -> (train_state, Metrics), jitted.

    Shapes: images (N, *in_shape), uint8 (divided by 255) or float32 (as it is), cast to `dtype`
    where one is given; labels (N,) integers. The state given is donated: its buffers become the new
    state's, so do not use it again. What a layer draws follows from (seed, step) alone;
    `deterministic` is `jconv.jit`'s. Labels out of range would train on garbage without a word: see
    `check_examples`.
    """
    settings = StepSettings(seed, dtype)

    @partial(jit, donate_argnums=0, deterministic=deterministic)
    def step(
        before: TrainState, images: jax.Array, labels: jax.Array
    ) -> tuple[TrainState, Metrics]:
        x = as_input(images, dtype)
        objective = make_objective(net, loss, settings)
        return train_step(objective, optimizer, settings, before, x, labels)

    return step


Objective = Callable[..., tuple[jax.Array, tuple[jax.Array, State]]]


def make_objective(net: Layer, loss: Loss, settings: StepSettings) -> Objective:
    """objective(params, state, x, labels, other, weight, key) -> (loss, (logits, new state)): what
    a step takes the gradient of.

    `x` (N, *in_shape) as the net takes it; `labels` and `other` (N,) are the classes of what was
    mixed into each example, by `weight` (N,) and 1 - weight.
    """

    def objective(params, state, x, labels, other, weight, key):
        logits, state = net.apply(params, state, x, train=True, key=key)
        # what taps recorded is not carried to the next step
        state, taps = split_taps(net, state)
        full = loss if not settings.auxiliary else with_auxiliary(loss, taps, settings.auxiliary)
        losses = full(logits, labels)
        if other is not None:
            losses = weight * losses + (1 - weight) * full(logits, other)
        if settings.class_weights is None:
            return losses.mean(), (logits, state)
        each = jnp.asarray(settings.class_weights, jnp.float32)
        by_class = each[labels]
        if other is not None:
            by_class = weight * by_class + (1 - weight) * each[other]
        return weighted_mean(losses, by_class), (logits, state)

    return objective


def train_step(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    settings: StepSettings,
    before: TrainState,
    x: jax.Array,
    labels: jax.Array,
    other: jax.Array | None = None,
    weight: jax.Array | None = None,
) -> tuple[TrainState, Metrics]:
    """One step on a batch that is as the net takes it."""
    key = jax.random.fold_in(random_key(settings.seed), before.step)
    (value, (logits, state)), gradient = jax.value_and_grad(objective, has_aux=True)(
        before.params, before.state, x, labels, other, weight, key
    )
    # optax mixes its int32 step count with floats, which "strict" refuses
    with jax.numpy_dtype_promotion("standard"):
        updates, opt_state = optimizer.update(gradient, before.opt_state, before.params)
        params = cast(Params, optax.apply_updates(before.params, updates))
    average = before.average
    if settings.ema:
        average = averaged(average, (params, state), before.step, settings.ema)
    correct = (logits.argmax(axis=1) == labels).sum(dtype=jnp.int32)
    after = TrainState(params, state, opt_state, before.step + 1, average)
    return after, Metrics(value, correct)


def drawn_batch(
    settings: StepSettings,
    images: jax.Array,
    labels: jax.Array,
    rows: jax.Array,
    epoch: jax.Array,
    step: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array | None, jax.Array | None]:
    """A batch as the net takes it, augmented: (x, labels, other labels, weights), the last two None
    where nothing is mixed.

    What is drawn for an image follows from (seed, epoch, row), what is mixed from (seed, step).
    """
    chosen = settings.augmentation
    if chosen is None:
        return as_input(images, settings.dtype, settings.pixels), labels, None, None
    key = child_key(random_key(settings.seed), "augmentation")
    in_shape = settings.in_shape or images.shape[1:]
    x = augmented(chosen, images, key, epoch, rows, in_shape=in_shape, pixels=settings.pixels)
    other = weight = None
    if chosen.mixup or chosen.cutmix:
        x, other, weight = mixed(chosen, x, labels, key, step)
    return (x.astype(settings.dtype) if settings.dtype else x), labels, other, weight


def make_predict(
    net: Layer,
    *,
    dtype: str | None = None,
    deterministic: bool = False,
    pixels: PixelScale = UNIT,
    in_shape: Shape | None = None,
    views: Views = "centre",
) -> Jitted:
    """predict(params, state, images) -> logits (N, classes), jitted, in test mode. Images as in
    `make_train_step`, scaled by `pixels`; of larger ones than `in_shape` the middle.

    With other `views` than the centre the softmax of the logits is averaged over an image's views
    (data/views.py), or with "dense" over all positions of the net made convolutional, and what is
    returned is its logarithm. Raises InputError where there is no `in_shape` to cut views to.
    """
    if views != "centre" and in_shape is None:
        raise InputError(f"views={views!r}: in_shape, the size of a view, was expected")

    @partial(jit, deterministic=deterministic)
    def predict(params, state, images):
        if views == "dense" and in_shape is not None:
            wide, params = convolutionalize(net, params, in_shape)
            scores = wide.apply(params, state, as_input(images, dtype, pixels))[0]
            return mean_of_views(scores.reshape(len(scores), -1, scores.shape[-1]).swapaxes(0, 1))
        if in_shape is None or views == "centre":
            x = images if in_shape is None else centred(images, in_shape)
            return net.apply(params, state, as_input(x, dtype, pixels))[0]
        cut = as_input(VIEWS[views](images, in_shape), dtype, pixels)
        logits = net.apply(params, state, cut.reshape(-1, *in_shape))[0]
        return mean_of_views(logits.reshape(*cut.shape[:2], -1))

    return predict


def mean_of_views(logits: jax.Array) -> jax.Array:
    """log(mean over views of softmax(logits)). (views, N, classes) -> (N, classes) float32"""
    found = jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1)
    return jax.nn.logsumexp(found, axis=0) - np.log(len(logits)).astype(np.float32)


def as_input(images: jax.Array, dtype: str | None = None, pixels: PixelScale = UNIT) -> jax.Array:
    """What a net takes: uint8 values become (value/255 - mean)/std in float32, anything else stays;
    then a cast, where a dtype is given.
    """
    x = scaled(images, pixels) if images.dtype == jnp.uint8 else images
    return x.astype(dtype) if dtype else x


def initial_state(
    net: Layer, in_shape: Shape, optimizer: optax.GradientTransformation, seed: int
) -> TrainState:
    """The state before the first step, a pure function of the net and the seed."""
    params, state = draw(net, in_shape, seed)
    return TrainState(params, state, optimizer.init(params), jnp.zeros((), jnp.int32))


def draw(net: Layer, in_shape: Shape, seed: int) -> tuple[Params, State]:
    """net.init as one program, compiled fast instead of well: it runs once, and compiling it well
    takes 7 s for LeNet-5, fast 1 s.
    """
    init, key = lambda key: net.init(key, in_shape), random_key(seed)
    if jax.default_backend() == "cpu":
        with suppress(jax.errors.JaxRuntimeError):  # an XLA that does not know these options
            return jax.jit(
                init,
                compiler_options={
                    "xla_backend_optimization_level": 0,
                    "xla_cpu_use_fusion_emitters": False,
                },
            )(key)
    return jax.jit(init)(key)
