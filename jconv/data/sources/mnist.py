"""MNIST, and Fashion-MNIST, which has its form."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import InputError
from ..dataset import Dataset, Split, check_labels
from ..download import Remote, data_folder, fetch
from ..idx import read_idx
from ..request import Request

FILES = (  # images and labels of train, of test
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)
MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"  # a copy: the first one is closed
MNIST_MD5 = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FASHION_MD5 = {
    "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
}
FASHION_CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


def mnist(request: Request) -> Dataset:
    """60,000 handwritten digits to train with and 10,000 to test, 28x28x1.

    Source: LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document
    recognition".
    """
    return _read("mnist", request, MNIST_URL, MNIST_MD5, tuple("0123456789"))


def fashion_mnist(request: Request) -> Dataset:
    """60,000 pictures of clothes to train with and 10,000 to test, 28x28x1.

    Source: Xiao, Rasul & Vollgraf 2017, "Fashion-MNIST".
    """
    return _read("fashion_mnist", request, FASHION_URL, FASHION_MD5, FASHION_CLASSES)


def _read(
    name: str, request: Request, url: str, md5: dict[str, str], class_names: tuple[str, ...]
) -> Dataset:
    folder = data_folder(name, request.path)
    wanted = FILES[1:] if request.test_only else FILES
    missing = [file for pair in wanted for file in pair if _place(folder, file) is None]
    if missing:
        fetch([Remote(f"{url}{file}.gz", md5[file]) for file in missing], folder, request)
    splits = [_split(folder, *pair, len(class_names)) for pair in wanted]
    return Dataset(splits[0], splits[-1], class_names)


def _place(folder: Path, name: str) -> Path | None:
    """The file of that name, compressed or not; unpackers write a point for a hyphen."""
    names = (name, name.replace("-idx", ".idx"))
    places = [folder / f"{spelled}{suffix}" for spelled in names for suffix in ("", ".gz")]
    return next((place for place in places if place.is_file()), None)


def _split(folder: Path, images_name: str, labels_name: str, classes: int) -> Split:
    images_path = _place(folder, images_name) or folder / f"{images_name}.gz"
    labels_path = _place(folder, labels_name) or folder / f"{labels_name}.gz"
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if len(images) != len(labels):
        raise InputError(
            f"{labels_path}: holds {len(labels):,} labels, {images_path.name} {len(images):,} "
            "images; they must be of one set"
        )
    check_labels(labels, classes, labels_path)
    return Split(images[..., None], labels.astype(np.int32))  # (N, 28, 28, 1)
