import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv.data import Split
from jconv.train import Diverged
from jconv.train import epochs as epochs_module
from jconv.train.checkpoint import restore_checkpoint, saved_steps
from jconv.train.epochs import Stopped, fit, is_best, out_of_patience
from jconv.train.options import TrainOptions
from jconv.train.run import Run, keep_rows, read_rows
from jconv.train.setup import prepare
from jconv.weights import fingerprint, load_weights

OPTIONS = TrainOptions(epochs=4, batch_size=5, shift=1, optimizer="adam", learning_rate=0.01)


@pytest.fixture(scope="module")
def prepared(tiny, data):
    return prepare(OPTIONS, tiny.net, tiny.in_shape, data)


@pytest.fixture
def job(prepared):
    return prepared[0]


@pytest.fixture
def carried(prepared):
    return jax.tree.map(jnp.copy, prepared[1])  # training gives its arrays away


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    return Run(tmp_path / "run")


def digest(carried):
    return fingerprint(carried.train.params, carried.train.state)


def numbers(run):
    """The rows of metrics without what a clock says."""
    clocks = ("second", "waiting", "memory")
    return [
        {k: v for k, v in row.items() if not any(word in k for word in clocks)}
        for row in read_rows(run)
    ]


def end(job, run, carried, **settings):
    *_, (carried, _) = fit(job, run, carried, **settings)
    return digest(carried)


TESTS = 3  # batches of the images that are tested, before each of which a training asks


def stop_at(step, before_test=0):
    """What asks a training of four steps an epoch to stop after so many steps, or before a batch of
    the test that follows.
    """
    asked = iter(range(1, 1000))
    at = step + TESTS * ((step - 1) // 4) + before_test
    if not before_test and step % 4 == 0:
        at += TESTS
    return lambda: signal.SIGTERM if next(asked) >= at else 0


def test_a_stop_in_the_middle_of_an_epoch_changes_nothing(job, carried, run, tmp_path):
    copy = jax.tree.map(jnp.copy, carried)
    whole = end(job, run, carried)
    stopped = Run(tmp_path / "stopped")
    stopped.folder.mkdir()
    with pytest.raises(Stopped) as caught:
        list(fit(job, stopped, copy, stop=stop_at(6)))
    assert (caught.value.step, caught.value.signal_number) == (6, signal.SIGTERM)
    assert saved_steps(stopped.checkpoints)[-1] == 6

    found = restore_checkpoint(stopped.checkpoints, copy)
    assert len(keep_rows(stopped, found.step)) == 1
    assert end(job, stopped, found.tree, spent=found.about["seconds"]) == whole
    assert numbers(stopped) == numbers(run)


def test_a_stop_while_images_are_tested_leaves_the_test_to_the_next_run(
    job, carried, run, tmp_path
):
    """Of the second epoch, before the second of its batches."""
    copy = jax.tree.map(jnp.copy, carried)
    whole = end(job, run, carried)
    stopped = Run(tmp_path / "stopped")
    stopped.folder.mkdir()
    with pytest.raises(Stopped) as caught:
        list(fit(job, stopped, copy, stop=stop_at(7, before_test=2)))
    assert caught.value.step == 8 and len(read_rows(stopped)) == 1
    found = restore_checkpoint(stopped.checkpoints, copy)
    assert found.step == 8 and len(keep_rows(stopped, 8)) == 1
    assert end(job, stopped, found.tree) == whole
    assert numbers(stopped) == numbers(run)


@pytest.mark.exhaustive
def test_a_kill_at_any_step_changes_nothing(job, carried, run, tmp_path):
    """Between two checkpoints: those every three steps are what is left."""
    copies = [jax.tree.map(jnp.copy, carried) for _ in range(6)]
    job = job._replace(options=TrainOptions(**{**vars(job.options), "checkpoint_steps": 3}))
    whole = end(job, run, carried)
    for step, copy in zip((1, 4, 7, 8, 11, 15), copies, strict=True):
        killed = Run(tmp_path / str(step))
        killed.folder.mkdir()
        stop = stop_at(step)

        def kill(stop=stop):
            if stop():
                raise RuntimeError("killed")
            return 0

        with pytest.raises(RuntimeError, match="killed"):
            list(fit(job, killed, copy, stop=kill))
        found = restore_checkpoint(killed.checkpoints, carried_like(copy))
        assert found.step <= step
        keep_rows(killed, found.step)
        assert end(job, killed, found.tree) == whole
        assert numbers(killed) == numbers(run)


def carried_like(tree):
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding), tree)


