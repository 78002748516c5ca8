"""Gradient checks: autodiff against central differences, and every method against its im2col twin, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..geometry import Shape
from ..layer import Layer, with_method
from .text import aligned

STEP = 1e-6  # small, so that few of a net's many ReLUs cross their kink within it; float64 still leaves ten digits
REDRAWS = 20  # directions tried again at kinks before a leaf counts as unchecked


class LeafCheck(NamedTuple):
    """One array's gradient: relative errors (nan where not checked), and the directions drawn again at kinks."""

    name: str
    size: int
    numeric: float
    twin: float
    redrawn: int
    passed: bool


@dataclass(frozen=True)
class GradientCheck:
    """What `gradcheck` returns. `forward` is the relative error of the output against its twin; str() is the whole table."""

    leaves: tuple[LeafCheck, ...]
    forward: float
    tolerance: float
    twin_tolerance: float

    @property
    def passed(self) -> bool:
        return all(leaf.passed for leaf in self.leaves) and not self.forward > self.twin_tolerance

    @property
    def worst(self) -> LeafCheck:
        """The leaf furthest beyond its tolerance, or nearest to it."""

        def excess(leaf: LeafCheck) -> float:
            errors = (leaf.numeric / self.tolerance, leaf.twin / self.twin_tolerance)
            return math.inf if math.isnan(leaf.numeric) else max(e for e in errors if not math.isnan(e))

        return max(self.leaves, key=excess)

    def __str__(self) -> str:
        head = ("gradient of", "values", "numeric error", "twin error", "redrawn", "")
        rows = [
            (leaf.name, f"{leaf.size:,}", _error(leaf.numeric), _error(leaf.twin), str(leaf.redrawn), "ok" if leaf.passed else "FAILED")
            for leaf in self.leaves
        ]
        total = sum(leaf.size for leaf in self.leaves)
        foot = ("output", f"{total:,}", "", _error(self.forward), str(sum(leaf.redrawn for leaf in self.leaves)), "")
        verdict = "passed" if self.passed else "FAILED"
        return f"{aligned(head, rows, foot, right={1, 2, 3, 4})}\n{verdict}; worst: {self.worst.name}"


def gradcheck(
    target: Layer | Callable,
    *args: Any,
    train: bool = False,
    batch: int = 3,
    directions: int = 3,
    per_coordinate: bool = False,
    twin: Layer | Callable | None = None,
    tolerance: float = 1e-6,
    twin_tolerance: float = 1e-9,
    seed: int = 0,
) -> GradientCheck:
    """Check the gradients of a net, `gradcheck(net, in_shape)`, or of a function of arrays, `gradcheck(f, x, kernel)`.

    A scalar is made of the output by fixed random weights. For every leaf of the parameters, and the input, its gradient by
    autodiff is compared, in float64, with
    - central differences along `directions` random directions, or along every coordinate. Two step sizes that disagree show
      a kink (ReLU, max pooling) inside the step: that direction is drawn again and counted, that coordinate left out and counted.
    - the gradient of the twin, by default the net `with_method(net, "im2col")`.
    Errors are relative: |numeric - exact| over the larger of the two, max|a - b| / max|b| for twins; a leaf whose gradient is
    below 1e-6 of the largest one counts as that large. The net's parameters and its `batch` >= 3 images are random.
    Raises ValueError for a smaller batch in training, where batch statistics would degenerate.
    """
    if not isinstance(target, Layer):
        with jax.enable_x64(True):
            leaves = {f"argument {i}": _double(a) for i, a in enumerate(args)}
            f, g = (h and partial(_by_name, h) for h in (target, twin))
            return _check(f, g, leaves, directions, per_coordinate, tolerance, twin_tolerance, seed)
    if batch < 3:
        raise ValueError(f"gradcheck: batch={batch}; at least 3 are needed for batch statistics to vary")
    (in_shape,) = args
    other = twin if isinstance(twin, Layer) else with_method(target, "im2col")
    params, state = jax.jit(target.init, static_argnums=1)(jax.random.key(seed), in_shape)
    with jax.enable_x64(True):
        leaves = _random_leaves(params, (batch, *in_shape), np.random.default_rng(seed))
        f, g = (partial(_by_path, net, jax.tree.map(_double, state), train, seed) for net in (target, other))
        return _check(f, None if other == target else g, leaves, directions, per_coordinate, tolerance, twin_tolerance, seed)


def _random_leaves(params, in_shape: Shape, rng: np.random.Generator) -> dict[str, jax.Array]:
    """Parameters by path, none of which stays all zeros or ones, and the input."""
    noisy = lambda p: _double(np.asarray(p) + 0.1 * rng.standard_normal(p.shape))
    leaves = {"/".join(str(k.key) for k in path): noisy(p) for path, p in jax.tree_util.tree_leaves_with_path(params)}
    return leaves | {"(input)": _double(rng.standard_normal(in_shape))}


