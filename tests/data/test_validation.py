import numpy as np
import pytest

from jconv.data import Dataset, Split
from jconv.data.validation import held_out, is_held_out
from jconv.errors import InputError


def test_the_hash_is_fixed():
    # SHA-256 of "ant/0.png" begins with 0x9690...
    assert is_held_out("ant/0.png", 0.5882) and not is_held_out("ant/0.png", 0.5880)
    assert not is_held_out("ant/0.png", 0.0)


def test_a_name_that_is_no_text_has_a_hash():
    assert is_held_out("ant/\udcff.png", 1 - 1e-9)


def dataset(rng, train=1000, test=3):
    split = lambda n: Split(
        rng.integers(0, 256, (n, 2, 2, 1), np.uint8), (np.arange(n) % 2).astype(np.int32)
    )
    return Dataset(split(train), split(test), ("even", "odd"))


def test_a_share_is_held_out_in_order(rng):
    data = dataset(rng)
    held = held_out(data, 0.2)
    chosen = [is_held_out(f"train/{i}", 0.2) for i in range(1000)]
    assert 160 < sum(chosen) < 240
    for split, rows in ((held.validation, chosen), (held.train, ~np.array(chosen))):
        np.testing.assert_array_equal(split.images, data.train.images[rows])
        np.testing.assert_array_equal(split.labels, data.train.labels[rows])
    assert held.test is data.test and held_out(data, 0) is data


def test_where_nothing_tests_the_share_does(rng):
    held = held_out(dataset(rng, test=0), 0.2)
    assert held.validation is None and 160 < len(held.test.labels) < 240


def test_every_class_has_images_on_both_sides(rng):
    with pytest.raises(
        InputError, match="of the 2 images of class 'even' none is held out; choose"
    ):
        held_out(dataset(rng, 4), 0.01)
    with pytest.raises(InputError, match="of the 2 images of class 'even' none is left to train"):
        held_out(dataset(rng, 4), 0.99)
