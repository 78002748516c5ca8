"""Central differences against a gradient, and arrays against arrays. All in float64, and in NumPy
where nothing need be compiled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# small, so that few of a net's many ReLUs cross their kink within it; float64 still leaves ten
# digits
STEP = 1e-6
REDRAWS = 20  # directions tried again at kinks before an array counts as unchecked
# half of the compile time, and less
QUICK = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
Leaves = dict[str, np.ndarray]


@cache
def run_once() -> dict[str, int | bool]:
    """Compiler options for a program that runs once: those of QUICK that this XLA knows."""
    known = {}
    for name, value in QUICK.items():
        with suppress(jax.errors.JaxRuntimeError):
            jax.jit(lambda x: x, compiler_options={name: value})(0.0)
            known[name] = value
    return known


class Differences(NamedTuple):
    """A scalar function of named arrays, to be differentiated at `leaves` by (F(p + h v) - F(p - h
    v)) / 2h.

    Two step sizes that disagree show a kink (ReLU, max pooling) inside the step. A derivative below
    `floor` counts as that large.
    """

    scalar: Callable
    leaves: Leaves
    tolerance: float
    floor: float

    def along_random(
        self, name: str, gradient: np.ndarray, wanted: int, rng: np.random.Generator
    ) -> tuple[float, int]:
        """The largest relative error of one array's gradient over `wanted` directions, those at a
        kink drawn again, and how many these were. nan when no such number was found.
        """
        drawn = (rng.standard_normal(gradient.shape) for _ in range(wanted + REDRAWS))
        errors, kinks = self._errors(name, gradient, drawn, wanted)
        return (max(errors) if len(errors) == wanted else math.nan), kinks

    def along_coordinates(self, name: str, gradient: np.ndarray) -> tuple[float, int]:
        """The same over every coordinate, those at a kink left out and counted. nan when all
        are.
        """
        each = (_coordinate(gradient.shape, i) for i in range(gradient.size))
        errors, kinks = self._errors(name, gradient, each, gradient.size)
        return max(errors, default=math.nan), kinks

    def _errors(
        self, name: str, gradient: np.ndarray, directions: Iterable[np.ndarray], wanted: int
    ) -> tuple[list[float], int]:
        if not np.isfinite(gradient).all():
            return [math.inf] * wanted, 0
        errors, kinks = [], 0
        for v in directions:
            full, half = (self._slope(name, v, h) for h in (STEP, STEP / 2))
            exact = float(np.vdot(gradient, v))
            size = max(abs(full), abs(half), self.floor)
            if abs(full - half) > self.tolerance / 2 * size:
                kinks += 1
                continue
            errors.append(_ratio(abs(half - exact), max(size, abs(exact))))
            if len(errors) == wanted:
                break
        return errors, kinks

    def _slope(self, name: str, v: np.ndarray, h: float) -> float:
        ahead, behind = (
            float(self.scalar({**self.leaves, name: self.leaves[name] + step * v}))
            for step in (h, -h)
        )
        return (ahead - behind) / (2 * h)


def _coordinate(shape: tuple[int, ...], i: int) -> np.ndarray:
    v = np.zeros(shape)
    v.flat[i] = 1.0
    return v


def rounding_noise(terms: float) -> float:
    """What rounding alone makes of a difference, where the function sums terms of this total
    size.
    """
    return np.finfo(float).eps * terms / STEP


def output_and_gradient(f: Callable, weights, leaves: Leaves) -> tuple[list[np.ndarray], Leaves]:
    """The arrays f returns, and the gradient of their sum by the weights."""

    def weighted(leaves):
        y = f(leaves)
        return weighted_sum(weights, y), y

    gradient, y = jax.jit(jax.grad(weighted, has_aux=True), compiler_options=run_once())(leaves)
    return [np.asarray(a) for a in jax.tree.leaves(y)], {
        name: np.asarray(gradient[name]) for name in leaves
    }


def weighted_sum(weights, y) -> jax.Array:
    """sum of weights * y over two trees of arrays."""
    return sum(
        (jnp.vdot(w, v) for w, v in zip(jax.tree.leaves(weights), jax.tree.leaves(y), strict=True)),
        jnp.zeros(()),
    )


def relative(a: np.ndarray, b: np.ndarray, floor: float = 0.0) -> float:
    """max|a - b| / max|b|, 0 where both are zero, infinite for values that are not finite (nan
    would mean not checked).
    """
    with np.errstate(invalid="ignore"):
        return _ratio(float(np.abs(a - b).max()), max(float(np.abs(b).max()), floor))


def _ratio(difference: float, scale: float) -> float:
    if difference == 0:
        return 0.0
    return difference / scale if scale and math.isfinite(difference) else math.inf
