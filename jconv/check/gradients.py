"""Gradient checks: autodiff against central differences, and every method against its im2col twin,
in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from ..analysis.example import example_shape
from ..analysis.text import aligned
from ..compose import walk
from ..edit import with_method
from ..edit.surgery import with_precision
from ..errors import InputError
from ..geometry import Shape
from ..html import paragraph, piece, table
from ..layer import Layer
from ..seeds import check_seed, random_key
from ..settings import check_counts
from .differences import (
    Differences,
    Leaves,
    output_and_gradient,
    relative,
    rounding_noise,
    run_once,
    weighted_sum,
)

INPUT = "(input)"
NUMBERS = (1, 2, 3, 4)  # the columns of numbers, flush right
GENERATOR = "unsafe_rbg"  # compiles several times faster than threefry, and any draw serves


class LeafCheck(NamedTuple):
    """One array's gradient: relative errors (nan where not checked), and the directions drawn again
    at kinks.
    """

    name: str
    size: int
    numeric: float
    twin: float
    redrawn: int
    passed: bool


@dataclass(frozen=True)
class GradientCheck:
    """What `gradcheck` returns. `forward` is the relative error of the output against its twin;
    str() is the whole table.
    """

    leaves: tuple[LeafCheck, ...]
    forward: float
    tolerance: float
    twin_tolerance: float
    suspects: str = ""  # where a fault lies, as far as the rows tell

    @property
    def passed(self) -> bool:
        return all(leaf.passed for leaf in self.leaves) and not self.forward > self.twin_tolerance

    @property
    def worst(self) -> LeafCheck:
        """The leaf furthest beyond its tolerance, or nearest to it."""

        def excess(leaf: LeafCheck) -> float:
            errors = (leaf.numeric / self.tolerance, leaf.twin / self.twin_tolerance)
            return (
                math.inf
                if math.isnan(leaf.numeric)
                else max(e for e in errors if not math.isnan(e))
            )

        return max(self.leaves, key=excess)

    @property
    def verdict(self) -> str:
        """Whether it passed, and where it came nearest to failing, in a line."""
        passed = "passed" if self.passed else "FAILED"
        return f"{passed} in float64 at highest precision; worst: {self.worst.name}"

    def cells(self) -> list[tuple[str, ...]]:
        """The table as text, cell by cell: the head, the arrays, the output."""
        return [
            ("gradient of", "values", "numeric error", "twin error", "redrawn", ""),
            *(
                (
                    leaf.name,
                    f"{leaf.size:,}",
                    _error(leaf.numeric),
                    _error(leaf.twin),
                    str(leaf.redrawn),
                    "ok" if leaf.passed else "FAILED",
                )
                for leaf in self.leaves
            ),
            (
                "output",
                f"{sum(leaf.size for leaf in self.leaves):,}",
                "",
                _error(self.forward),
                str(sum(leaf.redrawn for leaf in self.leaves)),
                "",
            ),
        ]

    def __str__(self) -> str:
        head, *rows, foot = self.cells()
        lines = [aligned(head, rows, foot, right=NUMBERS), self.verdict]
        return "\n".join([*lines, *([self.suspects] if self.suspects else [])])

    __repr__ = __str__  # what a terminal shows of a last line

    def _repr_html_(self) -> str:
        """What a notebook shows: the table, its worst row marked, and the verdict."""
        head, *rows, foot = self.cells()
        worst = self.leaves.index(self.worst)
        rows[worst] = (*rows[worst][:-1], f"{rows[worst][-1]}, worst")
        caption = f"Gradient check: {self.verdict}"
        return piece(
            table(head, rows, foot, caption=caption, right=NUMBERS, marked={worst}, most=len(rows)),
            paragraph(self.suspects) if self.suspects else "",
        )


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
    """Check the gradients of a net, `gradcheck(net, in_shape)`, or of a function of arrays or trees
    of them, `gradcheck(f, x, kernel)`.

    A scalar is made of the output by fixed random weights. For every leaf of the parameters, and
    the input, its gradient by autodiff is compared, in float64 and with products at highest
    precision (where the code says nothing else: a layer of the net is set to it, and jax's default
    is it), with
    - central differences along `directions` random directions, or along every coordinate. Two
      step sizes that disagree show a kink (ReLU, max pooling) inside the step: that direction is
      drawn again and counted, that coordinate left out and counted.
    - the gradient of the twin, by default the net `with_method(net, "im2col")`.
    Errors are relative: |numeric - exact| over the larger of the two, max|a - b| / max|b| for
    twins; a leaf whose gradient is below 1e-6 of the largest one counts as that large. The net's
    parameters and its `batch` >= 3 images are random. Integers among a function's arguments, such
    as labels, stay as they are. Where rows fail, a line says which layers may be wrong: an error
    made in one shows in the gradients of all before it. Raises InputError for a smaller batch in
    training, where batch statistics would degenerate, and for arguments that are no arrays.
    """
    check_seed(seed)
    if not isinstance(target, Layer):
        leaves, given = _arguments(args)
        f, g = (
            partial(_by_name, target, given),
            partial(_by_name, twin, given) if callable(twin) else None,
        )
        with jax.enable_x64(True), jax.default_matmul_precision("highest"):
            return _check(
                f,
                g,
                leaves,
                None if per_coordinate else directions,
                tolerance,
                twin_tolerance,
                seed,
            )
    check_counts(batch=batch, directions=directions)
    if batch < 3:
        raise InputError(
            f"gradcheck: batch={batch}; at least 3 are needed for batch statistics to vary"
        )
    if len(args) != 1:
        raise InputError(
            f"gradcheck: {len(args)} arguments after the net, its in_shape was expected: "
            "gradcheck(net, (28, 28, 1))"
        )
    in_shape = example_shape(target, args[0])
    target = with_precision(target, "highest")
    other = (
        with_precision(twin, "highest")
        if isinstance(twin, Layer)
        else with_method(target, "im2col")
    )
    params, state = jax.jit(target.init, static_argnums=1, compiler_options=run_once())(
        random_key(seed, impl=GENERATOR), in_shape
    )
    leaves = _random_leaves(params, (batch, *in_shape), np.random.default_rng(seed))
    state = jax.tree.map(lambda a: np.asarray(a, np.float64) if _real(a) else np.asarray(a), state)
    f, g = (partial(_by_path, net, params, state, train, seed) for net in (target, other))
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        check = _check(
            f,
            None if other == target else g,
            leaves,
            None if per_coordinate else directions,
            tolerance,
            twin_tolerance,
            seed,
        )
    if twin is None:
        check = replace(check, leaves=_by_own_twin(check, target, other, in_shape))
    return replace(check, suspects=_suspects(target, in_shape, check.leaves))


def _by_own_twin(
    check: GradientCheck, net: Layer, other: Layer, in_shape: Shape
) -> tuple[LeafCheck, ...]:
    """The rows, without a twin's error where the layer is the same in both nets: what differs there
    is another layer's.
    """
    pairs = zip(walk(net, in_shape), walk(other, in_shape), strict=True)
    same = tuple(f"{a.path}/" if a.path else "" for a, b in pairs if a.layer == b.layer)
    alone = lambda row: row.name != INPUT and row.name.startswith(same)
    return tuple(
        row._replace(twin=math.nan, passed=row.numeric <= check.tolerance) if alone(row) else row
        for row in check.leaves
    )


def _arguments(args: tuple) -> tuple[Leaves, Any]:
    """A function's arguments: the arrays of floating-point numbers by name, float64, and all of
    them as they were given.
    """
    leaves = {}
    for path, a in jax.tree_util.tree_leaves_with_path(args):
        try:
            array = np.asarray(a)
            real = np.issubdtype(array.dtype, np.floating) or jax.numpy.issubdtype(
                array.dtype, jax.numpy.floating
            )
        except Exception as error:  # whatever a stranger's object raises
            raise InputError(
                f"gradcheck: {_argument(path)} is of type {type(a).__name__}, an array was "
                f"expected ({error})"
            ) from None
        if array.dtype.kind in "OUS":
            raise InputError(
                f"gradcheck: {_argument(path)} is of type {type(a).__name__}, an array of numbers "
                "was expected"
            )
        if real:
            leaves[_argument(path)] = array.astype(np.float64)
    if not leaves:
        raise InputError(
            "gradcheck: no argument is an array of floating-point numbers, so there is no gradient "
            "to check"
        )
    return leaves, args


def _argument(path: tuple) -> str:
    inside = _name(path[1:])
    return f"argument {path[0].idx}" + (f"/{inside}" if inside else "")


def _suspects(net: Layer, in_shape: Shape, rows: tuple[LeafCheck, ...]) -> str:
    """Which layers may be wrong, in a line; "" where every row passes.

    A layer that passes a wrong gradient on spoils those of all layers before it, and none after. So
    where everything up to a layer fails, it is that layer or one between it and the next that
    passes; where some layer before passes, it is the layers that fail.
    """
    paths = [visit.path for visit in walk(net, in_shape)]
    of = lambda row: max(
        (i for i, path in enumerate(paths) if row.name.startswith(f"{path}/") or not path),
        default=-1,
    )
    failed, passed = (
        {of(row) for row in rows if not row.passed},
        {of(row) for row in rows if row.passed},
    )
    if not failed:
        return ""
    last = max(failed)
    if any(i < last for i in passed - failed):
        return "the fault lies in " + ", ".join(
            paths[i] or "the net" for i in sorted(failed) if i >= 0
        )
    after = min((i for i in passed if i > last), default=None)
    between = paths[max(last, 0) : after]
    where = (
        f"between {paths[last] if last >= 0 else 'the input'} and "
        f"{'the output' if after is None else paths[after]}"
    )
    return (
        f"the fault lies in {between[0] or 'the net'}"
        if len(between) == 1
        else f"the fault lies {where}, in one of: {', '.join(between)}"
    )


def _random_leaves(params, in_shape: Shape, rng: np.random.Generator) -> Leaves:
    """Parameters by path, none of which stays all zeros or ones, and the input."""
    noisy = lambda p: np.asarray(p, np.float64) + 0.1 * rng.standard_normal(p.shape)
    leaves = {
        _name(path): noisy(p) for path, p in jax.tree_util.tree_leaves_with_path(params) if _real(p)
    }
    return leaves | {INPUT: rng.standard_normal(in_shape)}


def _name(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _real(a: Any) -> bool:
    """Whether an array has a gradient: integers, such as a permutation, have none."""
    return jax.numpy.issubdtype(a.dtype, jax.numpy.floating)


def _by_path(net: Layer, params, state, train: bool, seed: int, leaves):
    """The net's output as a function of its leaves; what is no leaf stays as it is."""
    params = jax.tree_util.tree_map_with_path(lambda path, p: leaves.get(_name(path), p), params)
    return net.apply(
        params, state, leaves[INPUT], train=train, key=random_key(seed, impl=GENERATOR)
    )[0]


