"""One jitted step of training, and the jitted forward pass."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import optax

from ..compilation import Jitted, jit
from ..compose import split_taps
from ..layer import Layer, Params
from ..seeds import random_key
from .loss import Loss
from .state import TrainState


class Metrics(NamedTuple):
    """Of one batch, before the step changed the parameters."""

    loss: jax.Array  # () float32, the mean over the batch
    correct: jax.Array  # () int32, examples whose own class scores highest


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

    @partial(jit, donate_argnums=0, deterministic=deterministic)
    def step(
        before: TrainState, images: jax.Array, labels: jax.Array
    ) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(random_key(seed), before.step)

        def objective(params):
            logits, state = net.apply(
                params, before.state, as_input(images, dtype), train=True, key=key
            )
            state, _ = split_taps(net, state)  # what taps recorded is not carried to the next step
            return loss(logits, labels).mean(), (logits, state)

        (value, (logits, state)), gradient = jax.value_and_grad(objective, has_aux=True)(
            before.params
        )
        # optax mixes its int32 step count with floats, which "strict" refuses
        with jax.numpy_dtype_promotion("standard"):
            updates, opt_state = optimizer.update(gradient, before.opt_state, before.params)
            params = cast(Params, optax.apply_updates(before.params, updates))
        correct = (logits.argmax(axis=1) == labels).sum(dtype=jnp.int32)
        return TrainState(params, state, opt_state, before.step + 1), Metrics(value, correct)

    return step


def make_predict(net: Layer, *, dtype: str | None = None, deterministic: bool = False) -> Jitted:
    """predict(params, state, images) -> logits (N, classes), jitted, in test mode. Images as in
    `make_train_step`.
    """

    @partial(jit, deterministic=deterministic)
    def predict(params, state, images):
        return net.apply(params, state, as_input(images, dtype))[0]

    return predict


def as_input(images: jax.Array, dtype: str | None = None) -> jax.Array:
    """What a net takes: uint8 pixels become float32 in [0, 1], anything else stays; then a cast,
    where a dtype is given.
    """
    x = images.astype(jnp.float32) / 255 if images.dtype == jnp.uint8 else images
    return x.astype(dtype) if dtype else x
