"""Layers under jax.disable_jit, the first tool of debugging: the values and gradients that jit
gives.
"""

import jax
import pytest

LAYERS = (
    "conv",
    "depthwise conv",
    "conv transpose",
    "dense",
    "batch norm",
    "max pool",
    "large max pool",
    "average pools",
)


# those made of our own primitives and rules; the others are plain jax
@pytest.mark.sweep(1)
@pytest.mark.parametrize("any_layer", LAYERS, indirect=True)
def test_values_and_gradients(any_layer, compiled, close):
    run = any_layer.run()
    expected = compiled(run)(*any_layer.arrays)
    with jax.disable_jit():
        close(run(*any_layer.arrays), expected, 1e-5)
