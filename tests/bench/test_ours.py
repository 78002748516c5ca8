"""Every form of a case gives the same numbers by "auto" and by "lax", and a training trains."""

import dataclasses

import numpy as np
import pytest

from jconv.bench import ours
from jconv.bench.case import WHATS
from jconv.bench.task import largest_error, wait


@pytest.mark.parametrize("what", WHATS)
def test_auto_and_lax_agree(small_net, what):
    auto, lax = (ours.task(small_net, what, method) for method in ("auto", "lax"))
    shown = auto.shown(wait(auto.run())), lax.shown(wait(lax.run()))
    assert largest_error(*shown) < 1e-5
    assert auto.parameters == lax.parameters == small_net.parameters


def test_the_gradient_of_an_operation_shows_the_images_first(small_net):
    task = ours.task(dataclasses.replace(small_net, images=True), "gradient")
    shown = task.shown(task.run())
    assert [a.shape for a in shown] == [(3, 6, 8, 2), (4,), (3, 3, 2, 4), (5,), (48, 5)]


def test_a_training_goes_on_from_call_to_call(small_net):
    task = ours.task(small_net, "train")
    losses = [float(task.shown(task.run())[0]) for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]


def test_only_lax_is_compiled_plainly(small_net, monkeypatch):
    used = []
    monkeypatch.setattr(ours, "compiled", lambda f, donate=(), options=None: used.append(f) or ours.plainly(f, donate))
    for method in ("lax", "auto", "im2col"):
        ours.task(small_net, "forward", method)
    assert len(used) == 2


def test_images_take_the_dtype_and_losses_stay_float32(small_net):
    task = ours.task(dataclasses.replace(small_net, dtype="bfloat16"), "train")
    (_, loss) = task.run()
    assert loss.dtype == np.float32
    assert ours.task(dataclasses.replace(small_net, dtype="bfloat16"), "forward").run()[0].dtype == "bfloat16"
