"""Which images are in which step: a pure function of (seed, step), so that a run goes on from any
step as it would have, whoever reads the images.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..errors import InputError


@lru_cache(maxsize=2)
def batch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of `count` examples in one epoch: (count,) ints. Fixed for one version of NumPy."""
    order = np.random.default_rng((seed, epoch)).permutation(count)
    order.setflags(write=False)  # everyone gets the same one
    return order


def steps_per_epoch(count: int, batch_size: int) -> int:
    """How many whole batches there are. Raises InputError when there is none."""
    if count < batch_size:
        raise InputError(
            f"the batch size is {batch_size} but there are {count} training examples; use a batch "
            f"size of at most {count}"
        )
    return count // batch_size


class Order(NamedTuple):
    """Shuffled whole batches, anew in every epoch.

    What does not fill a last batch is left out; the next epoch's order leaves out others. (Filling
    up with repeated examples would count those twice, and a smaller last batch would compile a
    second program and weigh its examples more.)
    """

    seed: int
    examples: int
    batch_size: int

    @property
    def steps(self) -> int:
        """In an epoch. Raises InputError when there is none."""
        return steps_per_epoch(self.examples, self.batch_size)

    def rows(self, step: int) -> np.ndarray:
        """The examples of a step, counted from 0 over all epochs: (batch_size,) int32."""
        epoch, place = divmod(step, self.steps)
        first = place * self.batch_size
        return batch_order(self.seed, epoch, self.examples)[first : first + self.batch_size].astype(
            np.int32
        )

    def row(self, place: int) -> tuple[int, int]:
        """The epoch and the example of a place, counted from 0 over the batches of all epochs."""
        epoch, inside = divmod(place, self.steps * self.batch_size)
        return epoch, int(batch_order(self.seed, epoch, self.examples)[inside])
