import json

import numpy as np
import pytest

from jconv import Conv, Dense, Flatten, Sequential, save_plan, tune, with_precision
from jconv.errors import InputError
from jconv.train.options import TrainOptions
from jconv.train.planned import by_plan, by_policy
from jconv.tuning.timing import Timing

NET, SHAPE = Sequential(conv1=Conv(4, 3), fl=Flatten(), fc=Dense(3)), (5, 4, 3)


@pytest.fixture
def tuned(tmp_path):
    timer = lambda runs, **settings: {
        word: Timing(1.0, np.full(5, 1.0 if word == "auto" else 0.5)) for word in runs
    }
    tuning = tune(NET, SHAPE, 2, measure=timer)
    save_plan(tmp_path / "plan.json", tuning)
    return tuning.net


def test_without_a_plan_the_net_is_as_it_was(tmp_path):
    assert by_plan(TrainOptions(), NET, SHAPE) == (NET, "", None)
    assert by_plan(TrainOptions(), NET, SHAPE, tmp_path) == (NET, "", None)


def test_a_precision_is_every_products():
    assert by_policy(TrainOptions(precision="high"), NET) == with_precision(NET, "high") != NET
    assert by_policy(TrainOptions(), NET) == NET


def test_the_plan_named_is_used_and_returned(tuned, tmp_path):
    plan = tmp_path / "plan.json"
    net, text, line = by_plan(TrainOptions(plan=plan, batch_size=2), NET, SHAPE)
    assert net == tuned != NET and text == plan.read_text() and line is None
    _, _, line = by_plan(TrainOptions(plan=plan, batch_size=32), NET, SHAPE)
    assert line.startswith(f"{plan}: used, but made with batch 2, not 32")


def test_a_run_that_goes_on_has_its_own(tuned, tmp_path):
    options = TrainOptions(plan=tmp_path / "gone.json", batch_size=2)
    assert by_plan(options, NET, SHAPE, tmp_path)[0] == tuned
    with pytest.raises(InputError, match="gone.json: there is no such file"):
        by_plan(options, NET, SHAPE)


def test_a_plan_of_another_net_is_kept_and_ignored(tuned, tmp_path):
    plan, other = tmp_path / "plan.json", Sequential(conv1=Conv(5, 3), fl=Flatten(), fc=Dense(3))
    net, text, line = by_plan(TrainOptions(plan=plan, batch_size=2), other, SHAPE)
    assert (
        net is other
        and json.loads(text)["format"] == 1
        and "ignored, it was made for another net" in line
    )
