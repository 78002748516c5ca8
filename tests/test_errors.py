"""Errors that know where they come from."""

import pickle

import pytest

from jconv.errors import InputError, LayerError, ShapeError, located, unknown


def test_the_text_is_the_path_and_the_message():
    assert str(ShapeError("does not fit")) == "does not fit"
    assert str(ShapeError("does not fit", "conv2")) == "conv2: does not fit"


def test_a_path_grows_from_the_inside_out():
    error = ShapeError("does not fit").under("conv2").under("body").under("block1")
    assert type(error) is ShapeError
    assert (error.path, error.message) == ("block1/body/conv2", "does not fit")
    assert str(error) == "block1/body/conv2: does not fit"


def test_errors_pickle_with_their_path():
    error = pickle.loads(pickle.dumps(LayerError("no key", "drop")))
    assert (type(error), str(error), error.path) == (LayerError, "drop: no key", "drop")


def test_all_are_value_errors():
    assert issubclass(ShapeError, LayerError)
    assert issubclass(LayerError, ValueError)
    assert issubclass(InputError, ValueError)
    assert not issubclass(InputError, LayerError)


def fails(error):
    raise error


def test_located_places_layer_errors_and_lets_others_be():
    assert located("a", max, 1, 2) == 2
    assert located("a", sorted, [1, 2], reverse=True) == [2, 1]
    with pytest.raises(ShapeError, match="^a/b: no$"):
        located("a", located, "b", fails, ShapeError("no"))
    with pytest.raises(ShapeError, match="^no$"):
        located("", fails, ShapeError("no"))
    with pytest.raises(KeyError, match="^'no'$"):
        located("a", fails, KeyError("no"))


def test_unknown_words_list_those_known():
    assert unknown("method", "fast", ("auto", "lax")) == "unknown method 'fast'; use 'auto', 'lax'"
    assert unknown("padding", "same", ("SAME",), "an int") == "unknown padding 'same'; use 'SAME', or an int"
