"""What training carries from step to step, one jitted step, and the jitted forward pass."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import optax

from ..compilation import Jitted, jit
from ..compose import split_taps
from ..geometry import Shape
from ..layer import Layer, Params, State
from ..seeds import random_key
from .loss import Loss


class TrainState(NamedTuple):
    params: Params
    state: State  # the net's: batch norm's running statistics
    opt_state: optax.OptState
    step: jax.Array  # () int32, the steps taken


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


def initial_state(
    net: Layer, in_shape: Shape, optimizer: optax.GradientTransformation, seed: int
) -> TrainState:
    """The state before the first step, a pure function of the net and the seed."""
    params, state = _draw(net, in_shape, random_key(seed))
    return TrainState(params, state, optimizer.init(params), jnp.zeros((), jnp.int32))


def _draw(net: Layer, in_shape: Shape, key: jax.Array) -> tuple[Params, State]:
    """net.init as one program, compiled fast instead of well: it runs once, and compiling it well
    takes 7 s for LeNet-5, fast 1 s.
    """
    init = lambda key: net.init(key, in_shape)
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
