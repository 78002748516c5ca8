from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.errors import JaxRuntimeError

from jconv.data import Split
from jconv.edit.serving import build_servable
from jconv.errors import InputError
from jconv.train import Diverged
from jconv.train import device as module
from jconv.train.device import lower, prepare_on_device, train_on_device
from jconv.train.recipe import Segment


@pytest.fixture(scope="module")
def training(recipe, data):
    return prepare_on_device(recipe, data)


def test_a_run_counts_its_epochs_and_its_seconds(training):
    seen = []
    result = train_on_device(training, 3, seen.append)
    assert seen == result.epochs
    assert [(row["epoch"], row["step"]) for row in seen] == [(1, 4), (2, 7)]
    seconds = [row["seconds"] for row in seen] + [result.seconds]
    assert seconds == sorted(seconds) and training.compile_seconds > 0
    assert all(0 <= row["train_accuracy"] <= 1 and np.isfinite(row["train_loss"]) for row in seen)
    assert result.seed == 3 and 0 <= result.accuracy <= 1 and 0 <= result.accuracy_of_views <= 1


def test_a_run_is_a_pure_function_of_its_seed(training):
    figures = lambda result: (
        result.accuracy,
        result.accuracy_of_views,
        [row["train_loss"] for row in result.epochs],
    )
    assert figures(train_on_device(training, 3)) == figures(train_on_device(training, 3))
    assert figures(train_on_device(training, 3))[2] != figures(train_on_device(training, 4))[2]


def test_divergence_names_the_step(training, monkeypatch):
    def spoilt(carried, seed, images, labels):
        carried, metrics = second(carried, seed, images, labels)
        return carried, metrics._replace(loss=metrics.loss.at[1].set(jnp.nan))

    second = training.programs.epochs[Segment(3, "frozen")]
    epochs = {**training.programs.epochs, Segment(3, "frozen"): spoilt}
    with pytest.raises(Diverged, match="^step 6: the loss is nan$"):
        train_on_device(training._replace(programs=training.programs._replace(epochs=epochs)), 3)


@pytest.mark.exhaustive
def test_programs_are_lowered_from_shapes_for_wherever_they_are_to_run(recipe):
    """Of more images than memory holds, and for another device."""
    device = jax.devices()[2]
    programs = lower(recipe, 10**9, 10**8, jax.sharding.SingleDeviceSharding(device))
    assert set(programs.epochs) == {
        Segment(2 * 10**8, "bias"),
        Segment(2 * 10**8 * 6 // 10, "frozen"),
    }
    compiled = lower(recipe, 23, 11, jax.sharding.SingleDeviceSharding(device)).start.compile()
    assert {s.device_set.pop() for s in jax.tree.leaves(compiled.output_shardings)} == {device}
    assert compiled.memory_analysis().argument_size_in_bytes >= 23 * 7 * 5 * 2


def test_images_are_checked_before_anything_compiles(recipe, data):
    wrong = data._replace(test=Split(data.test.images, np.full_like(data.test.labels, 3)))
    with pytest.raises(InputError, match="labels out of range: found 3, the net has 3 classes"):
        prepare_on_device(recipe, wrong)
    with pytest.raises(
        InputError,
        match=r"images have the shape \(7, 5, 2\) .* but the net takes \(8, 5, 2\); resize=True "
        r"fits",
    ):
        prepare_on_device(recipe._replace(in_shape=(8, 5, 2)), data)
    with pytest.raises(InputError, match="the batch size is 24 but there are 23 training examples"):
        prepare_on_device(recipe._replace(batch_size=24), data)


@pytest.mark.exhaustive
def test_layers_that_the_compiler_refuses_run_by_im2col(recipe, data, monkeypatch):
    """The compiler is played: it refuses the programs until the inner convolution runs by im2col,
    and finds that one at fault alone.
    """

    def refusing(recipe, *counts, **how):
        if dict(recipe.net.layers)["block"]["conv"].method != "im2col":
            raise JaxRuntimeError(
                "UNKNOWN: Failed to determine best cudnn convolution algorithm for: ..."
            )
        return lower(recipe, *counts, **how)

    tried = []
    compiles = lambda equation: (
        tried.append(equation) or equation.params["geometry"].window.size != (3, 3)
    )
    monkeypatch.setattr(module, "lower", refusing)
    monkeypatch.setattr(module, "build_servable", partial(build_servable, compiles=compiles))
    with pytest.warns(UserWarning, match="refuses convolutions of block/conv: "):
        training = prepare_on_device(recipe, data)
    assert np.isfinite(train_on_device(training, 3).accuracy)
    # a training step's images, and the test's in six views
    assert {e.invars[0].aval.shape[0] for e in tried} == {5, 6 * 11}
