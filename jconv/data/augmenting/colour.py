"""Colours changed, of values from 0 to 255."""

from __future__ import annotations

from functools import reduce
from operator import add

import jax
import jax.numpy as jnp
import numpy as np

GRAY = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R 601 luma
# principal components of ImageNet's colours, values of 0 to 1: of red, green and blue, a row each
EIGENVALUES = (0.2175, 0.0188, 0.0045)
EIGENVECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)


def jittered(key: jax.Array, image: jax.Array, strength: float) -> jax.Array:
    """One image of another brightness, contrast and saturation: factor·x + (1 - factor)·y each, in
    random order, y black, the mean gray of the image, and each pixel's own gray. Nothing is
    clipped. A gray image has no saturation. (H, W, C) -> the same, float32

    Each is an affine map of colours, so all are one, whose numbers follow from the mean colour.
    Source: ColorJitter of fb.resnet.torch. (dm-pix has others of these names: it adds brightness,
    takes the contrast of each channel and the saturation of HSV.)
    """
    x, channels = image.astype(jnp.float32), image.shape[2]
    mean, gray = x.mean((0, 1)), jnp.array(GRAY if channels == 3 else (1.0,), x.dtype)  # (C,)
    kinds = 3 if channels == 3 else 2  # brightness, contrast, saturation
    of_factors, of_order = jax.random.split(key)
    factors = jax.random.uniform(of_factors, (kinds,), x.dtype, 1 - strength, 1 + strength)
    order = jax.random.permutation(of_order, kinds)
    # the colour so far is matrix·x + offset
    matrix, offset = jnp.eye(channels, dtype=x.dtype), jnp.zeros((), x.dtype)
    for place in range(kinds):
        kind, factor = order[place], factors[order[place]]
        to_gray = (gray[:, None] * matrix).sum(0)  # (C,), its gray is to_gray·x + offset
        constants = jnp.stack([jnp.zeros_like(offset), (to_gray * mean).sum() + offset, offset])
        offset = factor * offset + (1 - factor) * constants[kind]
        matrix = factor * matrix + jnp.where(kind == 2, 1 - factor, 0) * to_gray[None]
    # sums: a product with so small a matrix takes XLA's CPU code two and a half times as long
    parts = (x[..., c, None] * matrix[None, None, :, c] for c in range(channels))
    return reduce(add, parts) + offset


def lights(keys: jax.Array, std: float) -> jax.Array:
    """What is added to the colours of images: 255·EIGENVECTORS·(EIGENVALUES·a), a normal with the
    standard deviation `std`. (B,) keys -> (B, 3). Source: Krizhevsky et al. 2012.
    """
    a = std * jax.vmap(lambda key: jax.random.normal(key, (3,), jnp.float32))(keys)
    along = 255 * np.array(EIGENVECTORS) * np.array(EIGENVALUES)  # (3, 3), a row a colour
    return (a[:, None] * jnp.asarray(along, jnp.float32)[None]).sum(2)
