"""94 % on CIFAR-10 in seconds: the recipe of Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a
Single GPU".

    jconv reproduce cifar94 --data-dir FOLDER

The paper reaches 94.0 % of the test images in a mean of 9.9 epochs.

Its numbers are here as the usual rule takes them: its rate of 11.5 for 1,024 examples is 11.5 / (1
+ 1/(1 - momentum)) = 1.5 of a batch's mean, and its decay of 0.0153 is 0.0153 / 11.5 of that. The
first layer, `whiten`, is a convolution whose kernel is computed of the training images and not
trained; its bias trains for three epochs. The gradients of batch norm's biases count 64 times.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

import jax
import optax

from ...data import whitening_kernel
from ...geometry import Shape
from ...layer import Layer, Params
from ..loss import smoothed_softmax_cross_entropy
from ..recipe import Recipe
from ..schedule import triangle

MODEL = "cifar94"
RATE = 1.5  # at its peak, for 1,024 images a step, and for others in proportion
MOMENTUM = 0.85  # Nesterov's
WEIGHT_DECAY = 0.0153 / 11.5  # of every trained parameter, added to its gradient
NORM_RATE = 64.0  # how many times the gradients of batch norm's biases count
BIAS_EPOCHS = 3  # while `whiten` still trains its bias


def recipe(
    net: Layer, in_shape: Shape, *, rate: float = RATE, bias_epochs: int = BIAS_EPOCHS
) -> Recipe:
    """The training of a net whose first layer is called `whiten` and whose norms' names begin with
    "bn", as those of the zoo's cifar94.
    """
    return Recipe(
        net,
        in_shape,
        epochs=9.9,
        batch_size=1024,
        dtype="bfloat16",
        loss=smoothed_softmax_cross_entropy(0.2),
        optimizer=partial(optimizer, rate=rate),
        pixels=2,
        phase=lambda epoch: "frozen" if epoch >= bias_epochs else "bias",
        start=whitened,
    )


def optimizer(
    recipe: Recipe, steps: int, phase: Hashable, rate: float = RATE
) -> optax.GradientTransformation:
    """Nesterov's momentum under a triangle of a rate. What of `whiten` is not trained gets no
    update, and so needs no gradient.
    """
    fixed = lambda tree: _named(
        tree, lambda *path: path[0] == "whiten" and (phase == "frozen" or path[-1] == "kernel")
    )
    still = optax.masked(optax.set_to_zero(), fixed)
    norms = lambda tree: _named(
        tree, lambda *path: path[-2].startswith("bn") and path[-1] == "bias"
    )
    return optax.chain(
        still,
        optax.masked(optax.scale(NORM_RATE), norms),
        optax.add_decayed_weights(WEIGHT_DECAY),
        optax.sgd(triangle(rate * recipe.batch_size / 1024, steps), MOMENTUM, nesterov=True),
        still,
    )


def whitened(params: Params, images: jax.Array) -> Params:
    """The first layer's kernel, of what the images' patches have in common."""
    return {**params, "whiten": {**params["whiten"], "kernel": whitening_kernel(images)}}


def _named(tree: Any, chosen: Callable[..., bool]) -> Any:
    """chosen(*path) for every leaf, in its place."""
    return jax.tree_util.tree_map_with_path(lambda path, _: chosen(*(k.key for k in path)), tree)
