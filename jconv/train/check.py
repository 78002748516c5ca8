"""Checks at the boundary: what a net is about to be fed, before anything is traced or trained."""

from __future__ import annotations

import numpy as np

from ..data.stored import StoredImages
from ..errors import InputError, ShapeError
from ..geometry import Shape
from ..layer import Layer


def count_classes(net: Layer, in_shape: Shape) -> int:
    """How many logits the net gives an image. Raises ShapeError when it gives anything but a row of
    scores.
    """
    out = net.out_shape(in_shape)
    if len(out) != 1:
        raise ShapeError(
            f"the net gives {out}, a row of scores (classes,) was expected; end it with Flatten or "
            "GlobalAvgPool"
        )
    return out[0]


def check_examples(
    images: np.ndarray | StoredImages, labels: np.ndarray, in_shape: Shape, classes: int
) -> None:
    """Raises InputError unless images are (N, *in_shape) uint8 or float32, and labels (N,) integers
    in 0..classes-1.
    """
    if images.shape[1:] != tuple(in_shape):
        raise InputError(
            f"images have the shape {images.shape[1:]} (the batch is {images.shape}) but the net "
            f"takes {tuple(in_shape)}; resize=True fits images to the net: it crops, resizes and "
            "changes gray to colour or back"
        )
    if images.dtype not in (np.uint8, np.float32):
        raise InputError(
            f"images have dtype {images.dtype}, uint8 (0 to 255, which training divides by 255) or "
            "float32 (taken as it is) was expected; images.astype('uint8') for pixels"
        )
    if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            f"labels have shape {labels.shape} and dtype {labels.dtype}, {images.shape[:1]} "
            "integers were expected, one an image"
        )
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.size:
        raise InputError(
            f"labels out of range: found {wrong[0]}, the net has {classes} classes "
            f"(0..{classes - 1}); "
            "number the classes from 0, or build the net with more"
        )
