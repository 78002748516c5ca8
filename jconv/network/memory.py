"""Memory: what a forward pass holds at its peak, what training keeps for the backward pass, and which batch fits.

Sizes are bytes; 1 MiB is 2^20 of them, 1 GiB 2^30. All by integer arithmetic. Source: facts S84, S94-S104.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from ..errors import InputError, unknown
from ..geometry import Shape, volume
from ..layer import Layer, walk
from .trace import operations

CACHES = {"sgd": 0, "momentum": 1, "nesterov": 1, "adagrad": 1, "rmsprop": 1, "adam": 2, "adamw": 2}  # arrays like the parameters
MIB, GIB = 2**20, 2**30


class Budget(NamedTuple):
    """What training a batch takes, in bytes."""

    parameters: int
    gradients: int
    optimizer: int
    statistics: int  # batch norm's running mean and variance
    images: int
    saved: int  # what the layers keep for the backward pass

    @property
    def fixed(self) -> int:
        """What does not grow with the batch."""
        return self.parameters + self.gradients + self.optimizer + self.statistics

    @property
    def total(self) -> int:
        return self.fixed + self.images + self.saved


def budget(net: Layer, in_shape: Shape, batch: int, *, optimizer: str = "momentum", dtype: str = "float32") -> Budget:
    """The memory of a training step: parameters, their gradients and the optimizer's cache (float32), the images, and what the
    layers save between the forward and the backward pass, in the dtype the images have.

    It leaves out what the compiler needs for a moment: a layer's gradient, a convolution's workspace.
    Raises InputError for an unknown optimizer, ShapeError.
    """
    if optimizer not in CACHES:
        raise InputError(unknown("optimizer", optimizer, tuple(CACHES)))
    visits = list(walk(net, in_shape))
    trained = 4 * sum(p.size for v in visits for p in v.layer.parameters(v.in_shape).values())
    kept = 4 * sum(p.size for v in visits for p in v.layer.statistics(v.in_shape).values())
    item = jnp.dtype(dtype).itemsize
    saved = batch * saved_bytes(net, in_shape, item)
    return Budget(trained, trained, CACHES[optimizer] * trained, kept, batch * volume(in_shape) * item, saved)


def largest_batch(net: Layer, in_shape: Shape, size: int, *, optimizer: str = "momentum", dtype: str = "float32") -> int:
    """The largest batch whose `budget` fits in `size` bytes. Raises InputError when not even one image does, saying what there is."""
    one = budget(net, in_shape, 1, optimizer=optimizer, dtype=dtype)
    batch = (size - one.fixed) // (one.images + one.saved)
    if batch < 1:
        raise InputError(
            f"{size / MIB:,.1f} MiB hold no training: parameters, gradients and {optimizer}'s cache take {one.fixed / MIB:,.1f} MiB "
            f"and every image {(one.images + one.saved) / MIB:,.1f} MiB; use at least {one.total / MIB:,.1f} MiB"
        )
    return batch


def saved_bytes(net: Layer, in_shape: Shape, item: int = 4) -> int:
    """What one example's forward pass keeps for the backward pass, beside its own image; `item` bytes a value.

    Every layer says what it keeps (`Layer.saves`); an input that several layers keep is kept once.
    """
    inputs: dict[int, Shape] = {}
    extra = 0
    for operation in operations(net, in_shape):
        x = operation.inputs[0]
        saved = operation.layer.saves(x.shape)
        if saved.input and x.number:
            inputs[x.number] = x.shape
        extra += saved.values * item + saved.wide * max(item, 4) + saved.bytes
    return extra + item * sum(map(volume, inputs.values()))


def streaming_peak(net: Layer, in_shape: Shape) -> int:
    """Values alive at once at test time, at their most: every array lives from the layer that makes it to the last that reads it.

    For a chain of layers it is the largest input and output together (fact S104); layers in place, and sums, need no output of
    their own.
    """
    done = operations(net, in_shape, train=False)
    last_read = {value.number: i for i, operation in enumerate(done) for value in operation.inputs}
    buffer, size = {0: 0}, {0: volume(in_shape)}
    alive, peak = {0}, volume(in_shape)
    for i, operation in enumerate(done):
        x, y = operation.inputs[0].number, operation.output.number
        if operation.layer.in_place and last_read[x] == i:
            buffer[y] = buffer[x]
        else:
            buffer[y], size[y] = y, volume(operation.output.shape)
        alive.add(y)
        peak = max(peak, sum(size[b] for b in {buffer[value] for value in alive}))
        alive = {value for value in alive if last_read.get(value, -1) > i or value == done[-1].output.number}
    return peak
