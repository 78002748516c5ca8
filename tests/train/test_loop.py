import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jconv.data import Split
from jconv.train import Diverged, Metrics, TrainState, make_train_step, train_epoch
from jconv.train import loop as loop_module
from jconv.train import softmax_cross_entropy_with_integer_labels as cross_entropy


def batches(count):
    return [Split(np.zeros((5, 7, 5, 2), np.uint8), np.zeros(5, np.int32))] * count


def scripted(losses, params=1.0):
    """A step whose losses are given, each with two answers correct."""

    def step(state, images, labels):
        loss = jnp.float32(losses[int(state.step)])
        return state._replace(step=state.step + 1, params={"w": jnp.float32(params)}), Metrics(
            loss, jnp.int32(2)
        )

    return step, TrainState({}, {}, (), jnp.int32(0))


def test_an_epoch_is_its_steps(tiny, data, start, close):
    step = make_train_step(tiny.net, cross_entropy, optax.sgd(0.1))
    state = start(optax.sgd(0.1))
    parts = [
        Split(data.train.images[i : i + 5], data.train.labels[i : i + 5]) for i in (0, 5, 10, 15)
    ]
    by_hand, metrics = jax.tree.map(jnp.copy, state), []
    for part in parts:
        by_hand, m = step(by_hand, *part)
        metrics.append(m)
    after, result = train_epoch(step, state, parts)
    close(after.params, by_hand.params, 0)
    assert after.step == 4
    assert result.loss == pytest.approx(np.mean([m.loss for m in metrics]), rel=1e-6)
    assert result.accuracy == sum(int(m.correct) for m in metrics) / 20
    assert result.images_per_second > 0


@pytest.mark.parametrize("look_every", [0, 1000])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_the_first_bad_step_is_reported(monkeypatch, look_every, bad):
    monkeypatch.setattr(loop_module, "LOOK_EVERY", look_every)
    step, state = scripted([1, 1, 1, bad, 1, np.nan, 1])
    with pytest.raises(Diverged, match=f"step 4: the loss is {bad}") as caught:
        train_epoch(step, state, batches(7))
    assert caught.value.step == 4


def test_parameters_that_are_not_finite_are_reported():
    step, state = scripted([1, 1, 1], params=np.inf)
    with pytest.raises(Diverged, match="step 3: the parameters are not finite after it"):
        train_epoch(step, state, batches(3))


def test_watching_counts_steps_and_averages_so_far(monkeypatch):
    monkeypatch.setattr(loop_module, "LOOK_EVERY", 0)
    step, state = scripted([4, 2, 3])
    seen = []
    train_epoch(
        step,
        state,
        batches(3),
        lambda step, metrics: seen.append((step, metrics.loss, metrics.accuracy)),
    )
    assert seen == [(1, 4, 0.4), (2, 3, 0.4), (3, 3, 0.4), (3, 3, 0.4)]


def test_the_device_is_not_waited_for_at_every_step(monkeypatch):
    monkeypatch.setattr(loop_module, "LOOK_EVERY", 1000)
    calls, device_get = [], jax.device_get
    monkeypatch.setattr(jax, "device_get", lambda tree: calls.append(1) or device_get(tree))
    step, state = scripted([1.0] * 7)
    train_epoch(step, state, batches(7))
    assert len(calls) == 2  # the losses of the epoch, the parameters at its end
