import numpy as np
import pytest

from jconv.data import Order, batch_order, steps_per_epoch
from jconv.errors import InputError


def test_an_epoch_has_every_example_once_but_for_the_rest_of_the_last_batch():
    order = Order(seed=3, examples=23, batch_size=5)
    assert order.steps == 4
    epochs = [np.concatenate([order.rows(4 * e + i) for i in range(4)]) for e in range(6)]
    for rows in epochs:
        assert len(set(rows.tolist())) == 20 and rows.dtype == np.int32
        assert set(rows.tolist()) <= set(range(23))
    assert not any((a == b).all() for a, b in zip(epochs, epochs[1:], strict=False))
    assert set(np.concatenate(epochs).tolist()) == set(range(23)), "one is left out for ever"


def test_a_place_is_an_example_of_its_step():
    order = Order(seed=3, examples=23, batch_size=5)
    for step in (0, 3, 4, 11):
        rows = [order.row(step * 5 + i) for i in range(5)]
        assert [row for _, row in rows] == order.rows(step).tolist()
        assert {epoch for epoch, _ in rows} == {step // 4}


def test_the_order_follows_from_the_seed_and_the_epoch():
    assert batch_order(1, 2, 50).tolist() == batch_order(1, 2, 50).tolist()
    others = [batch_order(seed, epoch, 50).tolist() for seed, epoch in ((1, 3), (2, 2), (2, 1))]
    assert batch_order(1, 2, 50).tolist() not in others
    with pytest.raises(ValueError, match="read-only"):
        batch_order(1, 2, 50)[0] = 7


def test_too_few_examples():
    with pytest.raises(InputError, match="the batch size is 5 but there are 4 training examples"):
        steps_per_epoch(4, 5)
