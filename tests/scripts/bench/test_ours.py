"""Every form of a case gives the same numbers by "auto" and by "lax", and a training trains."""

import dataclasses
from functools import partial

import numpy as np
import pytest
from jax.errors import JaxRuntimeError

from jconv.edit.serving import build_servable
from jconv.scripts.bench import ours
from jconv.scripts.bench.case import WHATS
from jconv.scripts.bench.task import largest_error, wait

pytestmark = pytest.mark.exhaustive  # the benchmark is not in the installed package


@pytest.mark.sweep(2)
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
    monkeypatch.setattr(
        ours,
        "compiled",
        lambda f, donate=(), options=None: used.append(f) or ours.plainly(f, donate),
    )
    for method in ("lax", "auto", "im2col"):
        ours.task(small_net, "forward", method)
    assert len(used) == 2


def test_images_take_the_dtype_and_losses_stay_float32(small_net):
    task = ours.task(dataclasses.replace(small_net, dtype="bfloat16"), "train")
    (_, loss) = task.run()
    assert loss.dtype == np.float32
    assert (
        ours.task(dataclasses.replace(small_net, dtype="bfloat16"), "forward").run()[0].dtype
        == "bfloat16"
    )


def test_what_the_compiler_refuses_runs_by_im2col_in_auto_alone(small_net, monkeypatch):
    """The compiler is played: it refuses every program that is not jconv's plain one of im2col, and
    blames the convolution.
    """
    real = ours._program

    def refusing(case, net, what, jitted):
        made = real(case, net, what, jitted)
        if net["conv1"].method == "im2col":
            return made

        def fails(*_):
            raise JaxRuntimeError(
                "UNKNOWN: Failed to determine best cudnn convolution algorithm for: ..."
            )

        return made._replace(function=fails)

    monkeypatch.setattr(ours, "_program", refusing)
    only_conv1 = lambda equation: equation.params["geometry"].window.rank == 0
    monkeypatch.setattr(ours, "build_servable", partial(build_servable, compiles=only_conv1))
    task = ours.task(small_net, "train")
    with pytest.warns(UserWarning, match="refuses convolutions of conv1: "):
        losses = [float(task.shown(task.run())[0]) for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]
    with pytest.raises(JaxRuntimeError):
        ours.task(small_net, "train", "direct").run()
