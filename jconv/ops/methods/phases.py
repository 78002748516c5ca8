"""Dilated convolution as a dense one over more and smaller images: method "phases". Shapes as in
direct.py.

A window dilated by d sees every d-th position. Those of one residue modulo d make an image of their
own, so x and y, padded to multiples of d along every axis, fall apart into d*d images each, and
between them the convolution is dense. Cost: a copy of x and of y. Known as space to batch, or as
the "algorithme à trous" the other way about.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from ...geometry import Shape, Window, volume
from ..shapes import Geometry, x_shape
from . import direct


def serves(k: Shape, geometry: Geometry) -> str:
    """Why it cannot, or ""."""
    w = geometry.window
    dilated = w.rank and volume(w.dilation) > 1 and volume(w.stride) == 1 and geometry.groups == 1
    return "" if dilated else "dilation, stride 1 and one group"


def forward(x, k, *, geometry: Geometry, precision):
    w, dense = geometry.window, _dense(geometry.window)
    y = direct.forward(
        _apart(x, w, dense.in_sizes), k, geometry=Geometry(dense, 1), precision=precision
    )
    return lax.slice(
        _together(y, w.dilation), (0,) * y.ndim, (x.shape[0], *w.out_sizes, y.shape[-1])
    )


def input_gradient(y, k, *, geometry: Geometry, precision):
    w, dense = geometry.window, _dense(geometry.window)
    seen = direct.input_gradient(
        _outputs(y, w, dense), k, geometry=Geometry(dense, 1), precision=precision
    )
    image = jax.ShapeDtypeStruct(x_shape(y.shape, k.shape, geometry), y.dtype)
    return jax.linear_transpose(lambda x: _apart(x, w, dense.in_sizes), image)(seen)[0]


def kernel_gradient(x, y, *, geometry: Geometry, precision):
    w, dense = geometry.window, _dense(geometry.window)
    images, outputs = _apart(x, w, dense.in_sizes), _outputs(y, w, dense)
    return direct.kernel_gradient(images, outputs, geometry=Geometry(dense, 1), precision=precision)


def _dense(w: Window) -> Window:
    """The window between images of one residue: no padding, which lies in them."""
    out = tuple(-(-n // d) for n, d in zip(w.out_sizes, w.dilation, strict=True))
    ones, none = (1,) * w.rank, (0,) * w.rank
    return Window(
        tuple(n + f - 1 for n, f in zip(out, w.size, strict=True)),
        w.size,
        ones,
        ones,
        ((0, 0),) * w.rank,
        none,
        out,
    )


def _outputs(y, w: Window, dense: Window):
    return _apart(
        y, w._replace(padding=((0, 0),) * w.rank, overhang=(0,) * w.rank), dense.out_sizes
    )


def _apart(a, w: Window, sizes: Shape):
    """(N, *S, C) -> (N*d*d, *sizes, C): padded by w's padding below, and above to d times `sizes`,
    then by residues.
    """
    axes = zip(w.pads, sizes, w.dilation, a.shape[1:-1], strict=True)
    a = lax.pad(
        a,
        jnp.zeros((), a.dtype),
        [(0, 0, 0), *((lo, n * d - size - lo, 0) for (lo, _), n, d, size in axes), (0, 0, 0)],
    )
    a = a.reshape(
        a.shape[0], *(m for pair in zip(sizes, w.dilation, strict=True) for m in pair), a.shape[-1]
    )
    a = a.transpose(0, *range(2, 2 * w.rank + 1, 2), *range(1, 2 * w.rank, 2), 2 * w.rank + 1)
    return a.reshape(a.shape[0] * volume(w.dilation), *sizes, a.shape[-1])


def _together(a, dilation: Shape):
    """The reverse, without cutting: (N*d*d, *sizes, C) -> (N, *(d*sizes), C)"""
    rank, sizes = len(dilation), a.shape[1:-1]
    a = a.reshape(a.shape[0] // volume(dilation), *dilation, *sizes, a.shape[-1])
    a = a.transpose(
        0, *(i for axis in range(1, rank + 1) for i in (axis + rank, axis)), 2 * rank + 1
    )
    return a.reshape(
        a.shape[0], *(n * d for n, d in zip(sizes, dilation, strict=True)), a.shape[-1]
    )
