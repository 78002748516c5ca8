"""What a net is tested on: the middle of an image, or several views of it whose outputs are
averaged.

A view function takes images (B, H, W, C), pixels or what they were scaled to, and the net's
in_shape (h, w, C), and gives (views, B, h, w, C) of the same dtype. Nothing is resized.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ..errors import InputError
from ..geometry import Shape


def centred(images: jax.Array, in_shape: Shape) -> jax.Array:
    """The middle of images that are larger; where a row or column is left over, it is the last.

    Shapes: (B, H, W, C) -> (B, h, w, C). Raises InputError for smaller images, and for other
    channels.
    """
    top, left = (room // 2 for room in spare(images, in_shape))
    return cut(images, top, left, in_shape)


def one_view(images: jax.Array, in_shape: Shape) -> jax.Array:
    """The middle alone: (1, B, h, w, C)."""
    return centred(images, in_shape)[None]


def mirrored_pair(images: jax.Array, in_shape: Shape) -> jax.Array:
    """The middle, and its mirror image: (2, B, h, w, C)."""
    return and_mirrored([centred(images, in_shape)])


def ten_crop(images: jax.Array, in_shape: Shape) -> jax.Array:
    """The middle and the corners, top left, top right, bottom left and bottom right, then the
    mirror images of the five: (10, B, h, w, C).

    Raises InputError for images that are no larger than the net takes, all of whose crops would be
    the same. Source: Krizhevsky et al. 2012 (256x256 to 224x224).
    """
    down, right = spare(images, in_shape)
    if not down and not right:
        raise InputError(
            f"views='ten-crop': the images are {size(in_shape)}, as the net takes them, so that "
            "all crops are the same; larger ones were expected (image_size=...), or "
            "views='mirrored'"
        )
    corners = [(0, 0), (0, right), (down, 0), (down, right)]
    crops = [cut(images, top, left, in_shape) for top, left in corners]
    return and_mirrored([centred(images, in_shape), *crops])


VIEWS: dict[str, Callable[[jax.Array, Shape], jax.Array]] = {
    "centre": one_view,
    "mirrored": mirrored_pair,
    "ten-crop": ten_crop,
}


def spare(images: jax.Array, in_shape: Shape) -> tuple[int, int]:
    """The rows and columns that images have more than a net takes. Raises InputError."""
    if len(images.shape) != 4:
        raise InputError(
            f"images have the shape {tuple(images.shape)}, (B, H, W, C) was expected; a single "
            "image is images[None]"
        )
    have, want = images.shape[1:], tuple(in_shape)
    if have[2:] != want[2:]:
        raise InputError(
            f"images are {size(have)} but the net takes {size(want)}: as many channels were "
            "expected; resize=True changes gray to colour or back"
        )
    if have[0] < want[0] or have[1] < want[1]:
        raise InputError(
            f"images are {size(have)} but the net takes {size(want)}: at least that size was "
            "expected; resize=True fits them to the net, resized_crop=True enlarges parts of them"
        )
    return have[0] - want[0], have[1] - want[1]


def cut(images: jax.Array, top: int, left: int, in_shape: Shape) -> jax.Array:
    """The part of a net's size whose first pixel is (top, left)."""
    return images[:, top : top + in_shape[0], left : left + in_shape[1]]


def and_mirrored(crops: list[jax.Array]) -> jax.Array:
    return jnp.stack([*crops, *(crop[:, :, ::-1] for crop in crops)])


def size(shape: Shape) -> str:
    return "x".join(map(str, shape))
