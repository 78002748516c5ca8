"""Handwritten digits that come with scikit-learn: nothing is downloaded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..dataset import Dataset, Split
from ..request import DEFAULT, Request

FILE = "datasets/data/digits.csv.gz"


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

    from ..image import to_array

    values, labels = _embedded()
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


def _embedded() -> tuple[np.ndarray, np.ndarray]:
    """(1797, 64) with values 0 to 16, (1797,).

    From the file that scikit-learn brings, where it lies: importing scikit-learn to read it would
    take two seconds.
    """
    found = find_spec("sklearn")
    file = Path(found.origin).parent / FILE if found and found.origin else None
    if file is None or not file.exists():
        from sklearn.datasets import load_digits

        values, labels = load_digits(return_X_y=True)
        return np.asarray(values), np.asarray(labels)
    table = np.loadtxt(file, delimiter=",")  # which is compressed, as its name says
    return table[:, :-1], table[:, -1]
