"""What is measured: a net, a batch and what is done with them; and the numbers every contestant
starts from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import jax
import numpy as np

from jconv.edit import thin
from jconv.geometry import Shape, volume
from jconv.layer import Layer, Params, State

What = Literal["forward", "gradient", "train", "per-example", "input gradient", "kernel gradient"]
WHATS = get_args(What)
ONE_GRADIENT = ("input gradient", "kernel gradient")
RATE, MOMENTUM = 0.01, 0.9  # of the SGD every contestant trains with


@dataclass(frozen=True)
class Case:
    """A net on a batch of images. A net of one layer is how an operation is measured.

    forward: the scores, in training mode. gradient: of sum(scores^2) in the parameters, with
    `images` in the input too.
    train: a whole step of SGD with momentum on the softmax cross entropy, data in, update out;
    buffers donated. per-example: the gradient of the cross entropy in the parameters, one for each
    example. input gradient, kernel gradient: one alone, of what is given for the output's; the
    forward pass is not computed.
    """

    name: str
    net: Layer
    in_shape: Shape
    batch: int
    images: bool = False  # whether "gradient" includes the input's: of an operation
    dtype: str = "float32"  # of images and activations; parameters are float32

    @property
    def classes(self) -> int:
        return self.net.out_shape(self.in_shape)[-1]

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(volume(a.shape) for a in jax.tree.leaves(shapes(self)[0]))


@dataclass(frozen=True)
class Given:
    """The numbers a case starts from, the same for every contestant: NumPy arrays, jconv's
    layout.
    """

    params: Params
    state: State
    images: np.ndarray  # (N, *in_shape) float32
    labels: np.ndarray  # (N,) int32


def shapes(case: Case) -> tuple[Params, State]:
    """The shapes of params and state."""
    return jax.eval_shape(lambda key: case.net.init(key, case.in_shape), jax.random.key(0))


def draw(case: Case, seed: int = 0) -> Given:
    """Kernels that keep the variance, scales near 1, biases near 0, normal images, labels of every
    class.
    """
    rng = np.random.default_rng(seed)
    normal = lambda shape: rng.standard_normal(shape, np.float32)
    spread = {
        "kernel": lambda shape: (
            normal(shape) * np.float32(np.sqrt(2 / volume(shape[-(len(case.in_shape) + 1) : -1])))
        ),
        "scale": lambda shape: 1 + 0.1 * normal(shape),
        "bias": lambda shape: 0.1 * normal(shape),
        "mean": lambda shape: np.zeros(shape, np.float32),
        "var": lambda shape: np.ones(shape, np.float32),
    }
    fill = lambda path, a: spread[path[-1].key](a.shape)
    params, state = (jax.tree_util.tree_map_with_path(fill, tree) for tree in shapes(case))
    images = normal((case.batch, *case.in_shape))
    return Given(params, state, images, rng.integers(case.classes, size=case.batch, dtype=np.int32))


def toy(case: Case) -> Case:
    """The same in small, to see that everything works: two images, and a net (not an operation)
    with an eighth of its channels.
    """
    return replace(case, batch=2, net=case.net if case.images else thin(case.net, 1 / 8))
