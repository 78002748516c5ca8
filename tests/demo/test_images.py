import numpy as np
import pytest

from jconv import InputError
from jconv.data import Dataset, Split
from jconv.demo.images import batches, on_device, taken


def split(count, dtype=np.uint8):
    return Split(np.zeros((count, 4, 4, 1), dtype), np.zeros(count, np.int32))


def test_every_tenth_image_is_never_trained_on():
    found = on_device(Dataset(split(100), split(5), ("a",)))
    assert found.held.tolist() == list(range(0, 100, 10))
    assert sorted([*found.rows, *found.held]) == list(range(100))
    assert found.in_shape == (4, 4, 1)


def test_of_few_images_all_are_trained_on():
    found = on_device(Dataset(split(7), split(5), ("a",)))
    assert found.rows.tolist() == list(range(7))


def test_images_of_floats_are_refused():
    with pytest.raises(InputError, match="pixels"):
        on_device(Dataset(split(30, np.float32), split(5), ("a",)))


def test_an_epoch_has_every_row_once_in_an_order_of_its_own():
    order = batches(np.arange(10, 22), 4, seed=1)
    seen = [next(order) for _ in range(6)]
    first, second = (np.concatenate([rows for rows, _ in seen[i : i + 3]]) for i in (0, 3))
    assert sorted(first) == sorted(second) == list(range(10, 22))
    assert first.tolist() != second.tolist()
    assert [epoch for _, epoch in seen] == [1, 1, 1, 2, 2, 2]
    again = batches(np.arange(10, 22), 4, seed=1)
    assert np.array_equal(next(again)[0], seen[0][0])
    other = batches(np.arange(10, 22), 4, seed=1, begun=12)
    assert not np.array_equal(np.concatenate([next(other)[0] for _ in range(3)]), first)


def test_a_batch_may_be_larger_than_the_set():
    rows, _ = next(batches(np.arange(3), 8, seed=0))
    assert len(rows) == 8 and set(rows) == {0, 1, 2}


def test_batches_are_taken_into_the_first_rows():
    rows, epoch = taken(batches(np.arange(1, 9), 2, seed=0), 3, (5, 2))
    assert (rows[:3] > 0).all() and (rows[3:] == 0).all() and epoch == 1