def _by_name(f: Callable, given: tuple, leaves):
    """f as a function of its named arrays; what is none stays as it was given."""
    return f(
        *jax.tree_util.tree_map_with_path(lambda path, a: leaves.get(_argument(path), a), given)
    )


def _check(
    f, twin, leaves: Leaves, directions: int | None, tolerance, twin_tolerance, seed
) -> GradientCheck:
    rng = np.random.default_rng(seed)
    weights = jax.tree.map(lambda y: rng.standard_normal(y.shape), jax.eval_shape(f, leaves))
    output, gradient = output_and_gradient(f, weights, leaves)
    forward, other = math.nan, {}
    if twin is not None:
        twin_output, other = output_and_gradient(twin, weights, leaves)
        forward = max(relative(a, b) for a, b in zip(output, twin_output, strict=True))
    smallest = 1e-6 * max(np.abs(g[np.isfinite(g)]).max(initial=0) for g in gradient.values())
    terms = sum(np.abs(w * y).sum() for w, y in zip(jax.tree.leaves(weights), output, strict=True))
    scalar = jax.jit(lambda leaves: weighted_sum(weights, f(leaves)))
    numeric = Differences(
        scalar, leaves, tolerance, floor=max(smallest, rounding_noise(terms) / tolerance)
    )

    rows = []
    for name, g in gradient.items():
        error, redrawn = (
            numeric.along_coordinates(name, g)
            if directions is None
            else numeric.along_random(name, g, directions, rng)
        )
        difference = relative(g, other[name], smallest) if other else math.nan
        rows.append(
            LeafCheck(
                name,
                g.size,
                error,
                difference,
                redrawn,
                passed=error <= tolerance and not difference > twin_tolerance,
            )
        )
    return GradientCheck(tuple(rows), forward, tolerance, twin_tolerance)


def _error(e: float) -> str:
    return "-" if math.isnan(e) else f"{e:.1e}"
