"""Memory: what a forward pass holds at its peak, what training keeps for the backward pass, and
which batch fits.

Sizes are bytes; 1 MiB is 2^20 of them, 1 GiB 2^30. By integer arithmetic for what layers declare,
and from the trace of those that do not (measure.py); where that cannot be, sizes are None, which
tables write "unknown". Source: CS231n notes, Computational Considerations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import jax.numpy as jnp

from ..compose import walk
from ..errors import InputError
from ..geometry import Shape, volume
from ..html import piece, table
from ..layer import Layer
from ..optimizer import arrays_kept
from ..settings import check_counts
from .example import example_shape
from .measure import Kept, dtype_of, kept_by, kept_by_join, parameters_of
from .text import aligned
from .trace import Operation, operations

MIB, GIB = 2**20, 2**30


class Budget(NamedTuple):
    """What training a batch takes, in bytes."""

    parameters: int
    gradients: int
    optimizer: int
    statistics: int  # batch norm's running mean and variance
    images: int
    # what the layers keep for the backward pass; None where a layer's gradient cannot be traced
    saved: int | None

    @property
    def fixed(self) -> int:
        """What does not grow with the batch."""
        return self.parameters + self.gradients + self.optimizer + self.statistics

    @property
    def total(self) -> int | None:
        return None if self.saved is None else self.fixed + self.images + self.saved

    def cells(self) -> list[tuple[str, str]]:
        """The sizes in MiB as text: the head, a line each, the total."""
        sizes = {
            "parameters": self.parameters,
            "their gradients": self.gradients,
            "the optimizer's cache": self.optimizer,
            "running statistics": self.statistics,
            "the images": self.images,
            "saved for the gradient": self.saved,
            "total": self.total,
        }
        mib = lambda size: "unknown" if size is None else f"{size / MIB:,.2f}"
        return [("a training step", "MiB"), *((what, mib(size)) for what, size in sizes.items())]

    def __str__(self) -> str:
        head, *body, total = self.cells()
        return aligned(head, body, total, right={1})

    __repr__ = __str__  # what a terminal shows of a last line

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        head, *body, total = self.cells()
        return piece(table(head, body, total, caption="Memory that training takes", right={1}))


def budget(
    net: Layer, in_shape: Shape, batch: int, *, optimizer: str = "momentum", dtype: str = "float32"
) -> Budget:
    """The memory of a training step: parameters, their gradients and the optimizer's cache
    (float32), the images, and what the layers save between the forward and the backward pass, in
    the dtype the images have.

    It leaves out what the compiler needs for a moment: a layer's gradient, a convolution's
    workspace. Raises InputError for an unknown optimizer, ShapeError.
    """
    check_counts(batch=batch)
    in_shape = example_shape(net, in_shape)
    each = [
        (v.copies, *parameters_of(v.layer, v.in_shape)) for v in walk(net, in_shape) if v.turn == 1
    ]
    trained, statistics = (
        4 * sum(n * size for n, size, _ in each),
        4 * sum(n * size for n, _, size in each),
    )
    kept = saved(net, in_shape, dtype)
    images = batch * volume(in_shape) * jnp.dtype(dtype).itemsize
    return Budget(
        trained,
        trained,
        arrays_kept(optimizer) * trained,
        statistics,
        images,
        kept and batch * kept.each + kept.fixed,
    )


def largest_batch(
    net: Layer, in_shape: Shape, size: int, *, optimizer: str = "momentum", dtype: str = "float32"
) -> int:
    """The largest batch whose `budget` fits in `size` bytes. Raises InputError when not even one
    image does, saying what there is.
    """
    one, two = (budget(net, in_shape, batch, optimizer=optimizer, dtype=dtype) for batch in (1, 2))
    if one.total is None or two.total is None:
        raise InputError(
            f"what training keeps is unknown: the gradient of {unmeasured(net, in_shape, dtype)} "
            "cannot be traced"
        )
    image = two.total - one.total
    batch = (size - one.total + image) // image
    if batch < 1:
        fixed = one.total - image
        raise InputError(
            f"{size / MIB:,.1f} MiB hold no training: parameters, gradients and {optimizer}'s "
            f"cache take {fixed / MIB:,.1f} MiB "
            f"and every image {image / MIB:,.1f} MiB; use at least {one.total / MIB:,.1f} MiB"
        )
    return batch


def saved_bytes(net: Layer, in_shape: Shape, dtype: str = "float32") -> int | None:
    """What one example's forward pass keeps for the backward pass, beside its own image: bytes, of
    images in `dtype`.

    Every layer says what it keeps (`Layer.saves`), or else it is measured; an array that several
    layers keep is kept once. None where the gradient of a layer cannot be traced.
    """
    kept = saved(net, example_shape(net, in_shape), dtype)
    return kept and kept.each


def saved(net: Layer, in_shape: Shape, dtype: str = "float32") -> Kept | None:
    """The same, with what is kept once, however many examples there are."""
    shared: dict[int, int] = {}  # bytes of the arrays between layers, each kept once
    each = fixed = 0
    for operation, kept, size in _kept(net, in_shape, dtype):
        if kept is None:
            return None
        given = (operation.loop.input,) if operation.loop else operation.inputs
        shared |= {
            x.number: size[x.number]
            for x, is_kept in zip(given, kept.inputs, strict=True)
            if is_kept and x.number
        }
        shared |= {operation.output.number: size[operation.output.number]} if kept.output else {}
        each, fixed = each + kept.each, fixed + kept.fixed
    return Kept((), False, each + sum(shared.values()), fixed)


def unmeasured(net: Layer, in_shape: Shape, dtype: str = "float32") -> str:
    """Where the first layer is whose saved arrays are unknown."""
    first = next(operation for operation, kept, _ in _kept(net, in_shape, dtype) if kept is None)
    return (first.loop.path if first.loop else first.path) or "the net"


def _kept(
    net: Layer, in_shape: Shape, dtype: str
) -> Iterator[tuple[Operation, Kept | None, dict[int, int]]]:
    """Every operation with what it keeps, and the bytes of the arrays so far; a loop once, as a
    whole.
    """
    loops, dtypes = set(), {0: jnp.dtype(dtype).name}
    size = {0: volume(in_shape) * jnp.dtype(dtype).itemsize}
    for operation in operations(net, in_shape):
        shapes, came = tuple(x.shape for x in operation.inputs), dtypes[operation.inputs[0].number]
        if operation.is_layer:
            kept, made = (
                kept_by(operation.layer, shapes[0], came),
                dtype_of(operation.layer, shapes[0], came),
            )
        else:
            kept, made = kept_by_join(operation.layer, shapes, came), came
        dtypes[operation.output.number] = made
        size[operation.output.number] = volume(operation.output.shape) * jnp.dtype(made).itemsize
        if loop := operation.loop:
            if id(loop) not in loops:
                yield (
                    operation,
                    kept_by(loop.layer, loop.input.shape, dtypes[loop.input.number]),
                    size,
                )
            loops.add(id(loop))
        else:
            yield operation, kept, size


def streaming_peak(net: Layer, in_shape: Shape) -> int:
    """Values alive at once at test time, at their most: every array lives from the layer that makes
    it to the last that reads it.

    For a chain of layers it is the largest input and output together; layers in place, and sums,
    need no output of their own.
    """
    in_shape = example_shape(net, in_shape)
    done = operations(net, in_shape, train=False)
    last_read = {value.number: i for i, operation in enumerate(done) for value in operation.inputs}
    buffer, size = {0: 0}, {0: volume(in_shape)}
    alive, peak = {0}, volume(in_shape)
    for i, operation in enumerate(done):
        x, y = operation.inputs[0].number, operation.output.number
        if operation.in_place and last_read[x] == i:
            buffer[y] = buffer[x]
            size[buffer[y]] = max(size[buffer[y]], volume(operation.output.shape))
        else:
            buffer[y], size[y] = y, volume(operation.output.shape)
        alive.add(y)
        peak = max(peak, sum(size[b] for b in {buffer[value] for value in alive}))
        alive = {
            value
            for value in alive
            if last_read.get(value, -1) > i or value == done[-1].output.number
        }
    return peak
