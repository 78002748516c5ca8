"""Grouped convolution as convolutions of one group: methods "split" and "loop". Shapes as in
direct.py.

XLA's CPU compiler runs a grouped convolution far below the speed of its groups. "split" writes them
out one after another, groups of few channels joined to blocks of at least WIDE (a block's kernel is
then zero between its groups), but for the highest precision. "loop" goes through any number of
groups with one program for all: per-example gradients are convolutions of as many groups as there
are examples.

`block` is what runs a block, a convolution of one group; plan.py says which method that is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from ...geometry import Shape, volume
from ..outlining import outlined
from ..precision import is_highest
from ..shapes import Geometry
from ..widening import summed
from .columns import rows, rows_by_axis

WIDE = 16  # channels: below, a matrix product is bound by its memory
COLUMNS = 4 * 2**20  # bytes of im2col's columns at a time: what stays in cache


def serves(k: Shape, geometry: Geometry) -> str:
    """Why it cannot, or ""."""
    return "" if geometry.groups > 1 and geometry.window.rank else "more than one group"


def joined(k: Shape, groups: int, highest: bool = False) -> int:
    """How many neighbouring groups make one block: at the highest precision one, as a NaN times
    another group's zeros would be NaN.
    """
    if highest:
        return 1
    narrow = min(k[-2], k[-1] // groups)
    return next(
        m for m in range(1, groups + 1) if groups % m == 0 and (m * narrow >= WIDE or m == groups)
    )


def split_forward(x, k, *, geometry: Geometry, precision, block: Callable):
    return _each_block(block, x, k, geometry, precision)


def split_input_gradient(y, k, *, geometry: Geometry, precision, block: Callable):
    return _each_block(block, y, k, geometry, precision)


def split_kernel_gradient(x, y, *, geometry: Geometry, precision, block: Callable):
    g, c, o = geometry.groups, x.shape[-1] // geometry.groups, y.shape[-1] // geometry.groups
    m = joined((c, y.shape[-1]), g, is_highest(precision))
    run = _of_one_group(block, geometry, precision)
    parts = [run(a, b) for a, b in zip(_blocks(x, g // m), _blocks(y, g // m), strict=True)]
    k = jnp.stack(parts, axis=-2)  # (*F, m*c, blocks, m*o)
    k = k.reshape(*k.shape[:-3], m, c, g // m, m, o)
    k = jnp.moveaxis(jnp.diagonal(k, axis1=-5, axis2=-2), -1, -2)  # (*F, c, blocks, m, o)
    return k.reshape(*geometry.window.size, c, y.shape[-1])


def _each_block(block: Callable, a, k, geometry: Geometry, precision):
    run = _of_one_group(block, geometry, precision)
    m = joined(k.shape, geometry.groups, is_highest(precision))
    blocks = geometry.groups // m
    pairs = zip(
        _blocks(a, blocks), _blocks(_join_kernel(k, geometry.groups, m), blocks), strict=True
    )
    return jnp.concatenate([run(*pair) for pair in pairs], axis=-1)


def _join_kernel(k, groups: int, m: int):
    """(*F, c, K) -> (*F, m*c, K), zero between the groups of a block."""
    if m == 1:
        return k
    *size, c, features = k.shape
    k = k.reshape(*size, 1, c, groups // m, m, features // groups)
    own = jnp.eye(m, dtype=k.dtype).reshape(*(1,) * len(size), m, 1, 1, m, 1)
    return (k * own).reshape(*size, m * c, features)


def _blocks(a, blocks: int):
    return jnp.split(a, blocks, axis=-1)


def _of_one_group(block: Callable, geometry: Geometry, precision) -> Callable:
    return partial(block, geometry=geometry._replace(groups=1), precision=precision)


def loop_forward(x, k, *, geometry: Geometry, precision, block: Callable):
    return _loop(_of_one_group(block, geometry, precision), x, k, geometry.groups)


def loop_input_gradient(y, k, *, geometry: Geometry, precision, block: Callable):
    return _loop(_of_one_group(block, geometry, precision), y, k, geometry.groups)


def loop_kernel_gradient(x, y, *, geometry: Geometry, precision, block: Callable):
    """Some groups at a time: im2col's columns, and one batched matrix product. `block` is not
    needed.

    With one image a group, as in per-example gradients, arrays come from what has their examples
    first and go back there: they are regrouped in the open, where XLA drops both ways.
    """
    g, settings = geometry.groups, ("geometry", "precision")
    one_image = x.shape[0] == 1
    gradients = outlined(_gradients_of_groups, settings) if one_image else _gradients_of_groups

    def run(x, y, geometry, precision):
        return _from_groups(
            gradients(_by_group(x, g), _by_group(y, g), geometry=geometry, precision=precision)
        )

    return (run if one_image else outlined(run, settings))(
        x, y, geometry=geometry, precision=precision
    )


def _gradients_of_groups(x, y, *, geometry: Geometry, precision):
    """(g, N, *S, c), (g, N, *S', o) -> (g, *F, c, o)"""
    w = geometry.window
    g, n, c, o = *x.shape[:2], x.shape[-1], y.shape[-1]
    positions, taps = volume(w.out_sizes), volume(w.size)
    fits = lambda groups: (
        isinstance(n, int) and groups * n * positions * taps * c * x.dtype.itemsize <= COLUMNS
    )
    some = max(d for d in range(1, g + 1) if g % d == 0 and (d == 1 or fits(d)))

    in_rows = rows_by_axis if c == 1 else rows  # faster to compile, but copied twice

    def gradients(pair):
        a, b = pair  # (some, N, *S, c), (some, N, *S', o)
        # some and N are two axes: N may be spread over devices
        columns = jax.vmap(lambda image: in_rows(image, w))(a)
        columns, b = (
            columns.reshape(some, n * positions, taps * c),
            b.reshape(some, n * positions, o),
        )
        return summed(partial(jnp.einsum, "gpf,gpo->gfo"), columns, b, precision)

    return lax.map(
        gradients, tuple(a.reshape(g // some, some, *a.shape[1:]) for a in (x, y))
    ).reshape(g, *w.size, c, o)


def _loop(run, a, k, groups: int):
    return _from_groups(
        lax.map(lambda pair: run(*pair), (_by_group(a, groups), _by_group(k, groups)))
    )


def _by_group(a, groups: int):
    """(*rest, g*c) -> (g, *rest, c)"""
    return jnp.moveaxis(a.reshape(*a.shape[:-1], groups, a.shape[-1] // groups), -2, 0)


def _from_groups(a):
    """(g, *rest, c) -> (*rest, g*c)"""
    a = jnp.moveaxis(a, 0, -2)
    return a.reshape(*a.shape[:-2], a.shape[-2] * a.shape[-1])
