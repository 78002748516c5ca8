import pytest

from jconv.errors import InputError
from jconv.train.recipe import Segment, segments


def test_the_calls_are_the_epochs_and_what_there_is_of_the_last(recipe):
    assert segments(recipe, 23) == [Segment(4, "bias"), Segment(3, "frozen")]
    assert segments(recipe._replace(epochs=2), 23) == [Segment(4, "bias"), Segment(4, "frozen")]
    assert segments(recipe._replace(epochs=0.1), 23) == [Segment(1, "bias")]


def test_too_few_images_for_a_batch(recipe):
    with pytest.raises(
        InputError,
        match="the batch size is 5 but there are 4 training examples; "
        "use a batch size of at most 4",
    ):
        segments(recipe, 4)
