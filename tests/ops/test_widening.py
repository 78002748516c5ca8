import jax
import jax.numpy as jnp
import pytest

from jconv.ops.widening import wide, wide_dtype


@pytest.mark.parametrize(
    "dtype, expected",
    [
        ("bfloat16", "float32"),
        ("float16", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
    ],
)
def test_float32_at_least(dtype, expected):
    with jax.enable_x64(True):
        x = jnp.asarray([1.5, -2.0], dtype)
        assert wide(x).dtype.name == wide_dtype(x.dtype).name == expected
        assert wide(x).tolist() == [1.5, -2.0]
