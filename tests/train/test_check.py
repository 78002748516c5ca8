import numpy as np
import pytest

from jconv import Conv, ShapeError
from jconv.errors import InputError
from jconv.train import check_examples, count_classes


@pytest.fixture
def images():
    return np.zeros((5, 7, 3, 2), np.uint8)


@pytest.fixture
def labels():
    return np.array([0, 3, 1, 2, 0], np.int32)


def test_what_fits_passes(images, labels, tiny):
    check_examples(images, labels, (7, 3, 2), 4)
    check_examples(images.astype(np.float32), labels.astype(np.uint8), (7, 3, 2), 4)
    assert count_classes(tiny.net, tiny.in_shape) == 3


def test_a_wrong_shape_says_both_and_the_fix(images, labels):
    with pytest.raises(
        InputError,
        match=r"images have the shape \(7, 3, 2\) \(the batch is \(5, 7, 3, 2\)\) but the net "
        r"takes \(7, 3, 1\); resize=True",
    ):
        check_examples(images, labels, (7, 3, 1), 4)


@pytest.mark.parametrize("dtype", [np.float64, np.int32])
def test_a_wrong_dtype_says_what_came_and_what_was_expected(images, labels, dtype):
    with pytest.raises(
        InputError,
        match=rf"images have dtype {np.dtype(dtype)}, uint8 \(0 to 255, .*\) or float32 .* was "
        rf"expected",
    ):
        check_examples(images.astype(dtype), labels, (7, 3, 2), 4)


@pytest.mark.parametrize("wrong", [10, -1])
def test_labels_out_of_range(images, labels, wrong):
    labels[3] = wrong
    with pytest.raises(
        InputError,
        match=rf"labels out of range: found {wrong}, the net has 10 classes \(0..9\); number the "
        rf"classes from 0",
    ):
        check_examples(images, labels, (7, 3, 2), 10)


def test_labels_of_another_kind(images, labels):
    with pytest.raises(
        InputError,
        match=r"labels have shape \(5,\) and dtype float32, \(5,\) integers were expected",
    ):
        check_examples(images, labels.astype(np.float32), (7, 3, 2), 4)
    with pytest.raises(InputError, match=r"labels have shape \(4,\)"):
        check_examples(images, labels[:4], (7, 3, 2), 4)


def test_a_net_that_gives_no_row_of_scores(tiny):
    with pytest.raises(
        ShapeError,
        match=r"the net gives \(5, 3, 4\), a row of scores \(classes,\) was expected; end it with "
        r"Flatten",
    ):
        count_classes(Conv(4, 3), tiny.in_shape)
