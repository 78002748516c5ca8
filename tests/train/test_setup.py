import json
from functools import partial

import jax
import numpy as np
import pytest
from jax.errors import JaxRuntimeError

import jconv.train.setup as module
from jconv import Conv, Dense, Flatten, Sequential, save_plan, tune, walk, with_precision
from jconv.data import Order, PixelScale, Resident, Split, Streamed
from jconv.edit.serving import build_servable
from jconv.errors import InputError
from jconv.train.chosen import by_plan, by_policy, chosen_feed, chosen_pixels
from jconv.train.options import TrainOptions
from jconv.train.setup import prepare
from jconv.tuning.timing import Timing

OPTIONS = TrainOptions(epochs=4, batch_size=5, shift=1, optimizer="adam", learning_rate=0.01)


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
    real = module.make_loop_step
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

    monkeypatch.setattr(module, "make_loop_step", make)
    only_first = lambda equation: equation.params["geometry"].window.size != (3, 3)
    monkeypatch.setattr(module, "build_servable", partial(build_servable, compiles=only_first))
    with pytest.warns(UserWarning, match=f"refuses convolutions of {first}: "):
        job, carried = prepare(OPTIONS, tiny.net, tiny.in_shape, data)
    train = carried.train
    assert job.predict(train.params, train.state, data.train.images[:5]).shape == (5, 3)


def test_the_pixel_scale_is_the_options_or_the_nets_or_the_images(data):
    own, images = PixelScale((0.5,)), PixelScale((0.1,), (0.2,))
    options = TrainOptions(pixel_mean=(0.3,), pixel_std=(0.4,))
    scaled = data._replace(pixels=images)
    assert chosen_pixels(options, own, scaled, (7, 5, 2)) == PixelScale((0.3,), (0.4,))
    assert chosen_pixels(TrainOptions(), own, scaled, (7, 5, 2)) == own
    assert chosen_pixels(TrainOptions(), None, scaled, (7, 5, 2)) == images
    with pytest.raises(InputError, match="one number was expected, or 2"):
        chosen_pixels(TrainOptions(), PixelScale((1, 2, 3)), scaled, (7, 5, 2))


def test_arrays_lie_on_the_device_unless_they_are_to_be_streamed(tiny, data):
    order = Order(0, 23, 5)
    feed = lambda options: chosen_feed(options, data.train, order, None, tiny.in_shape)[0]
    assert isinstance(feed(OPTIONS), Resident)
    feed = feed(TrainOptions(**{**vars(OPTIONS), "stream": "always", "workers": 3}))
    assert isinstance(feed, Streamed) and feed.workers == 3


def test_patience_needs_images_to_choose_by(tiny, data):
    with pytest.raises(InputError, match="patience=3: there are no images to choose by"):
        prepare(TrainOptions(patience=3), tiny.net, tiny.in_shape, data)


@pytest.mark.exhaustive
def test_an_average_is_what_is_tested(tiny, data, close):
    job, carried = prepare(
        TrainOptions(**{**vars(OPTIONS), "ema": 0.5}), tiny.net, tiny.in_shape, data
    )
    batches = job.feed.batches(0, 2)
    for _ in range(2):
        carried = job.program(carried, *next(batches))
    assert module.tested(carried.train) is carried.train.average
    params, average = carried.train.params, carried.train.average[0]
    assert not np.array_equal(params["fc"]["kernel"], average["fc"]["kernel"])
    close(params, average, 0.5)


@pytest.mark.sweep(1)
def test_what_is_frozen_stays(tiny, data):
    options = TrainOptions(**{**vars(OPTIONS), "freeze": ("conv1", "bn1")})
    job, carried = prepare(options, tiny.net, tiny.in_shape, data)
    before = jax.device_get((carried.train.params, carried.train.state))
    for batch in job.feed.batches(0, 2):  # the first has a rate of 0
        carried = job.program(carried, *batch)
    params, state = jax.device_get((carried.train.params, carried.train.state))
    for name in ("conv1", "bn1"):
        jax.tree.map(np.testing.assert_array_equal, params[name], before[0][name])
    jax.tree.map(np.testing.assert_array_equal, state, before[1])
    assert not np.array_equal(params["fc"]["kernel"], before[0]["fc"]["kernel"])


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
