"""Batches, as pure functions of (seed, epoch, index): a run that was killed and resumed sees what
it would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import InputError
from .augment import shift
from .dataset import Split


def batch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of `count` examples in one epoch: (count,) ints. Fixed for one version of NumPy."""
    return np.random.default_rng((seed, epoch)).permutation(count)


def steps_per_epoch(count: int, batch_size: int) -> int:
    """How many whole batches there are. Raises InputError when there is none."""
    if count < batch_size:
        raise InputError(
            f"the batch size is {batch_size} but there are {count} training examples; use a batch "
            f"size of at most {count}"
        )
    return count // batch_size


def train_batches(
    split: Split, batch_size: int, seed: int, epoch: int, shift_pixels: int = 0
) -> Iterator[Split]:
    """One epoch of shuffled batches, all of one shape, each image shifted by up to `shift_pixels`
    (see `shift`).

    What does not fill a last batch is left out; the next epoch's order leaves out others. (Filling
    up with repeated examples would count those twice, and a smaller last batch would compile a
    second program and weigh its examples more.)
    """
    order = batch_order(seed, epoch, len(split.labels))
    for index in range(steps_per_epoch(len(order), batch_size)):
        rows = order[index * batch_size : (index + 1) * batch_size]
        images = split.images[rows]
        # index + 1, since NumPy takes (seed, epoch, 0) for (seed, epoch), the order's own generator
        if shift_pixels:
            images = shift(images, shift_pixels, np.random.default_rng((seed, epoch, index + 1)))
        yield Split(images, split.labels[rows])


def padded_batches(images: np.ndarray, batch_size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Every image once and in order, as (batch, how many of its rows count): the last one is filled
    with zeros to the same shape.
    """
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        padding = np.zeros((batch_size - len(batch), *images.shape[1:]), images.dtype)
        yield (np.concatenate([batch, padding]) if len(padding) else batch), len(batch)