@pytest.mark.sweep(1)
def test_streamed_images_end_in_the_same_bits(tiny, data, job, carried, run, tmp_path):
    whole = end(job, run, carried)
    other = Run(tmp_path / "streamed")
    other.folder.mkdir()
    options = TrainOptions(**{**vars(OPTIONS), "stream": "always", "workers": 0})
    assert end(*rearranged(prepare(options, tiny.net, tiny.in_shape, data), other)) == whole


def rearranged(prepared, run):
    return prepared[0], run, prepared[1]


def test_rows_and_checkpoints_are_saved(job, carried, run):
    rows = [row for _, row in fit(job, run, carried)]
    assert rows == read_rows(run)
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 4), (2, 8), (3, 12), (4, 16)]
    assert saved_steps(run.checkpoints) == [8, 12, 16]
    # the fourth of the first epoch's warm-up steps
    assert rows[0]["learning_rate"] == pytest.approx(0.01 * 3 / 4)
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds)
    assert {row["compile_seconds"] for row in rows} == {job.compile_seconds}


def test_a_full_disk_stops_nothing(job, carried, run, monkeypatch):
    """Of the second epoch's metrics, which the third writes with its own."""
    write, calls = epochs_module.write_rows, []

    def full(run, rows):
        calls.append(len(rows))
        if len(rows) == 2:
            raise OSError(28, "No space left on device")
        write(run, rows)

    monkeypatch.setattr(epochs_module, "write_rows", full)
    with pytest.warns(UserWarning, match="metrics.jsonl: could not be written .no space left"):
        rows = [row for _, row in fit(job, run, carried)]
    assert rows == read_rows(run) and calls == [1, 2, 3, 4]


def test_divergence_keeps_the_last_good_checkpoint(job, carried, run):
    def poisoned(carried, *batch):
        after = job.program(carried, *batch)
        if int(after.train.step) < 6:
            return after
        return after._replace(
            tally=after.tally._replace(bad=jnp.int32(6), bad_loss=jnp.float32(np.nan))
        )

    with pytest.raises(Diverged, match="step 6: the loss is nan"):
        list(fit(job._replace(program=poisoned), run, carried))
    assert saved_steps(run.checkpoints) == [0, 4]
    assert [row["epoch"] for row in read_rows(run)] == [1]


def test_a_test_loss_that_is_not_finite_is_divergence(job, carried, run):
    predict = lambda params, state, images: jnp.full((len(images), 3), jnp.nan)
    with pytest.raises(Diverged, match="step 4: the test loss after it is nan"):
        next(fit(job._replace(predict=predict), run, carried))
    assert read_rows(run) == [] and saved_steps(run.checkpoints) == [0]


@pytest.mark.sweep(1)
def test_images_held_out_choose_the_best_and_the_end(tiny, data, tmp_path):
    """With a rate of almost nothing no epoch is better than the first, and it stops early."""
    held = Split(data.test.images[:6], data.test.labels[:6])
    options = TrainOptions(
        epochs=9, batch_size=5, learning_rate=1e-9, warmup_epochs=0, patience=2, shift=0
    )
    job, carried = prepare(options, tiny.net, tiny.in_shape, data._replace(validation=held))
    rows = [row for _, row in fit(job, Run(tmp_path), carried)]
    assert len(rows) == 3 and "test_loss" not in rows[0]
    assert load_weights(Run(tmp_path).best).class_names == data.class_names


@pytest.mark.parametrize(
    "accuracies, best, over",
    [
        ([0.5], True, False),
        ([0.5, 0.5], False, False),
        ([0.5, 0.6, 0.55, 0.6], False, True),
        ([0.5, 0.6, 0.55, 0.61], True, False),
    ],
)
def test_patience(accuracies, best, over):
    rows = [{"validation_accuracy": value} for value in accuracies]
    assert is_best(rows) is best
    assert out_of_patience(TrainOptions(patience=2), rows) is over
    assert not out_of_patience(TrainOptions(), rows)


def test_without_images_held_out_none_is_best():
    assert not is_best([{"test_accuracy": 0.9}])
