"""Out of memory in one line. A CPU does not tell what it has, so a device of a given size is put in
its place.
"""

import jax
import jax.numpy as jnp
import pytest
from jax.errors import JaxRuntimeError

from jconv import Conv, Dense, Flatten, Sequential, budget, largest_batch
from jconv.analysis.memory import MIB
from jconv.errors import InputError
from jconv.train import exhausted
from jconv.train.exhausted import advice, advised, device_bytes, is_exhausted

NET, SHAPE = Sequential(conv1=Conv(64, 3), flatten=Flatten(), fc=Dense(10)), (64, 64, 3)


@pytest.fixture
def device(monkeypatch):
    """A device with so many MiB."""
    return lambda mib: monkeypatch.setattr(
        exhausted, "device_bytes", lambda: None if mib is None else mib * MIB
    )


def test_what_jax_raises_when_memory_ends_is_known():
    with pytest.raises(JaxRuntimeError) as caught:
        jax.block_until_ready(jnp.zeros(1 << 46, jnp.int8))
    assert is_exhausted(caught.value)
    assert not is_exhausted(JaxRuntimeError("INTERNAL: something else")) and not is_exhausted(
        MemoryError("RESOURCE_EXHAUSTED")
    )


def test_a_cpu_does_not_tell_and_half_the_batch_is_advised():
    assert device_bytes() is None
    need = budget(NET, SHAPE, 100, optimizer="adam").total
    assert advice(NET, SHAPE, 100, optimizer="adam") == (
        f"out of memory: a training step of 100 images needs {need / MIB:,.1f} MiB at least; try "
        "50 images"
    )


def test_the_batch_that_fits_is_told(device):
    device(120)
    fits = largest_batch(NET, SHAPE, 120 * MIB, optimizer="adam", dtype="bfloat16")
    assert (
        0 < fits < 500
        and budget(NET, SHAPE, fits, optimizer="adam", dtype="bfloat16").total <= 120 * MIB
    )
    line = advice(NET, SHAPE, 500, optimizer="adam", dtype="bfloat16")
    assert line.endswith(
        f" MiB at least, the device has 120.0 MiB; {fits} images fit by that count"
    )


def test_where_the_count_says_it_fits_half_is_advised(device):
    device(10_000)
    assert advice(NET, SHAPE, 7).endswith(
        "the device has 10,000.0 MiB, which workspaces and other programs share; try 3 images"
    )


def test_where_not_one_image_fits_it_says_what_one_takes(device):
    device(1)
    line = advice(NET, SHAPE, 7)
    assert (
        "; 1.0 MiB hold no training: parameters, gradients and momentum's cache take " in line
        and "\n" not in line
    )


def test_within_it_only_running_out_of_memory_is_wrong_input(device):
    device(120)
    with pytest.raises(
        InputError, match="^batch_size=500: out of memory: a training step of 500 images needs "
    ):
        with advised(NET, SHAPE, 500):
            raise JaxRuntimeError(
                "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes."
            )
    with pytest.raises(JaxRuntimeError, match="^INTERNAL"):
        with advised(NET, SHAPE, 500):
            raise JaxRuntimeError("INTERNAL: no")
