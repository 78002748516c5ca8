import json
import signal
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from balanced_html import read

from jconv import Lambda, Sequential
from jconv.data import PixelScale
from jconv.errors import InputError, LayerError
from jconv.train import fit as fit_module
from jconv.train.epochs import Stopped
from jconv.train.fit import check_unchanged, train
from jconv.train.options import TrainOptions
from jconv.train.run import read_config
from jconv.weights import fingerprint, load_weights

OPTIONS = TrainOptions(epochs=3, batch_size=5, shift=1, learning_rate=0.01)


def squared(logits, labels):
    """A loss of one's own."""
    return jnp.square(logits - jnp.eye(3)[labels]).sum(axis=1)


@pytest.fixture(scope="module")
def result(tiny, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "mine"
    pixels = PixelScale((0.5,))
    return train(tiny.net, tiny.in_shape, data, OPTIONS, loss=squared, pixels=pixels, out=out)


def test_a_net_images_and_a_loss_of_ones_own_leave_a_run(result, tiny, data):
    assert sorted(path.name for path in result.run.folder.iterdir()) == [
        "checkpoints",
        "config.json",
        "metrics.jsonl",
        "report.html",
        "weights.safetensors",
    ]
    assert [row["epoch"] for row in result.rows] == [1, 2, 3]
    assert result.accuracy == result.rows[-1]["test_accuracy"]
    weights = load_weights(result.run.weights)
    assert (weights.net, weights.in_shape) == (tiny.net, tiny.in_shape)
    assert weights.pixels == PixelScale((0.5,)) and weights.class_names == data.class_names
    assert fingerprint(weights.params, weights.state) == fingerprint(result.params, result.state)
    options, config = read_config(result.run)
    assert (options.model, options.data) == ("given", "given")
    assert config["pixels"] == {"mean": [0.5], "std": [1.0]}


def test_it_goes_on_where_it_was_stopped(result, tiny, data, tmp_path, monkeypatch):
    # the sixth step: after four of them three batches of a test have asked, too
    out, asked = tmp_path / "stopped", iter(range(1, 100))
    given = {"loss": squared, "pixels": PixelScale((0.5,)), "out": out}
    real = fit_module.fit
    stopping = lambda *args: real(*args[:4], lambda: 15 if next(asked) >= 9 else 0, *args[5:])
    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "fit", stopping)
        with pytest.raises(Stopped) as caught:
            train(tiny.net, tiny.in_shape, data, OPTIONS, **given)
    assert (caught.value.step, caught.value.signal_number) == (6, signal.SIGTERM)
    again = train(tiny.net, tiny.in_shape, data, OPTIONS, **given, resume=True)
    assert fingerprint(again.params, again.state) == fingerprint(result.params, result.state)
    other = TrainOptions(**{**vars(OPTIONS), "seed": 5, "epochs": 9})
    with pytest.raises(InputError, match="begun with other options: seed=5 was 0; it can go on"):
        train(tiny.net, tiny.in_shape, data, other, **given, resume=True)


@pytest.mark.exhaustive
def test_it_is_given_more_epochs_but_not_fewer(result, tiny, data, tmp_path):
    given = {"loss": squared, "pixels": PixelScale((0.5,)), "out": tmp_path / "run"}
    train(tiny.net, tiny.in_shape, data, OPTIONS, **given)
    longer = TrainOptions(**{**vars(OPTIONS), "epochs": 4})
    assert len(train(tiny.net, tiny.in_shape, data, longer, **given, resume=True).rows) == 4
    with pytest.raises(InputError, match="epochs=3: .* has had 4 already; give more"):
        train(tiny.net, tiny.in_shape, data, OPTIONS, **given, resume=True)


@pytest.mark.exhaustive
def test_it_begins_from_weights_and_holds_images_out(result, tiny, data, tmp_path):
    options = TrainOptions(
        **{**vars(OPTIONS), "epochs": 1, "learning_rate": 1e-30, "validation": 0.5},
    )
    options = replace(options, weights=result.run.folder)
    again = train(tiny.net, tiny.in_shape, data, options, loss=squared, out=tmp_path / "run")
    for name in ("conv1", "fc"):
        np.testing.assert_allclose(
            again.params[name]["kernel"], result.params[name]["kernel"], atol=1e-6
        )
    assert "validation_accuracy" in again.rows[0] and again.run.best.exists()
    assert load_weights(again.run.weights).pixels == PixelScale((0.5,)), "those of the weights"
    other = Sequential(body=tiny.net)
    with pytest.raises(InputError, match="weights=.*: are of a net with 3 classes .* is another"):
        train(other, tiny.in_shape, data, options, out=tmp_path / "other")


def test_a_folder_that_is_taken_is_left_alone(result, tiny, data):
    before = (result.run.config).read_text()
    with pytest.raises(InputError, match="already exists and is not empty"):
        train(tiny.net, tiny.in_shape, data, OPTIONS, out=result.run.folder)
    assert result.run.config.read_text() == before and json.loads(before)
    with pytest.raises(InputError, match="resume=True: the folder to go on with was expected"):
        train(tiny.net, tiny.in_shape, data, OPTIONS, resume=True)


def test_a_net_that_cannot_be_saved_is_refused_at_once(tiny, data, tmp_path):
    net = Sequential(body=tiny.net, end=Lambda(np.tanh))
    with pytest.raises(LayerError, match="Lambda"):
        train(net, tiny.in_shape, data, OPTIONS, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_changes_no_number_may_change():
    check_unchanged(OPTIONS, TrainOptions(**{**vars(OPTIONS), "workers": 3, "epochs": 5}))
    with pytest.raises(InputError, match="shift=2 was 1; batch_size=6 was 5"):
        check_unchanged(OPTIONS, TrainOptions(**{**vars(OPTIONS), "batch_size": 6, "shift": 2}))


def test_a_result_says_what_it_came_to_and_no_array(result):
    lines = repr(result).splitlines()
    assert str(result) == repr(result) and len(lines) == 4
    assert lines[0].startswith(f"{result.accuracy:.2%} ") and lines[1].startswith("3 epochs in ")
    assert lines[-1] == f"folder {result.run.folder}"
    assert read(result._repr_html_()).words[:4] == lines
