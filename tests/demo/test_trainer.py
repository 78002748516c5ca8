import time

import jax
import numpy as np
import pytest
from compilations import compilations

from jconv import Dense, Flatten, InputError, Sequential
from jconv.train.update import UpdateSettings

PATIENCE = 60


def until(f):
    """Wait for f() to be true."""
    end = time.monotonic() + PATIENCE
    while not (found := f()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)
    return found


def last(trainer, kind):
    return trainer.hub.said[kind][-1]


def test_it_learns_and_says_so(trainer):
    until(lambda: (last(trainer, "state")["accuracy"] or 0) > 0.9)
    state = last(trainer, "state")
    assert state["loss"] < 0.5 and state["examples"] == 8 * state["steps"]
    assert state["images_per_second"] > 0 and state["decay_loss"] > 0
    until(lambda: (last(trainer, "state")["validation"]["accuracy"] or 0) > 0.9)
    assert until(lambda: trainer.hub.said.get("graph"))[-1]
    shown = until(lambda: trainer.hub.said.get("predictions"))[-1]["shown"]
    assert len(shown) == 4 and len(shown[0]["best"]) == 3
    layers = until(lambda: trainer.hub.said.get("layers"))[-1]["layers"]
    assert [set(layer) for layer in layers][0] == {
        *("activations", "gradients", "weights", "weight_gradients")
    }


def test_pause_stops_the_counter_and_a_step_is_one(trainer):
    trainer.pause(True)
    before = trainer.live.steps
    time.sleep(0.3)
    assert trainer.live.steps == before
    trainer.step()
    until(lambda: trainer.live.steps == before + 1)
    time.sleep(0.1)
    assert trainer.live.steps == before + 1 and last(trainer, "state")["paused"]
    trainer.pause(False)
    until(lambda: trainer.live.steps > before + 1)


def test_another_rate_compiles_nothing_and_acts_at_once(trainer):
    trainer.pause(True)
    until(lambda: trainer.live.programs.has("answer"))
    with compilations() as compiled:
        trainer.change({"learning_rate": 0.0, "momentum": 0.0, "weight_decay": 0.5})
        before = jax.tree.map(np.array, trainer.live.train.params)
        trainer.step()
        until(lambda: not trainer.live.owed)
        after = jax.tree.map(np.array, trainer.live.train.params)
        jax.tree.map(np.testing.assert_array_equal, before, after)  # by a rate of 0
        trainer.change({"learning_rate": 0.1})
        trainer.step()
        until(lambda: not trainer.live.owed)
    changed = jax.tree.map(lambda a, b: np.any(a != b), after, trainer.live.train.params)
    assert all(jax.tree.leaves(changed))
    assert compiled == []
    state = last(trainer, "state")
    assert (state["learning_rate"], state["momentum"], state["weight_decay"]) == (0.1, 0, 0.5)
    trainer.change({"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 1e-3})
    trainer.pause(False)


def test_a_batch_size_that_was_used_before_compiles_nothing(trainer):
    trainer.change({"batch_size": 16})
    until(lambda: trainer.live.batch == 16)
    trainer.change({"batch_size": 8})
    until(lambda: trainer.live.batch == 8)
    with compilations() as compiled:
        trainer.change({"batch_size": 16})
        until(lambda: trainer.live.batch == 16 and last(trainer, "state")["batch_size"] == 16)
        trainer.change({"batch_size": 8})
        until(lambda: trainer.live.batch == 8)
    assert compiled == []


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"learning_rate": -1}, "learning_rate=-1: 0 to 1000"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"momentum": 1.5}, "0 to 1 was"),
        ({"momentum": "much"}, "a number"),
        ({"weight_decay": True}, "a number"),
        ({"batch_size": 3}, "one of 1, 2, 4"),
        ({"batch_size": [8]}, "one of 1, 2, 4"),
        ({"batch_size": 8.0}, "one of 1, 2, 4"),
        ({"learning_rate": 10**400}, "0 to 1000"),
        ({"colour": 1}, "there is no such setting"),
    ],
)
def test_settings_that_cannot_be_are_refused(trainer, settings, words):
    before = trainer.live.hyperparameters
    with pytest.raises(InputError, match=words):
        trainer.change(settings)
    assert trainer.live.hyperparameters == before


