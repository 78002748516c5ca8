"""A recipe: what a training on the device is, but for its images and its seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from ..data import steps_per_epoch
from ..geometry import Shape
from ..layer import Layer
from .schedule import triangle


class Recipe(NamedTuple):
    """What a training is, but for its images and its seed.

    The numbers are those of Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", as the
    usual rule takes them: its rate of 11.5 for 1,024 examples is 11.5 / (1 + 1/(1 - momentum)) =
    1.5 of a batch's mean, and its decay of 0.0153 is 0.0153 / 11.5 of that.
    """

    net: Layer  # its first layer, `whiten`, is a convolution whose kernel is not trained
    in_shape: Shape
    epochs: float = 9.9
    batch_size: int = 1024
    dtype: str = "bfloat16"  # of images and activations; parameters are float32
    rate: float = 1.5  # at its peak, for 1,024 images a step, and for others in proportion
    momentum: float = 0.85  # Nesterov's
    weight_decay: float = 0.0153 / 11.5  # of every trained parameter, added to its gradient
    norm_rate: float = 64.0  # how many times the gradients of batch norm's biases count
    smoothing: float = 0.2
    pixels: int = 2  # shift of the training images, at most
    bias_epochs: int = 3  # while `whiten` still trains its bias


class Call(NamedTuple):
    """One epoch, or what there is of the last, as a program."""

    steps: int
    frozen: bool  # whether nothing of `whiten` is trained


def calls(recipe: Recipe, count: int) -> list[Call]:
    """The epochs over `count` images. Raises InputError when they do not fill one batch."""
    each = steps_per_epoch(count, recipe.batch_size)
    total = math.ceil(each * recipe.epochs)
    return [
        Call(min(each, total - first), i >= recipe.bias_epochs)
        for i, first in enumerate(range(0, total, each))
    ]


def make_optimizer(recipe: Recipe, steps: int, frozen: bool) -> optax.GradientTransformation:
    """Nesterov's momentum under a triangle of a rate. What of `whiten` is not trained gets no
    update, and so needs no gradient.
    """
    rate = triangle(recipe.rate * recipe.batch_size / 1024, steps)
    fixed = lambda tree: _named(
        tree, lambda *path: path[0] == "whiten" and (frozen or path[-1] == "kernel")
    )
    still = optax.masked(optax.set_to_zero(), fixed)
    norms = lambda tree: _named(
        tree, lambda *path: path[-2].startswith("bn") and path[-1] == "bias"
    )
    return optax.chain(
        still,
        optax.masked(optax.scale(recipe.norm_rate), norms),
        optax.add_decayed_weights(recipe.weight_decay),
        optax.sgd(rate, recipe.momentum, nesterov=True),
        still,
    )


def _named(tree: Any, chosen: Callable[..., bool]) -> Any:
    """chosen(*path) for every leaf, in its place."""
    return jax.tree_util.tree_map_with_path(lambda path, _: chosen(*(k.key for k in path)), tree)
