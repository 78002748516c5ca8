"""Convolution by windows of two to five rows with up to half of the products left out: method
"winograd". Shapes as in direct.py.

m neighbouring rows of y come of n = 6 rows of x and the r = 7 - m of k. Let * be the convolution
along the other axes; then

    y = A^T [(G k) * (B^T x)]        A^T (m, n), G (n, r), B^T (n, n)

takes 6 convolutions along the other axes in place of m r: F(4, 3) takes half of the products, F(2,
5) three fifths. It is multiplication of polynomials by their values at six points (Toom-Cook),
transposed. Only the first axis is done so: along two, the arrays in between would be more than
twice the image's size, and moving them costs what the products save.

Sums are float32 at least. The points are those that round least: 256 channels of normal numbers, 3
rows: 1.3e-6 of the largest value, against 2.9e-6 with 0, 1, -1, 2, -2, and 4e-7 of "direct"; F(2,
3), two thirds of the products, would have 5e-7.

Source: S. Winograd, Arithmetic Complexity of Computations, 1980; A. Lavin and S. Gray, 2016
(arXiv:1509.09308).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial, reduce
from operator import add
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ...geometry import Shape, Window
from ..outlining import outlined
from ..shapes import Geometry, first_and_rest, images, mirrored, one_by_one
from ..widening import wide
from . import direct

POINTS = (0.0, 1.0, -1.0, 0.5, -2.0)  # and infinity
ROWS = len(POINTS) + 1  # of x, n


class Transforms(NamedTuple):
    """The three matrices."""

    outputs: np.ndarray  # A^T
    kernel: np.ndarray  # G
    inputs: np.ndarray  # B^T


def serves(k: Shape, geometry: Geometry) -> str:
    """Why it cannot, or ""."""
    w = geometry.window
    fits = (
        w.rank >= 2
        and 2 <= w.size[0] < ROWS
        and (w.stride[0], w.dilation[0], geometry.groups) == (1, 1, 1)
    )
    return (
        ""
        if fits
        else "two or three spatial axes, a window of two to five rows with stride and dilation 1, "
        "and one group"
    )


def saved(rows: int) -> float:
    """Of a window of so many rows, the rows of products that are left out per row of the image:
    rows·m/n - 1 with m = n + 1 - rows.
    """
    return rows * (ROWS + 1 - rows) / ROWS - 1


def forward(x, k, *, geometry: Geometry, precision):
    first, rest = first_and_rest(geometry)
    return _by_rows(partial(direct.forward, geometry=rest, precision=precision), x, k, first)


def input_gradient(y, k, *, geometry: Geometry, precision):
    """As "direct" turns the kernel, it lies turned: the two cancel, where the sums of its rows
    would else be read across.
    """
    first, rest = first_and_rest(geometry)
    k = jnp.swapaxes(_turned_kernel(k), -1, -2)
    return _by_rows(
        partial(direct.input_gradient, geometry=rest, precision=precision),
        y,
        k[::-1],
        mirrored(first),
    )


def _by_rows(run, x, k, w: Window):
    """Along the first axis, its window w; run(image, kernel) does the others."""
    t = transforms(w.size[0])
    xs, taps = _sums(t.inputs, _rows(x, w, 1, ROWS, w.pads[0][0])), _sums(t.kernel, wide(k))
    products = [run(images(a), b) for a, b in zip(xs, taps, strict=True)]
    y = jnp.stack(_sums(t.outputs, products), axis=1)  # (N*T, m, *S', K)
    return y.reshape(x.shape[0], blocks(w) * y.shape[1], *y.shape[2:])[:, : w.out_sizes[0]].astype(
        x.dtype
    )


def kernel_gradient(x, y, *, geometry: Geometry, precision):
    """Summed over all blocks of rows.

    In two dimensions the blocks are an axis of the image, along which "direct" sums too. In three
    they are more images: XLA's CPU compiler has fast code for two spatial axes only.
    """
    first, rest = first_and_rest(geometry)
    t, flat = transforms(first.size[0]), geometry.window.rank == 2
    # the order in which "direct" wants them
    of_x, of_y = ((3, 1, 2, 0), (1, 2, 0, 3)) if flat else ((4, 2, 3, 0, 1), (2, 3, 0, 1, 4))
    xs = _sums(
        t.inputs, _rows(_turned_image(x, axes=of_x), first, of_x.index(1), ROWS, first.pads[0][0])
    )
    ys = _sums(
        t.outputs.T, _rows(_turned_image(y, axes=of_y), first, of_y.index(1), len(t.outputs))
    )
    # (N, T, *S, C or K)
    pairs = [
        (a.transpose(np.argsort(of_x)), b.transpose(np.argsort(of_y)))
        for a, b in zip(xs, ys, strict=True)
    ]
    if flat:
        lines = rest._replace(window=one_by_one(blocks(first), rest.window))
        products = [
            direct.kernel_gradient(a, b, geometry=lines, precision=precision)[0] for a, b in pairs
        ]
    else:
        products = [
            direct.kernel_gradient(images(a), images(b), geometry=rest, precision=precision)
            for a, b in pairs
        ]
    return jnp.stack(_sums(t.kernel.T, products)).astype(y.dtype)


# Written out once: inside of the sums of rows, each would read it across.
_turned_image = outlined(lambda a, axes: jnp.transpose(a, axes), static=("axes",), flat=True)
_turned_kernel = outlined(lambda k: jnp.swapaxes(k, -1, -2), static=(), flat=True)


@cache
def transforms(taps: int) -> Transforms:
    """The matrices for windows of so many rows: the values of k over what normalises them, and
    Lagrange's polynomials for x.
    """
    points, m = np.array(POINTS), ROWS + 1 - taps
    others = [np.delete(points, i) for i in range(len(points))]
    powers = np.vander(points, ROWS, increasing=True)
    norm = np.array([np.prod(p - rest) for p, rest in zip(points, others, strict=True)])
    last = lambda size: np.eye(size)[-1:]
    inputs = np.array([[*np.poly(rest)[::-1], 0.0] for rest in others] + [np.poly(points)[::-1]])
    kernel = np.concatenate([powers[:, :taps] / norm[:, None], last(taps)])
    return Transforms(np.concatenate([powers[:, :m], last(m)]).T, kernel, inputs)


def _sums(matrix: np.ndarray, rows: Iterable[jax.Array]) -> list[jax.Array]:
    """matrix @ rows, each an array."""
    rows = list(rows)
    term = lambda c, row: row * jnp.asarray(c, row.dtype)
    return [
        reduce(add, (term(c, row) for c, row in zip(line, rows, strict=True) if c))
        for line in matrix
    ]


def _rows(a, w: Window, axis: int, number: int, before: int = 0) -> list[jax.Array]:
    """Row 0, 1 .. number - 1 of every block; the next begins m rows further. (.., H, ..) -> arrays
    (.., T, ..)
    """
    m = ROWS + 1 - w.size[0]
    last = m * (blocks(w) - 1)  # where the last block begins
    a = wide(a)
    pad = (before, last + number - a.shape[axis] - before, 0)
    a = lax.pad(a, jnp.zeros((), a.dtype), [pad if i == axis else (0, 0, 0) for i in range(a.ndim)])
    return [lax.slice_in_dim(a, i, i + last + 1, m, axis=axis) for i in range(number)]


def blocks(w: Window) -> int:
    """How many blocks of rows y has, the last maybe in part."""
    return -(-w.out_sizes[0] // (ROWS + 1 - w.size[0]))