def test_a_snapshot_brings_back_the_same_answers(trainer):
    until(lambda: trainer.live.programs.has("answer"))
    image = trainer.images.test_images[0]
    trainer.pause(True)
    saved, before = trainer.snapshot(), trainer.classify(image)
    assert before.saliency.shape == (8, 8) and before.probabilities.sum() == pytest.approx(1)
    trainer.step()
    until(lambda: not trainer.live.owed)
    assert (trainer.classify(image).probabilities != before.probabilities).any()
    train = trainer.live
    trainer.load(saved)
    until(lambda: trainer.live is not train)
    after = trainer.classify(image)
    np.testing.assert_array_equal(after.probabilities, before.probabilities)
    assert trainer.live.paused and trainer.live.steps == 0
    trainer.pause(False)


def test_another_net_begins_and_one_that_does_not_fit_leaves_all_as_it_is(trainer):
    live = trainer.live
    with pytest.raises(InputError, match="3 scores were expected"):
        trainer.begin(Sequential(flatten=Flatten(), fc=Dense(4)))
    assert trainer.live is live
    trainer.change({"learning_rate": 0.02})
    trainer.begin(Sequential(flatten=Flatten(), fc=Dense(3)), "adam")
    until(lambda: trainer.live is not live)
    net = last(trainer, "net")
    assert [layer["path"] for layer in net["layers"]] == ["flatten", "fc"]
    assert net["optimizer"] == "adam"
    assert trainer.live.hyperparameters["learning_rate"] == pytest.approx(0.02)
    until(lambda: trainer.live.steps > 20)


def test_a_snapshot_of_other_images_is_refused(trainer):
    weights = trainer.snapshot()
    with pytest.raises(InputError, match="is for images of"):
        trainer.load(weights._replace(in_shape=(9, 9, 1)))


def test_a_snapshot_of_numbers_that_are_none_is_refused(trainer):
    weights = trainer.snapshot()
    broken = jax.tree.map(lambda a: a * np.float32(np.nan), weights.params)
    with pytest.raises(InputError, match="not finite"):
        trainer.load(weights._replace(params=broken))


def test_a_loss_that_is_not_finite_pauses(trainer):
    live = trainer.live
    trainer.begin(live.programs.net, "sgd")
    until(lambda: trainer.live is not live)
    trainer.change({"learning_rate": 1000, "weight_decay": 1000})
    until(lambda: trainer.live.paused)
    assert trainer.hub.said["message"][-1]["error"]
    assert "finite" in trainer.hub.said["message"][-1]["text"]
    live = trainer.live
    trainer.change({"learning_rate": 0.01, "weight_decay": 0})
    trainer.begin(live.programs.net)
    until(lambda: trainer.live is not live and trainer.live.steps > 5)
    assert np.isfinite(last(trainer, "state")["loss"] or 0)


def test_clear_begins_the_graph_anew(trainer):
    trainer.pause(True)
    trainer.clear()
    assert trainer.showing.graph.points == [] and trainer.showing.window.means().loss is None
    trainer.pause(False)


def test_it_ends_and_says_so(images):
    from jconv.demo.hub import Hub
    from jconv.demo.trainer import Trainer

    made = Trainer(images, Hub())
    with pytest.raises(InputError, match="still being compiled"):
        made.snapshot()
    made.start(Sequential(flatten=Flatten(), fc=Dense(3)), UpdateSettings(), 4)
    made.stop()
    assert not made.thread.is_alive()
    with pytest.raises(InputError, match="ending"):
        made.asking.ask(lambda: None).result(1)
