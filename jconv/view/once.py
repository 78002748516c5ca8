"""Programs that run once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import jax

from ..analysis import activations
from ..compilation import known_options
from ..layer import Layer, Params, State

FAST = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}


def once(f: Callable, *arrays: Any) -> Any:
    """f(*arrays) as one program, compiled fast instead of well where that can be chosen: for
    LeNet-5's gradient on a CPU in 1.5 s instead of 3.5 s, and layer by layer it would be 17 s.
    """
    options = known_options(FAST) if jax.default_backend() == "cpu" else {}
    return jax.jit(f, compiler_options=options)(*arrays)


def outputs(net: Layer, params: Params, state: State, x: jax.Array) -> dict[str, jax.Array]:
    """What every layer gives for a batch, by path and in execution order (which jit would not keep
    of a plain dict).
    """
    return once(lambda *arrays: OrderedDict(activations(net, *arrays)), params, state, x)
