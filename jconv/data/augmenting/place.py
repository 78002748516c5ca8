"""Where pixels come from, and which are left out."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...geometry import Shape
from ..on_device import reflected


def shifted(
    x: jax.Array, shifts: jax.Array, mirrored: jax.Array | None, in_shape: Shape, edge: str
) -> jax.Array:
    """The middle of images, mirrored or not, then moved by (B, 2) pixels down and to the right;
    what moves in is the rest of the image, and beyond it zeros or, for "reflect", its reflection.
    (B, H, W, C) -> (B, h, w, C), the dtype too

    A gather: 128 times 32x32x3 in 0.3 to 0.5 ms on two cores of an AMD EPYC without AVX-512, jax
    0.10.2. Dynamic slices of padded images take 0.4 to 0.6, products with one-hot matrices 2.
    """
    height, width = x.shape[1:3]
    along = lambda size: jnp.arange(size, dtype=jnp.int32)[None]
    rows = along(in_shape[0]) - shifts[:, :1]  # (B, h), of the middle
    columns = along(in_shape[1]) - shifts[:, 1:]
    if mirrored is not None:
        columns = jnp.where(mirrored[:, None], in_shape[1] - 1 - columns, columns)
    rows, columns = rows + (height - in_shape[0]) // 2, columns + (width - in_shape[1]) // 2
    bounded = reflected if edge == "reflect" else lambda at, size: at.clip(0, size - 1)
    y, z = bounded(rows, height), bounded(columns, width)
    where = jnp.arange(len(x), dtype=jnp.int32)[:, None, None], y[:, :, None], z[:, None]
    found = x.at[where].get(mode="promise_in_bounds")
    if edge == "reflect":
        return found
    inside = (y == rows)[:, :, None] & (z == columns)[:, None]  # (B, h, w)
    return jnp.where(inside[..., None], found, 0)


def box(key: jax.Array, shape: Shape, sides: jax.Array) -> jax.Array:
    """Whether each pixel of `shape` (h, w) is in a box of `sides` (2,) int32, whose centre is
    anywhere in the image, and which is cut off at its edge. (h, w) bool
    """
    centre = jax.random.randint(key, (2,), 0, jnp.array(shape, jnp.int32), jnp.int32)
    first = centre - sides // 2
    place = [jnp.arange(size, dtype=jnp.int32) - first[axis] for axis, size in enumerate(shape)]
    y, z = ((at >= 0) & (at < sides[axis]) for axis, at in enumerate(place))
    return y[:, None] & z[None]
