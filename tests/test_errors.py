"""Errors that know where they come from."""

import pickle
import pkgutil
import re
from importlib import import_module

import pytest

import jconv
from jconv import PatternError
from jconv.errors import (
    FeaturesError,
    InputError,
    JconvError,
    LayerError,
    ShapeError,
    located,
    unknown,
)
from jconv.train import Diverged


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


def test_what_a_caller_can_get_wrong_is_a_value_error():
    assert issubclass(ShapeError, LayerError)
    assert issubclass(LayerError, ValueError)
    assert issubclass(InputError, ValueError)
    assert not issubclass(InputError, LayerError)


def own_errors():
    """Every exception class of the package, its commands and models, as written."""
    names = [
        module.name
        for module in pkgutil.walk_packages(jconv.__path__, "jconv.")
        if not re.search("peers|__main__", module.name)
    ]
    names += [
        module.name
        for room in ("jconv.models", "jconv.scripts")
        for module in pkgutil.walk_packages(import_module(room).__path__, f"{room}.")
        if ".peers" not in module.name
    ]
    values = [value for name in names for value in vars(import_module(name)).values()]
    return {
        v
        for v in values
        if isinstance(v, type) and issubclass(v, Exception) and v.__module__.startswith("jconv.")
    }


def test_every_error_of_jconvs_own_is_of_one_family():
    found = own_errors()
    assert {
        "LayerError",
        "InputError",
        "PatternError",
        "Diverged",
        "CompilationFailed",
        "Unable",
    } <= {error.__name__ for error in found}
    assert [error for error in found if not issubclass(error, JconvError)] == []


@pytest.mark.parametrize(
    "error",
    [
        FeaturesError("no", "fc", 7),
        Diverged(3, "the loss is nan"),
        InputError("a: b"),
        PatternError("no", 1, "yes", "INPUT"),
    ],
)
def test_errors_pickle_whole(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


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
    assert (
        unknown("padding", "same", ("SAME",), "an int")
        == "unknown padding 'same'; use 'SAME', or an int"
    )
