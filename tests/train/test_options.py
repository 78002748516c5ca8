import json
from pathlib import Path

import pytest

from jconv.errors import InputError
from jconv.train.options import FIRST, GIVEN, HARMLESS, TrainOptions


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

    from jconv.train import LOSSES, OPTIMIZERS, SCHEDULES

    kinds = get_type_hints(TrainOptions)
    assert get_args(kinds["optimizer"]) == OPTIMIZERS
    assert get_args(kinds["schedule"]) == SCHEDULES
    assert get_args(kinds["loss"]) == tuple(LOSSES)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"epochs": 0}, "epochs=0: 1 or more was expected"),
        ({"batch_size": -5}, "batch_size=-5: 1 or more was expected"),
        ({"seed": -1}, "seed=-1: 0 or more was expected"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: more than 0 was expected"),
        ({"learning_rate": float("nan")}, "learning_rate=nan: a finite number was expected"),
        ({"weight_decay": float("nan")}, "weight_decay=nan: a finite number was expected"),
        (
            {"seed": 2**64},
            "seed=18446744073709551616: 18446744073709551615 or less was expected",
        ),
        ({"momentum": 1.5}, "momentum=1.5: 1 or less was expected"),
        ({"learning_rate": float("inf")}, "learning_rate=inf: a finite number was expected"),
        ({"epochs": "ten"}, "epochs='ten': a whole number was expected"),
        ({"epochs": True}, "epochs=True: a whole number was expected"),
        ({"resize": 1}, "resize=1: True or False was expected"),
        ({"loss": "hinge"}, "loss='hinge': one of 'softmax', 'svm' was expected"),
        ({"data": "digit"}, "unknown data 'digit'; use 'digits', 'mnist'"),
        ({"milestones": [3, "ten"]}, "milestones="),
        ({"rates": ["fc"]}, "rates='fc': PATTERN=FACTOR was expected"),
        ({"rates": ["fc=-1"]}, "rates='fc=-1': PATTERN=FACTOR was expected, a factor of at least"),
        ({"pixel_mean": [0.5]}, r"pixel_mean=\(0.5,\): pixel_std=None; both or neither"),
        ({"workers": -1}, "workers=-1: 0 or more was expected"),
        ({"label_smoothing": 1.5}, "label_smoothing=1.5: 1 or less was expected"),
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
    old = {name: saved[name] for name in FIRST}
    assert TrainOptions.from_dict(old) == TrainOptions(epochs=3)


def test_lists_of_a_file_become_tuples():
    options = TrainOptions(
        milestones=(81, 122), rates=("fc=10", "*/bias=2"), freeze=("conv1",), workers=2
    )
    assert TrainOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options
    assert options.factors() == (("fc", 10.0), ("*/bias", 2.0))


def test_what_a_program_gives_has_a_word_of_its_own():
    assert TrainOptions(model=GIVEN, data=GIVEN).data == GIVEN


def test_what_changes_no_number_is_an_option():
    assert HARMLESS < TrainOptions().to_dict().keys()
