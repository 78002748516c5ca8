import json
from pathlib import Path

import pytest

from jconv.errors import InputError
from jconv.train.options import LATER, TrainOptions


def test_options_go_to_json_and_back():
    options = TrainOptions(
        data="folder",
        data_dir=Path("/some/where"),
        epochs=3,
        learning_rate=1,
        plan=Path("plan.json"),
        out=Path("runs/one"),
    )
    assert TrainOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options
    assert TrainOptions.from_dict(TrainOptions().to_dict()) == TrainOptions()


def test_the_choices_are_those_of_the_library():
    from typing import get_args, get_type_hints

    from jconv.data import SOURCES
    from jconv.train import LOSSES, OPTIMIZERS, SCHEDULES

    kinds = get_type_hints(TrainOptions)
    assert get_args(kinds["optimizer"]) == OPTIMIZERS
    assert get_args(kinds["schedule"]) == SCHEDULES
    assert get_args(kinds["loss"]) == tuple(LOSSES)
    assert get_args(kinds["data"]) == SOURCES


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"epochs": 0}, "--epochs: found 0, expected 1 or more"),
        ({"batch_size": -5}, "--batch-size: found -5, expected 1 or more"),
        ({"seed": -1}, "--seed: found -1, expected 0 or more"),
        ({"learning_rate": 0.0}, "--learning-rate: found 0.0, expected more than 0"),
        ({"learning_rate": float("nan")}, "--learning-rate: found nan, expected a finite number"),
        ({"weight_decay": float("nan")}, "--weight-decay: found nan, expected a finite number"),
        (
            {"seed": 2**64},
            "--seed: found 18446744073709551616, expected 18446744073709551615 or less",
        ),
        ({"momentum": 1.5}, "--momentum: found 1.5, expected 1 or less"),
        ({"learning_rate": float("inf")}, "--learning-rate: found inf, expected a finite number"),
        ({"epochs": "ten"}, "--epochs: found 'ten', expected a whole number"),
        ({"epochs": True}, "--epochs: found True, expected a whole number"),
        ({"resize": 1}, "--resize: found 1, expected True or False"),
        ({"loss": "hinge"}, "--loss: found 'hinge', expected one of 'softmax', 'svm'"),
    ],
)
def test_a_wrong_value_is_named(settings, words):
    with pytest.raises(InputError, match=words):
        TrainOptions.from_dict({**TrainOptions().to_dict(), **settings})


def test_a_wrong_field_is_named():
    saved = TrainOptions().to_dict()
    with pytest.raises(InputError, match="unknown option 'colour'"):
        TrainOptions.from_dict({**saved, "colour": 1})
    del saved["loss"]
    with pytest.raises(InputError, match="option 'loss' is missing"):
        TrainOptions.from_dict(saved)


def test_options_of_an_earlier_version_have_the_defaults_of_what_came_later():
    saved = TrainOptions(epochs=3).to_dict()
    for name in LATER:
        del saved[name]
    assert TrainOptions.from_dict(saved) == TrainOptions(epochs=3)
    assert LATER < saved.keys() | LATER == TrainOptions().to_dict().keys()
