"""A recipe: what a training on the device is, but for its images and its seed. Published ones are
files under recipes/.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import NamedTuple

import jax
import optax

from ..data import steps_per_epoch
from ..geometry import Shape
from ..layer import Layer, Params
from .loss import Loss


def one_phase(epoch: int) -> Hashable:
    """All epochs are alike."""
    return None


def as_drawn(params: Params, images: jax.Array) -> Params:
    """The parameters that `init` drew, as they are."""
    return params


class Recipe(NamedTuple):
    """The settings of a training on the device.

    `optimizer(recipe, steps, phase)` makes the optimizer of a training of so many steps, and
    `phase(epoch)` says which epochs, from 0, have one program in common; the optimizers of all
    phases have one structure of state. `start(params, images)` changes the parameters before the
    first step by what it sees of the training images, float32 and standardized: a sample spread
    over all.
    """

    net: Layer
    in_shape: Shape
    epochs: float
    batch_size: int
    dtype: str  # of images and activations; parameters are float32
    loss: Loss
    optimizer: Callable[[Recipe, int, Hashable], optax.GradientTransformation]
    pixels: int = 0  # shift of the training images, at most; half of them are mirrored
    phase: Callable[[int], Hashable] = one_phase
    start: Callable[[Params, jax.Array], Params] = as_drawn


class Segment(NamedTuple):
    """One epoch, or what there is of the last, as a program."""

    steps: int
    phase: Hashable


def segments(recipe: Recipe, count: int) -> list[Segment]:
    """The epochs over `count` images. Raises InputError when they do not fill one batch."""
    each = steps_per_epoch(count, recipe.batch_size)
    total = math.ceil(each * recipe.epochs)
    return [
        Segment(min(each, total - first), recipe.phase(i))
        for i, first in enumerate(range(0, total, each))
    ]
