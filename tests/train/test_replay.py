import jax
import numpy as np
import pytest

from jconv.errors import InputError
from jconv.train.checkpoint import Checkpoints
from jconv.train.epochs import fit
from jconv.train.options import TrainOptions
from jconv.train.replay import LayerRow, first_bad, replay
from jconv.train.run import Run, read_rows
from jconv.train.setup import prepare

OPTIONS = TrainOptions(epochs=2, batch_size=5, shift=1, learning_rate=0.01)


@pytest.fixture(scope="module")
def finished(tiny, data, tmp_path_factory):
    """A run of eight steps, and what it carried at each."""
    run = Run(tmp_path_factory.mktemp("run"))
    job, carried = prepare(OPTIONS, tiny.net, tiny.in_shape, data)
    like = jax.tree.map(lambda a: a.copy(), carried)
    list(fit(job, run, carried))
    return job, run, like


@pytest.mark.exhaustive
def test_a_step_is_what_it_was(finished):
    """The losses of an epoch's steps, taken again one by one, have its mean."""
    job, run, like = finished
    losses = [replay(job, run, like, step).loss for step in (1, 2, 3, 4)]
    assert np.mean(losses) == pytest.approx(read_rows(run)[0]["train_loss"], rel=1e-4)


def test_a_step_is_told_layer_by_layer(finished, tiny):
    found = replay(*finished, 2)
    assert [row.path for row in found.rows] == [name for name, _ in tiny.net.layers]
    by_name = {row.path: row for row in found.rows}
    assert by_name["conv1"].kind == "Conv" and by_name["conv1"].gradient > 0
    assert np.isnan(by_name["relu1"].gradient) and by_name["relu1"].smallest == 0
    total = sum(row.gradient**2 for row in found.rows if not np.isnan(row.gradient))
    assert found.gradient == pytest.approx(np.sqrt(total), rel=1e-5)
    text = str(found)
    assert text.startswith("step 2: loss ") and text.endswith("all is finite")
    assert len(text.splitlines()) == 2 + len(found.rows) + 1


def test_the_first_layer_that_is_not_finite_is_named(finished, tmp_path):
    """A checkpoint whose fc kernel is infinite."""
    job, _, like = finished
    params = {**like.train.params}
    params["fc"] = {**params["fc"], "kernel": params["fc"]["kernel"] + np.inf}
    poisoned = like._replace(train=like.train._replace(params=params))
    run = Run(tmp_path)
    with Checkpoints(run.checkpoints) as checkpoints:
        checkpoints.save(0, poisoned, {})
    found = replay(job, run, like, 1)
    assert found.first_bad == "the output of fc (Dense) is not finite"
    assert str(found).endswith("the first: the output of fc (Dense) is not finite")


def test_gradients_are_looked_at_from_the_last_layer():
    row = lambda path, finite, gradient: LayerRow(path, "Conv", 0, 1, finite, 1.0, gradient)
    rows = [row("conv1", True, np.inf), row("conv2", True, np.nan), row("conv3", True, 1.0)]
    assert first_bad(rows, 1.0) == "the gradient of conv2 (Conv) is not finite"
    assert first_bad(rows, np.inf) == "the loss is inf, of finite scores"
    assert first_bad([row("conv1", False, 1.0), *rows], 1.0).startswith("the output of conv1")
    assert first_bad(rows[2:], 1.0) is None


def test_steps_that_there_are_not(finished):
    for step in (0, 9):
        with pytest.raises(InputError, match=f"replay={step}: a step from 1 to 8 was expected"):
            replay(*finished, step)
