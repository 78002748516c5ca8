"""XLA's own account of a training step. What needs libtpu runs only where it is installed."""

from importlib.util import find_spec

import jax
import pytest

from jconv import Lambda, Sequential, budget
from jconv.train import compiled
from jconv.train.compiled import StepProgram, compiled_memory
from jconv.tuning.ahead import CompilationFailed, account


def on_cpu(program):
    chip = jax.devices("cpu")[0]
    return account(chip, program.lowered(chip))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_what_goes_into_the_real_step_is_what_the_budget_predicts(tiny, optimizer):
    found = on_cpu(StepProgram(tiny.net, tiny.in_shape, 5, optimizer))
    b = budget(tiny.net, tiny.in_shape, 5, optimizer=optimizer)
    # adam counts its own steps
    counts, labels, metrics = ({"sgd": 4, "adam": 8}[optimizer], 5 * 4, 8)
    assert found.arguments == b.parameters + b.optimizer + b.statistics + b.images + counts + labels
    # the new state takes the old one's place; a tuple of up to 20 entries counts too
    assert metrics <= found.results < metrics + 16 * 20
    assert found.between > 0
    assert found.total == found.arguments + found.results + found.between


def test_half_the_bytes_an_image(tiny):
    at = lambda dtype: on_cpu(StepProgram(tiny.net, tiny.in_shape, 5, "sgd", dtype)).arguments
    assert at("float32") - at("bfloat16") == 5 * 7 * 5 * 2 * 2


def test_a_net_without_a_row_of_scores_has_no_step(tiny):
    with pytest.raises(
        CompilationFailed,
        match=r"no training step for a net that ends in \(7, 5, 2\); one row of scores",
    ):
        on_cpu(StepProgram(Sequential(same=Lambda(abs)), tiny.in_shape, 5))


def test_an_answer_that_does_not_come_is_raised(tiny, monkeypatch):
    asked = []
    monkeypatch.setattr(
        compiled,
        "compile_ahead",
        lambda *question: asked.append(question) or iter([CompilationFailed("too large")]),
    )
    with pytest.raises(CompilationFailed, match="^too large$"):
        compiled_memory(
            tiny.net, tiny.in_shape, 5, optimizer="adam", topology="v4:2x2x1", timeout=9
        )
    assert asked == [([StepProgram(tiny.net, tiny.in_shape, 5, "adam", "float32")], "v4:2x2x1", 9)]


@pytest.mark.skipif(find_spec("libtpu") is None, reason="libtpu is not installed")
def test_xla_for_a_tpu_that_is_not_there(tiny):
    found = compiled_memory(tiny.net, tiny.in_shape, 5, timeout=300)
    assert found.chip == "TPU v5 lite"
    b = budget(tiny.net, tiny.in_shape, 5)
    # padded to the chip's tiles
    assert found.arguments >= b.parameters + b.optimizer + b.statistics + b.images
    assert found.between >= 0 and found.flops and found.accessed and found.seconds > 0
