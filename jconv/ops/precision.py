"""What a precision asks for, and which methods it leaves.

Precision is more than the format that numbers are multiplied in. A method that computes outputs
together and separates them afterwards ("winograd" by rows, "fft" by tiles) leaves in each a trace
of what only its neighbours see: exactly computed it would cancel, rounded it does not. So at the
highest precision no such method runs: an output is a sum over its own window.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ..errors import unknown

# "float32" and the like are other words for these, which lax.Precision knows.
WORDS = ("default", "high", "highest")
# of lax's algorithms, those as exact as float32
FULL = ("F32_F32_F32", "F64_F64_F64", "BF16_BF16_F32_X6", "BF16_BF16_F32_X9")
# products of bfloat16 parts, from which their sum is as exact as one of float32: what a TPU calls
# its highest precision
EMULATED = 6


def resolved(precision: Any) -> Any:
    """A precision in any of lax's forms as one that needs no context: a pair of lax.Precision, or
    an algorithm. Hashable.

    None is jax's own setting at this moment (`jax_default_matmul_precision`). Raises ValueError for
    what lax does not know.
    """
    if precision is None:
        precision = jax.config.jax_default_matmul_precision  # type: ignore  (made at run time)
    if isinstance(precision, (lax.DotAlgorithm, lax.DotAlgorithmPreset)):
        return precision
    if isinstance(precision, str) and precision in lax.DotAlgorithmPreset.__members__:
        return lax.DotAlgorithmPreset[precision]
    pair = tuple(precision) if isinstance(precision, (list, tuple)) else (precision,) * 2
    if len(pair) != 2:
        raise ValueError(
            f"precision {precision!r} has {len(pair)} entries; give one, or one for each operand"
        )
    first, second = (_level(one) for one in pair)
    return first, second


def is_highest(precision: Any) -> bool:
    """Whether a precision asks for all that float32 has: for one of the operands at least, or by an
    algorithm of its accuracy.
    """
    precision = resolved(precision)
    if isinstance(precision, tuple) and not isinstance(precision, lax.DotAlgorithm):
        return lax.Precision.HIGHEST in precision
    if isinstance(precision, lax.DotAlgorithmPreset):
        return precision.name in FULL
    sides = (precision.lhs_precision_type, precision.rhs_precision_type)
    whole = all(jnp.dtype(side) in (jnp.float32, jnp.float64) for side in sides)
    return whole or precision.num_primitive_operations >= EMULATED


def _level(one: Any) -> lax.Precision:
    try:
        return lax.Precision(one)
    except ValueError:
        raise ValueError(
            unknown(
                "precision", one, (*WORDS, *lax.DotAlgorithmPreset.__members__), "a lax.Precision"
            )
        ) from None
