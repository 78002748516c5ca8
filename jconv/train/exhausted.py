"""When a device runs out of memory: one line with what the step needs, what the device has, and a
batch that fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax
from jax.errors import JaxRuntimeError

from ..analysis.memory import MIB, budget, largest_batch, unmeasured
from ..errors import InputError
from ..geometry import Shape
from ..layer import Layer


def is_exhausted(error: Exception) -> bool:
    """Whether an error is a device's, or its compiler's, that there is too little memory."""
    return isinstance(error, JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)


def device_bytes() -> int | None:
    """What the device lets this process have; None where it does not tell, as a CPU."""
    return (jax.devices()[0].memory_stats() or {}).get("bytes_limit")


def advice(
    net: Layer, in_shape: Shape, batch: int, *, optimizer: str = "momentum", dtype: str = "float32"
) -> str:
    """The line, of a training step. `budget` counts neither workspaces nor what else the device
    holds, so where by its count the batch fits, half of it is advised.
    """
    size, need = (
        device_bytes(),
        budget(net, in_shape, batch, optimizer=optimizer, dtype=dtype).total,
    )
    if need is None:
        where = unmeasured(net, in_shape, dtype)
        return (
            f"out of memory: what training keeps of {where} is unknown; try {max(1, batch // 2):,} "
            "images"
        )
    line = (
        f"out of memory: a training step of {batch:,} images needs {need / MIB:,.1f} MiB at least"
    )
    if size is None:
        return f"{line}; try {max(1, batch // 2):,} images"
    line += f", the device has {size / MIB:,.1f} MiB"
    if need <= size:
        return (
            f"{line}, which workspaces and other programs share; try {max(1, batch // 2):,} images"
        )
    try:
        return (
            f"{line}; {largest_batch(net, in_shape, size, optimizer=optimizer, dtype=dtype):,} "
            "images fit by that count"
        )
    except InputError as error:
        return f"{line}; {error}"


@contextmanager
def advised(
    net: Layer, in_shape: Shape, batch: int, *, optimizer: str = "momentum", dtype: str = "float32"
) -> Iterator[None]:
    """Within it a device that runs out of memory is an InputError with `advice`."""
    try:
        yield
    except JaxRuntimeError as error:
        if not is_exhausted(error):
            raise
        raise InputError(
            f"batch_size={batch}: {advice(net, in_shape, batch, optimizer=optimizer, dtype=dtype)}"
        ) from None
