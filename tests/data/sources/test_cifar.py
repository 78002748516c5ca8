import io
import tarfile

import numpy as np
import pytest

from jconv.data import UNIT
from jconv.data.reading import read
from jconv.data.request import Request
from jconv.data.sources.cifar import CIFAR10, CIFAR100, PIXELS, read_cifar
from jconv.errors import InputError

FORMS = {
    "cifar10": CIFAR10._replace(rows=3, test_rows=2),
    "cifar100": CIFAR100._replace(rows=7, test_rows=2),
}


@pytest.fixture(params=sorted(FORMS))
def published(request, rng):
    """(name, form, {file: bytes}, training images, training labels)"""
    form = FORMS[request.param]
    files, images, labels = {}, [], []
    for name in (*form.train, form.test):
        rows = form.test_rows if name == form.test else form.rows
        pixels = rng.integers(0, 256, (rows, 32, 32, 3), np.uint8)
        label = rng.integers(0, form.classes, rows)
        coarse = np.full((rows, form.labels - 1), 19, np.uint8)
        planes = pixels.transpose(0, 3, 1, 2).reshape(rows, -1)
        table = np.concatenate([coarse, label[:, None].astype(np.uint8), planes], 1)
        files[name] = table.tobytes()
        if name != form.test:
            images.append(pixels)
            labels.append(label)
    files[form.names] = "\n".join(f"class{i}" for i in range(form.classes)).encode() + b"\n\n"
    return request.param, form, files, np.concatenate(images), np.concatenate(labels)


def unpacked(folder, form, files):
    (folder / form.folder).mkdir(parents=True)
    for name, data in files.items():
        (folder / form.folder / name).write_bytes(data)


def packed(folder, form, files):
    with tarfile.open(folder / form.remote.name, "w:gz") as archive:
        for name, data in {"readme.html": b"<html>", **files}.items():
            info = tarfile.TarInfo(f"{form.folder}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return folder / form.remote.name


@pytest.mark.parametrize("kind", ["in", "folder", "archive", "in archive"])
def test_the_binary_form_is_read(published, tmp_path, kind):
    name, form, files, images, labels = published
    path = tmp_path
    if "archive" in kind:
        archive = packed(tmp_path, form, files)
        path = archive if kind == "archive" else tmp_path
    else:
        unpacked(tmp_path, form, files)
        path = tmp_path / form.folder if kind == "folder" else tmp_path
    data = read_cifar(name, form, Request(path))
    np.testing.assert_array_equal(data.train.images, images)
    np.testing.assert_array_equal(data.train.labels, labels)
    assert data.train.labels.dtype == np.int32 and len(data.test.labels) == 2
    assert data.class_names[:2] == ("class0", "class1") and len(data.class_names) == form.classes
    assert data.pixels == PIXELS and data.train.images.flags.c_contiguous


def test_the_pixels_are_scaled_as_published():
    np.testing.assert_allclose(PIXELS.mean, (0.4914, 0.4824, 0.4467), atol=5e-5)
    np.testing.assert_allclose(PIXELS.std, (0.2471, 0.2435, 0.2616), atol=5e-5)


def test_gray_images_have_no_statistics_of_colours(published, tmp_path):
    name, form, files, *_ = published
    unpacked(tmp_path, form, files)
    data = read_cifar(name, form, Request(tmp_path))
    assert read(data, Request(in_shape=(16, 16, 3))).pixels == PIXELS
    assert read(data, Request(in_shape=(16, 16, 1))).pixels == UNIT


@pytest.mark.parametrize("place", [unpacked, packed])
def test_what_differs_is_named(published, tmp_path, place):
    name, form, files, *_ = published
    for i, (changed, text) in enumerate(
        [
            ({form.test: files[form.test][:-1]}, r"test[_a-z]*.bin: has [\d,]+ bytes, [\d,]+ were"),
            (
                {form.names: b"ant bee"},
                rf"{form.names} has 2 names of classes, {form.classes} were",
            ),
            (
                {form.test: bytes([form.classes] * form.labels) + files[form.test][form.labels :]},
                rf"{form.test}: label 0 is {form.classes}, 0 to {form.classes - 1} were expected",
            ),
        ]
    ):
        folder = tmp_path / str(i)
        folder.mkdir()
        place(folder, form, files | changed)
        with pytest.raises(InputError, match=text):
            read_cifar(name, form, Request(folder))


def test_a_file_that_was_not_unpacked_is_named(published, tmp_path):
    name, form, files, *_ = published
    unpacked(tmp_path, form, files)
    (tmp_path / form.folder / form.test).unlink()
    with pytest.raises(InputError, match=rf"{form.folder}/{form.test}: cannot be read"):
        read_cifar(name, form, Request(tmp_path))


def test_the_published_sizes():
    for form, train in ((CIFAR10, 5), (CIFAR100, 1)):
        assert len(form.train) == train and len(form.train) * form.rows == 50_000
    assert (CIFAR10.row, CIFAR100.row) == (3073, 3074)
