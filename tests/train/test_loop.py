import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jconv.data import Batch, Order, Resident, Streamed
from jconv.train import Carried, Diverged, Metrics, StepSettings, make_loop_step, make_train_step
from jconv.train import loop as loop_module
from jconv.train import softmax_cross_entropy_with_integer_labels as cross_entropy
from jconv.train.loop import Clock, check_finite, counted, look, memory_in_use, no_tally, stepped

ORDER = Order(seed=0, examples=23, batch_size=5)


def copy(tree):
    return jax.tree.map(jnp.copy, tree)


@pytest.mark.sweep(1)
@pytest.mark.parametrize("kind", [Resident, Streamed])
def test_steps_are_those_of_make_train_step(tiny, data, start, close, kind):
    optimizer = optax.sgd(0.1)
    plain = make_train_step(tiny.net, cross_entropy, optimizer)
    by_hand, losses, correct = start(optimizer), [], 0
    carried = Carried(copy(by_hand), no_tally())
    feed = kind(data.train, ORDER)
    program = make_loop_step(
        tiny.net, cross_entropy, optimizer, StepSettings(), ORDER.steps, feed.whole
    )
    batches, clock = feed.batches(0, 6), Clock()
    for step in range(6):
        rows = ORDER.rows(step)
        by_hand, metrics = plain(by_hand, data.train.images[rows], data.train.labels[rows])
        if step >= ORDER.steps:  # the sums begin anew with the second epoch
            losses.append(float(metrics.loss))
            correct += int(metrics.correct)
        carried = stepped(program, carried, batches, clock)
    close(carried.train.params, by_hand.params, 1e-6)
    progress = look(carried, clock, 5)
    assert progress.step == 6 and clock.steps == 6
    assert progress.loss == pytest.approx(np.mean(losses), rel=1e-5)
    assert progress.accuracy == correct / 10
    assert progress.images_per_second > 0 and 0 <= progress.waiting <= 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_the_first_bad_step_is_reported(start, bad):
    tally = no_tally()
    for step, loss in enumerate([1, 1, 1, bad, 1, np.nan, 1]):
        metrics = Metrics(jnp.float32(loss), jnp.int32(2))
        tally = counted(tally, metrics, jnp.int32(step), 5)
    carried = Carried(start(optax.sgd(0.1)), tally)
    with pytest.raises(Diverged, match=f"step 4: the loss is {bad}") as caught:
        look(carried, Clock(), 5)
    assert caught.value.step == 4


def test_parameters_that_are_not_finite_are_reported(start):
    state = start(optax.sgd(0.1))
    check_finite(state)
    params = jax.tree.map(lambda a: a + jnp.inf, state.params)
    with pytest.raises(Diverged, match="step 3: the parameters are not finite after it"):
        check_finite(state._replace(params=params, step=jnp.int32(3)))


def test_waiting_counts_where_the_device_had_nothing_to_do(start, monkeypatch):
    """The clock is played: each batch takes 2 s to come; the device is busy at the second."""
    now = [0.0]
    monkeypatch.setattr(loop_module, "perf_counter", lambda: now[0])

    class Busy:
        def is_ready(self):
            return now[0] != 4.0

    def batches():
        while True:
            now[0] += 2
            yield Batch(None, None, None)

    tally = no_tally()._replace(steps=Busy())
    carried, clock, given = Carried(None, tally), Clock(), batches()
    for _ in range(3):
        carried = stepped(lambda carried, *batch: carried, carried, given, clock)
    assert clock.waited == 4.0 and clock.seconds == 6.0


def test_memory_is_what_the_process_takes():
    before = memory_in_use()
    kept = np.ones(2**25)
    assert before > 2**26 and memory_in_use() >= before and kept.size


@pytest.mark.exhaustive
def test_augmentation_is_a_function_of_the_row_not_of_the_batch(tiny, data, start):
    """The same examples in other batches give the same images: the sum of all is the same."""
    from jconv.data import Augmentation
    from jconv.train.step import drawn_batch

    settings = StepSettings(augmentation=Augmentation(shift=1, flip="random"))
    images, labels = (jnp.asarray(a) for a in data.train)
    drawn = lambda rows: drawn_batch(
        settings, images[rows], labels[rows], rows, jnp.int32(3), jnp.int32(7)
    )[0]
    rows = jnp.arange(6, dtype=jnp.int32)
    np.testing.assert_array_equal(drawn(rows)[::-1], drawn(rows[::-1]))
    np.testing.assert_array_equal(drawn(rows)[2:3], drawn(rows[2:3]))
