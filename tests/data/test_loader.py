import numpy as np
import pytest

from jconv.data import Split, batch_order, padded_batches, shift, steps_per_epoch, train_batches
from jconv.errors import InputError


@pytest.fixture
def split(rng):
    return Split(rng.integers(0, 256, (23, 7, 5, 3), np.uint8), np.arange(23, dtype=np.int32))


def test_order_is_a_permutation_and_a_pure_function_of_seed_and_epoch():
    order = batch_order(3, 5, 101)
    assert sorted(order) == list(range(101))
    np.testing.assert_array_equal(order, batch_order(3, 5, 101))
    others = [batch_order(3, 6, 101), batch_order(4, 5, 101), batch_order(5, 3, 101)]
    assert not any((order == other).all() for other in others)


def test_batches_follow_the_order_and_leave_the_rest_out(split):
    batches = list(train_batches(split, 5, seed=1, epoch=2))
    assert [batch.images.shape for batch in batches] == [(5, 7, 5, 3)] * 4
    seen = np.concatenate([batch.labels for batch in batches])
    np.testing.assert_array_equal(seen, batch_order(1, 2, 23)[:20])
    np.testing.assert_array_equal(
        np.concatenate([batch.images for batch in batches]), split.images[seen]
    )


def test_shifts_are_pure_functions_of_seed_epoch_and_index(split):
    once, again = (list(train_batches(split, 5, 1, 2, shift_pixels=2)) for _ in range(2))
    for index, (a, b) in enumerate(zip(once, again, strict=True)):
        np.testing.assert_array_equal(a.images, b.images)
        expected = shift(split.images[a.labels], 2, np.random.default_rng((1, 2, index + 1)))
        np.testing.assert_array_equal(a.images, expected)
        assert (a.images != split.images[a.labels]).any()


def test_a_batch_larger_than_the_split_is_refused(split):
    assert steps_per_epoch(23, 23) == 1
    with pytest.raises(
        InputError,
        match="the batch size is 29 but there are 23 training examples; use a batch size of at "
        "most 23",
    ):
        next(train_batches(split, 29, 0, 0))


@pytest.mark.parametrize("batch_size", [1, 5, 23, 29])
def test_padded_batches_hold_every_image_once_in_one_shape(split, batch_size):
    batches = list(padded_batches(split.images, batch_size))
    assert {batch.shape for batch, _ in batches} == {(batch_size, 7, 5, 3)}
    np.testing.assert_array_equal(
        np.concatenate([batch[:count] for batch, count in batches]), split.images
    )
    last, count = batches[-1]
    assert not last[count:].any()