def _by_path(net: Layer, state, train: bool, seed: int, leaves: dict[str, jax.Array]):
    """The net's output as a function of its leaves."""
    params: dict[str, Any] = {}
    for path, leaf in leaves.items():
        *above, name = path.split("/")
        inner = params
        for part in above:
            inner = inner.setdefault(part, {})
        inner[name] = leaf
    x = params.pop("(input)")
    return net.apply(params, state, x, train=train, key=jax.random.key(seed))[0]


def _by_name(f: Callable, named: dict[str, jax.Array]):
    return f(*named.values())


def _check(f, twin, leaves, directions, per_coordinate, tolerance, twin_tolerance, seed) -> GradientCheck:
    out = jax.eval_shape(f, leaves)
    rng = np.random.default_rng(seed)
    weights = jax.tree.map(lambda y: jnp.asarray(rng.standard_normal(y.shape)), out)
    dot = lambda y: sum(jnp.vdot(w, v) for w, v in zip(jax.tree.leaves(weights), jax.tree.leaves(y), strict=True))
    scalar = lambda named: dot(f(named))
    output, gradient = jax.jit(lambda named: (f(named), jax.grad(scalar)(named)))(leaves)
    if twin is None:
        forward, twin_gradient = math.nan, None
    else:
        twin_output, twin_gradient = jax.jit(lambda named: (twin(named), jax.grad(lambda n: dot(twin(n)))(named)))(leaves)
        forward = max(_relative(a, b) for a, b in zip(jax.tree.leaves(output), jax.tree.leaves(twin_output), strict=True))
    smallest = 1e-6 * max(float(jnp.abs(g).max()) for g in gradient.values())
    terms = sum(float(jnp.abs(w * y).sum()) for w, y in zip(jax.tree.leaves(weights), jax.tree.leaves(output), strict=True))
    noise = np.finfo(float).eps * terms / STEP  # what rounding alone makes of a difference

    @jax.jit
    def moved(leaves, move, h):
        return scalar(jax.tree.map(lambda p, v: p + h * v, leaves, move))

    def differences(name, v):
        """(F(p + h v) - F(p - h v)) / 2h at h and h/2."""
        move = {n: v if n == name else jnp.zeros_like(p) for n, p in leaves.items()}
        return [float(moved(leaves, move, h) - moved(leaves, move, -h)) / (2 * h) for h in (STEP, STEP / 2)]

    rows = []
    for name, g in gradient.items():
        along = _coordinates(g) if per_coordinate else _directions(g, rng)
        wanted = g.size if per_coordinate else directions
        floor = max(smallest, noise / tolerance)
        numeric, redrawn = _numeric(partial(differences, name), g, along, wanted, per_coordinate, tolerance, floor)
        other = math.nan if twin_gradient is None else _relative(g, twin_gradient[name], smallest)
        passed = numeric <= tolerance and not other > twin_tolerance
        rows.append(LeafCheck(name, g.size, numeric, other, redrawn, passed))
    return GradientCheck(tuple(rows), forward, tolerance, twin_tolerance)


def _numeric(differences, gradient, along: Iterator, wanted: int, skip: bool, tolerance: float, floor: float) -> tuple[float, int]:
    """The largest relative error over the directions, and how many were at a kink; nan when none could be checked."""
    worst, checked, kinks = math.nan, 0, 0
    while checked + (kinks if skip else 0) < wanted and (skip or kinks <= REDRAWS):
        v = next(along)
        full, half = differences(v)
        exact = float(jnp.vdot(gradient, v))
        size = max(abs(full), abs(half), floor)
        if abs(full - half) > tolerance / 2 * size:
            kinks += 1
            continue
        error = abs(half - exact) / max(size, abs(exact))
        worst = error if math.isnan(worst) else max(worst, error)
        checked += 1
    return (math.nan if checked < wanted and not skip else worst), kinks


def _directions(leaf: jax.Array, rng: np.random.Generator) -> Iterator[jax.Array]:
    while True:
        yield jnp.asarray(rng.standard_normal(leaf.shape))


def _coordinates(leaf: jax.Array) -> Iterator[jax.Array]:
    for i in range(leaf.size):
        yield jnp.zeros(leaf.size).at[i].set(1.0).reshape(leaf.shape)


def _relative(a: jax.Array, b: jax.Array, floor: float = 0.0) -> float:
    """max|a - b| / max|b|, 0 where both are zero, nan for values that are not finite."""
    difference, scale = float(jnp.abs(a - b).max()), max(float(jnp.abs(b).max()), floor)
    return 0.0 if difference == 0 else difference / scale if scale else math.inf


def _double(a) -> jax.Array:
    return jnp.asarray(a, jnp.float64)


def _error(e: float) -> str:
    return "-" if math.isnan(e) else f"{e:.1e}"
