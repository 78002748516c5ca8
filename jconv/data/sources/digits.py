"""Handwritten digits that come with scikit-learn: nothing is downloaded."""

from __future__ import annotations

import numpy as np

from ..dataset import Dataset, Split
from ..request import DEFAULT, Request


def digits(request: Request = DEFAULT) -> Dataset:
    """1,797 handwritten digits of 43 writers, 8x8 pixels of 17 grays, resized to 32x32x1 or to
    `in_shape`.

    Bilinear resizing: it stays within the range of the pixels and draws no ringing round the
    strokes, as a sharper kernel would. The split is fixed and draws nothing: of each five images of
    a class the middle one is for testing, so 1,438 train and 359 test the net, whatever the seed of
    the training and the version of NumPy.
    Source: scikit-learn's `load_digits`, a copy of the test set of the UCI Optical Recognition of
    Handwritten Digits.
    """
    from PIL import Image
    from sklearn.datasets import load_digits

    from ..image import to_array

    # (1797, 64) with values 0 to 16, (1797,)
    values, labels = (np.asarray(a) for a in load_digits(return_X_y=True))
    pixels = np.round(values * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    shape = request.in_shape or (32, 32, 1)
    images = np.stack([to_array(Image.fromarray(image), shape) for image in pixels])
    labels = labels.astype(np.int32)
    rank = np.zeros_like(labels)  # of an image among those of its class
    for label in range(10):
        rank[labels == label] = np.arange((labels == label).sum())
    test = rank % 5 == 2
    return Dataset(
        Split(images[~test], labels[~test]), Split(images[test], labels[test]), tuple("0123456789")
    )
