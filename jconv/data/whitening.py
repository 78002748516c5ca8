"""What a data set says of its own pixels: the statistics that standardise it, and the kernel that
whitens its patches.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..ops import moments


def channel_statistics(images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and standard deviation of every channel over all images and positions.

    Shapes: (N, H, W, C) of any dtype -> (C,), (C,) float32. Summed image by image first, so that no
    sum has millions of terms.
    """
    means, variances = moments(images, (1, 2))  # (N, C)
    mean, between = moments(means, (0,))
    return mean, jnp.sqrt(jnp.mean(variances, 0) + between)


def whitening_kernel(images: jax.Array, window: int = 2, eps: float = 5e-4) -> jax.Array:
    """The kernel of a convolution whose outputs are uncorrelated and of variance 1 over these
    images: v / sqrt(l + eps) for each eigenvector v, of eigenvalue l, of the second moments of
    their patches, largest l first, and then the negatives of all of them.

    `images` are standardised. `eps` bounds what a direction that hardly occurs is stretched by.
    Shapes: (N, H, W, C) -> (window, window, C, 2*window*window*C). Source: Page 2018; tysam-code
    2023, who adds the negatives.
    """
    n, height, width, channels = images.shape
    rows, columns = height - window + 1, width - window + 1
    patches = [
        images[:, r : r + rows, c : c + columns] for r in range(window) for c in range(window)
    ]
    # (N, H'*W', k*k*C), in a kernel's order
    x = jnp.concatenate(patches, axis=-1).reshape(n, rows * columns, -1)
    # image by image first, as above
    products = jnp.einsum("npa,npb->nab", x, x, precision="highest")
    # smallest first, an eigenvector a column
    values, vectors = jnp.linalg.eigh(products.mean(0) / (rows * columns))
    scaled = (vectors / jnp.sqrt(values + eps)[None])[:, ::-1]
    return jnp.concatenate([scaled, -scaled], axis=1).reshape(window, window, channels, -1)
