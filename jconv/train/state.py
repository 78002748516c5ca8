"""What training carries from step to step."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ..geometry import Shape
from ..layer import Layer, Params, State
from ..seeds import random_key


class TrainState(NamedTuple):
    params: Params
    state: State  # the net's: batch norm's running statistics
    opt_state: optax.OptState
    step: jax.Array  # () int32, the steps taken


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
