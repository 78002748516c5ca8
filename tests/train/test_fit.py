import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.errors import JaxRuntimeError

import jconv.train.fit as fit_module
from jconv import Conv, Dense, Flatten, Sequential, save_plan, tune, walk, with_precision
from jconv.data import Split
from jconv.edit.serving import build_servable
from jconv.errors import InputError
from jconv.train import Diverged
from jconv.train.checkpoint import restore_checkpoint, save_checkpoint, saved_steps
from jconv.train.fit import by_plan, by_policy, fit, prepare
from jconv.train.options import TrainOptions
from jconv.train.run import Run, append_row, keep_rows, read_rows
from jconv.tuning.timing import Timing

OPTIONS = TrainOptions(epochs=4, batch_size=5, shift=1, optimizer="adam", learning_rate=0.01)


@pytest.fixture(scope="module")
def prepared(tiny, data):
    return prepare(OPTIONS, tiny.net, tiny.in_shape, data)


@pytest.fixture
def job(prepared):
    return prepared[0]


@pytest.fixture
def state(prepared):
    return jax.tree.map(jnp.copy, prepared[1])  # training gives its arrays away


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    return Run(tmp_path / "run")


@pytest.mark.sweep(1)
def test_a_stopped_training_ends_where_it_would_have(tiny, data, job, state, run, tmp_path, close):
    copy = jax.tree.map(jnp.copy, state)
    *_, (whole, _) = fit(job, run, state)

    stopped = Run(tmp_path / "stopped")
    stopped.folder.mkdir()
    epochs = fit(job, stopped, copy)
    next(epochs), next(epochs)
    epochs.close()
    # killed after the row of epoch 3, before its checkpoint
    append_row(stopped, {**read_rows(stopped)[-1], "epoch": 3})

    job, state = prepare(OPTIONS, tiny.net, tiny.in_shape, data)
    state = restore_checkpoint(stopped.checkpoints, state)
    assert len(keep_rows(stopped, int(state.step) // job.steps)) == 2
    *_, (resumed, _) = fit(job, stopped, state)
    close(resumed, whole, 0)
    values = [
        [{k: v for k, v in row.items() if "second" not in k} for row in read_rows(r)]
        for r in (run, stopped)
    ]
    assert values[0] == values[1]


def test_rows_and_checkpoints_are_saved(job, state, run):
    rows = [row for _, row in fit(job, run, state)]
    assert rows == read_rows(run)
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 4), (2, 8), (3, 12), (4, 16)]
    assert saved_steps(run.checkpoints) == [8, 12, 16]
    # the fourth of the first epoch's warmup steps
    assert rows[0]["learning_rate"] == pytest.approx(0.01 * 3 / 4)
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds)
    assert {row["compile_seconds"] for row in rows} == {job.compile_seconds}


def test_divergence_keeps_the_last_good_checkpoint(job, state, run):
    save_checkpoint(run.checkpoints, state)
    step = lambda state, images, labels: poison(job.step(state, images, labels), at=6)
    with pytest.raises(Diverged, match="step 6: the loss is nan"):
        list(fit(job._replace(step=step), run, state))
    assert saved_steps(run.checkpoints) == [0, 4]
    assert [row["epoch"] for row in read_rows(run)] == [1]


def poison(result, at):
    state, metrics = result
    return state, metrics._replace(loss=jnp.float32(np.nan)) if int(state.step) == at else metrics


def test_a_test_loss_that_is_not_finite_is_divergence(job, state, run):
    predict = lambda params, state, images: jnp.full((len(images), 3), jnp.nan)
    with pytest.raises(Diverged, match="step 4: the test loss after it is nan"):
        next(fit(job._replace(predict=predict), run, state))
    assert read_rows(run) == [] and saved_steps(run.checkpoints) == []


def test_images_are_checked_before_anything_compiles(tiny, data):
    labels = np.full_like(data.test.labels, 3)
    with pytest.raises(
        InputError, match=r"labels out of range: found 3, the net has 3 classes \(0..2\)"
    ):
        prepare(
            OPTIONS, tiny.net, tiny.in_shape, data._replace(test=Split(data.test.images, labels))
        )
    with pytest.raises(
        InputError, match=r"images have the shape \(7, 5, 2\) .* but the net takes \(2,\)"
    ):
        prepare(OPTIONS, Dense(3), (2,), data)


def test_layers_that_the_compiler_refuses_run_by_im2col(tiny, data, monkeypatch):
    """The compiler is played: it refuses a step until the first layer runs by im2col, and finds
    that layer at fault alone.
    """
    real = fit_module.make_train_step
    first = next(iter(walk(tiny.net, tiny.in_shape))).path

    class Refusing:
        def lower(self, *_):
            return self

        def compile(self):
            raise JaxRuntimeError(
                "UNKNOWN: Failed to determine best cudnn convolution algorithm for: ..."
            )

    def make(net, *args, **how):
        return real(net, *args, **how) if dict(net.layers)[first].method == "im2col" else Refusing()

    monkeypatch.setattr(fit_module, "make_train_step", make)
    only_first = lambda equation: equation.params["geometry"].window.size != (3, 3)
    monkeypatch.setattr(fit_module, "build_servable", partial(build_servable, compiles=only_first))
    with pytest.warns(UserWarning, match=f"refuses convolutions of {first}: "):
        job, state = prepare(OPTIONS, tiny.net, tiny.in_shape, data)
    assert job.predict(state.params, state.state, data.train.images[:5]).shape == (5, 3)


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
