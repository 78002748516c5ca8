"""What XLA itself says one training step takes on a TPU: libtpu compiles it ahead of time, on a
machine that need not have one.

Measured with libtpu 0.0.52 on jax 0.10.2, momentum, float32, `jconv summary MODEL --memory --batch
N` (MiB):

                        predicted    XLA, one v5e   compiling, two shared cores
    lenet5, 64 images         1.9             2.2           24 s
    resnet18, 32          1,343.6         1,737.2          150 s
    vgg16, 1              1,632.6         1,178.0           67 s
    vgg16, 32             3,157.5         4,780.5           55 s

XLA is below where it updates each array as soon as its gradient is there (VGG-16 with one image),
and above where it pads 64 channels to the 128 of a TPU's lanes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..geometry import Shape
from ..layer import Layer
from ..optimizer import make_optimizer
from ..tuning.ahead import TOPOLOGY, CompilationFailed, Compiled, compile_ahead, on
from .loss import softmax_cross_entropy_with_integer_labels
from .step import TrainState, make_train_step


class StepProgram(NamedTuple):
    """A training step to compile for one chip."""

    net: Layer
    in_shape: Shape
    batch: int
    optimizer: str = "momentum"
    dtype: str = "float32"

    def lowered(self, chip: Any) -> Any:
        """From shapes alone. Raises CompilationFailed for a net that does not end in one row of
        scores.
        """
        out = self.net.out_shape(self.in_shape)
        if len(out) != 1:
            raise CompilationFailed(
                f"there is no training step for a net that ends in {out}; one row of scores was "
                "expected"
            )
        optimizer = make_optimizer(self.optimizer, 0.1)

        def start() -> TrainState:
            params, state = self.net.init(jax.random.key(0), self.in_shape)
            return TrainState(params, state, optimizer.init(params), jnp.zeros((), jnp.int32))

        images = jax.ShapeDtypeStruct((self.batch, *self.in_shape), jnp.dtype(self.dtype))
        labels = jax.ShapeDtypeStruct((self.batch,), jnp.int32)
        return make_train_step(
            self.net, softmax_cross_entropy_with_integer_labels, optimizer
        ).lower(*on(chip, (jax.eval_shape(start), images, labels)))


def compiled_memory(
    net: Layer,
    in_shape: Shape,
    batch: int,
    *,
    optimizer: str = "momentum",
    dtype: str = "float32",
    topology: str = TOPOLOGY,
    timeout: float = 300.0,
) -> Compiled:
    """XLA's own account of `make_train_step`'s program for one chip of `topology`, a name that jax
    knows, such as "v4:2x2x1".

    The other arguments are those of `budget`, whose prediction this stands beside. It takes from
    half a minute to many; `timeout` is in seconds. Raises as `compile_ahead`, and the
    CompilationFailed that comes in place of an account too.
    """
    (found,) = compile_ahead(
        [StepProgram(net, in_shape, batch, optimizer, dtype)], topology, timeout
    )
    if isinstance(found, CompilationFailed):
        raise found
    return found
