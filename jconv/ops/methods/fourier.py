"""Convolution by large windows as products of spectra: method "fft". Shapes as in direct.py.

Tiles of T outputs per axis read L = T + F - 1 inputs. Of a tile and of the window, put to length L
by zeros, the discrete Fourier transforms are multiplied frequency by frequency, a matrix product
over the channels at each; T of the L values that the transform back gives are whole, the others
have wrapped around (overlap-save). A 9x9 window takes a tenth of the products.

The transforms are matrix products themselves: a tile is short, channels stay last, and of real
numbers half of the last axis's frequencies are enough. Real and imaginary part are an axis. Sums
are float32 at least; the rounding error is little more than that of "direct" (8x32x32x128 by 9x9 to
128, normal numbers: 5e-7 of the largest value).

Source: M. Mathieu, M. Henaff and Y. LeCun, 2013 (arXiv:1312.5851); N. Vasilache et al., 2014
(arXiv:1412.7580), with tiles.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from ...geometry import Shape, volume
from ..outlining import outlined
from ..shapes import Geometry
from ..widening import wide

SMALLEST = 5  # positions of a window along some axis, below which nothing is gained
# a tile's outputs to the window's positions, about: transforms grow with it, and what is read twice
# shrinks
RATIO = 1.75
# tiles per axis: more are cut apart slowly. 4x112x112x32 by 7x7 to 32: 14 ms by 4, 35 by 9
MOST = 4


class Axis(NamedTuple):
    """How one axis falls into tiles."""

    window: int
    before: int  # zeros before the first tile; less than none cut
    out: int
    tiles: int
    size: int  # outputs a tile

    @property
    def length(self) -> int:
        return self.size + self.window - 1


def serves(k: Shape, geometry: Geometry) -> str:
    """Why it cannot, or ""."""
    w = geometry.window
    fits = (
        w.rank in (1, 2)
        and volume(w.stride) == volume(w.dilation) == geometry.groups == 1
        and max(w.size) >= SMALLEST
    )
    return (
        ""
        if fits
        else f"one or two spatial axes, {SMALLEST} positions or more along one, "
        "stride and dilation 1, and one group"
    )


def forward(x, k, *, geometry: Geometry, precision):
    w = geometry.window
    return _correlated(x, k, False, [lo for lo, _ in w.pads], w.out_sizes, precision)


def input_gradient(y, k, *, geometry: Geometry, precision):
    """y convolved with the kernel: correlated with it mirrored, from as many positions before as
    make y whole.
    """
    w = geometry.window
    return _correlated(
        y,
        k,
        True,
        [f - 1 - lo for (lo, _), f in zip(w.pads, w.size, strict=True)],
        w.in_sizes,
        precision,
    )


def kernel_gradient(x, y, *, geometry: Geometry, precision):
    w = geometry.window
    axes = _axes(w.size, [lo for lo, _ in w.pads], w.out_sizes)
    a = _spectra(_planar(x), axes=axes, outputs=False, precision=precision)
    b = _spectra(_planar(y), axes=axes, outputs=True, precision=precision)
    k = _back_to_kernel(a, b, axes=axes, precision=precision)
    return k.reshape(*w.size, *k.shape[2:]).astype(y.dtype)


def _correlated(x, k, mirrored: bool, before, out: Shape, precision):
    axes = _axes(k.shape[:-2], before, out)
    kernel = _kernel_spectrum(
        k.reshape(*(a.window for a in axes), *k.shape[-2:]),
        axes=axes,
        mirrored=mirrored,
        precision=precision,
    )
    y = _back_to_image(
        _spectra(_planar(x), axes=axes, outputs=False, precision=precision),
        kernel,
        axes=axes,
        precision=precision,
    )
    return y.reshape(x.shape[0], *out, y.shape[-1]).astype(x.dtype)


def _axes(size: Shape, before, out: Shape) -> tuple[Axis, Axis]:
    """An image of one axis has a first one of one pixel."""
    one = [Axis(1, 0, 1, 1, 1)] if len(size) == 1 else []
    first, last = one + [_axis(*three) for three in zip(size, before, out, strict=True)]
    return first, last


def _axis(window: int, before: int, out: int) -> Axis:
    tiles = min(max(1, round(out / (RATIO * window))), MOST)
    size = -(-out // tiles)
    size += (size + window - 1) % 2  # an even length has the fewest frequencies for its size
    return Axis(window, before, out, -(-out // size), size)


def _planar(x):
    return x.reshape(x.shape[0], 1, *x.shape[1:]) if x.ndim == 3 else x


# The letters: n images, h and w positions, y and t tiles along them, u and v frequencies, c and k
# channels, p and q the parts.


def _spectra_of_tiles(x, *, axes: tuple[Axis, Axis], outputs: bool, precision):
    """(N, H, W, C) -> (2, L, L/2+1, N*tiles, C); of `outputs` each tile holds its own alone, and
    the spectrum is the conjugate one.
    """
    rows, columns = axes
    width = lambda a: a.size if outputs else a.length
    needed = [(0 if outputs else a.before, (a.tiles - 1) * a.size + width(a)) for a in axes]
    config = [(lo, n - size - lo, 0) for (lo, n), size in zip(needed, x.shape[1:3], strict=True)]
    x = wide(x)
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *config, (0, 0, 0)])
    sign = 1 if outputs else -1
    across = _of_real(_waves(columns.length, _half(columns), np.arange(width(columns)), sign))
    down = _of_complex(_waves(rows.length, np.arange(rows.length), np.arange(width(rows)), sign))
    a = _tiled(x, 2, columns, width(columns))  # (N, H, tiles, W', C)
    a = jnp.einsum("pvw,nhtwc->nhptvc", across.astype(x.dtype), a, precision=precision)
    a = _tiled(a, 1, rows, width(rows))  # (N, tiles, H', 2, tiles, L/2+1, C)
    a = jnp.einsum("qpuh,nyhptvc->quvnytc", down.astype(x.dtype), a, precision=precision)
    return a.reshape(*a.shape[:3], volume(a.shape[3:6]), a.shape[-1])


def _spectrum_of_kernel(k, *, axes: tuple[Axis, Axis], mirrored: bool, precision):
    """(F, F, C, K) -> (2, L, L/2+1, C, K), the conjugate one; mirrored, (2, L, L/2+1, K, C)"""
    rows, columns = axes
    order = lambda a: np.arange(a.window)[::-1] if mirrored else np.arange(a.window)
    across = _of_real(_waves(columns.length, _half(columns), order(columns), 1))
    down = _of_complex(_waves(rows.length, np.arange(rows.length), order(rows), 1))
    k = wide(k)
    a = jnp.einsum("pvw,hwck->hpvck", across.astype(k.dtype), k, precision=precision)
    return jnp.einsum(
        "qpuh,hpvck->quvkc" if mirrored else "qpuh,hpvck->quvck",
        down.astype(k.dtype),
        a,
        precision=precision,
    )


def _image_of_product(x, k, *, axes: tuple[Axis, Axis], precision):
    """(2, L, L/2+1, N*tiles, C) and (2, L, L/2+1, C, K) -> (N, H', W', K)"""
    rows, columns = axes
    z = _product("uvnc,uvck->uvnk", x, k, precision)
    z = z.reshape(
        *z.shape[:3],
        z.shape[3] // (rows.tiles * columns.tiles),
        rows.tiles,
        columns.tiles,
        z.shape[-1],
    )
    up, along = _waves_back(axes, np.arange(rows.size), np.arange(columns.size))
    a = jnp.einsum("qphu,puvnytk->nyhqvtk", up.astype(z.dtype), z, precision=precision)
    a = jnp.einsum("qwv,nyhqvtk->nyhtwk", along.astype(z.dtype), a, precision=precision)
    return a.reshape(a.shape[0], rows.tiles * rows.size, columns.tiles * columns.size, a.shape[-1])[
        :, : rows.out, : columns.out
    ]


def _kernel_of_product(x, y, *, axes: tuple[Axis, Axis], precision):
    """(2, L, L/2+1, N*tiles, C) and the same of K -> (F, F, C, K)"""
    rows, columns = axes
    z = _product("uvnc,uvnk->uvck", x, y, precision)
    up, along = _waves_back(axes, np.arange(rows.window), np.arange(columns.window))
    a = jnp.einsum("qphu,puvck->hqvck", up.astype(z.dtype), z, precision=precision)
    return jnp.einsum("qwv,hqvck->hwck", along.astype(z.dtype), a, precision=precision)


# Each for itself: XLA's CPU compiler takes neighbouring products for one, and computes the first
# anew for every output of the next.
_spectra = outlined(_spectra_of_tiles, static=("axes", "outputs", "precision"))
_kernel_spectrum = outlined(_spectrum_of_kernel, static=("axes", "mirrored", "precision"))
_back_to_image = outlined(_image_of_product, static=("axes", "precision"))
_back_to_kernel = outlined(_kernel_of_product, static=("axes", "precision"))


def _product(letters: str, a, b, precision):
    """Of complex numbers in parts."""
    dot = lambda i, j: jnp.einsum(letters, a[i], b[j], precision=precision)
    return jnp.stack([dot(0, 0) - dot(1, 1), dot(0, 1) + dot(1, 0)])


def _tiled(a, axis: int, along: Axis, width: int):
    """An axis as (tiles, width)."""
    tiles = [
        lax.slice_in_dim(a, i * along.size, i * along.size + width, axis=axis)
        for i in range(along.tiles)
    ]
    return jnp.stack(tiles, axis=axis)


def _half(axis: Axis) -> np.ndarray:
    return np.arange(axis.length // 2 + 1)


def _waves(length: int, rows: np.ndarray, columns: np.ndarray, sign: int) -> np.ndarray:
    """exp(sign*2*pi*i*r*c/length)"""
    return np.exp(sign * 2j * np.pi * np.outer(rows, columns) / length)


def _waves_back(
    axes: tuple[Axis, Axis], h: np.ndarray, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The transforms to those positions, the second to real numbers: frequencies that stand for two
    count twice.
    """
    rows, columns = axes
    v = _half(columns)
    twice = np.where((v == 0) | (2 * v == columns.length), 1, 2) / (rows.length * columns.length)
    along = _waves(columns.length, w, v, 1) * twice
    return _of_complex(_waves(rows.length, h, np.arange(rows.length), 1)), np.stack(
        [np.real(along), -np.imag(along)]
    )


def _of_real(m: np.ndarray) -> np.ndarray:
    """(R, C) complex -> (2, R, C), by which a real array becomes one of parts."""
    return np.stack([np.real(m), np.imag(m)])


def _of_complex(m: np.ndarray) -> np.ndarray:
    """(R, C) complex -> (2, 2, R, C), by which an array of parts becomes another."""
    return np.array([[np.real(m), -np.imag(m)], [np.imag(m), np.real(m)]])
