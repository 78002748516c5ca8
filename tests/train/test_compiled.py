"""XLA's own account of a training step. What needs libtpu runs only where it is installed; the rest has another child speak for it."""

import json
import os
from importlib.util import find_spec

import jax
import pytest

from jconv import Lambda, Sequential, budget
from jconv.errors import InputError
from jconv.train import compiled
from jconv.train.compiled import Compiled, Job, NoAnswer, compile_step, compiled_memory

installed = pytest.mark.skipif(find_spec("libtpu") is None, reason="libtpu is not installed")


@pytest.fixture
def ask(tiny, monkeypatch):
    """compiled_memory with this Python program in the compiler's place."""
    monkeypatch.setattr(compiled, "find_spec", lambda name: name)

    def asked(child, net=tiny.net, timeout=60.0):
        monkeypatch.setattr(compiled, "CHILD", child)
        return compiled_memory(net, tiny.in_shape, 5, timeout=timeout)

    return asked


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_what_goes_into_the_real_step_is_what_the_budget_predicts(tiny, optimizer):
    job = Job(tiny.net, tiny.in_shape, 5, optimizer, "float32", "")
    found = compile_step(job, jax.devices("cpu")[0])
    b = budget(tiny.net, tiny.in_shape, 5, optimizer=optimizer)
    counts, labels, metrics = {"sgd": 4, "adam": 8}[optimizer], 5 * 4, 8  # adam counts its own steps
    assert found.arguments == b.parameters + b.optimizer + b.statistics + b.images + counts + labels
    assert metrics <= found.results < metrics + 16 * 20  # the new state takes the old one's place; a tuple of up to 20 entries counts too
    assert found.between > 0
    assert found.total == found.arguments + found.results + found.between


def test_half_the_bytes_an_image(tiny):
    at = lambda dtype: compile_step(Job(tiny.net, tiny.in_shape, 5, "sgd", dtype, ""), jax.devices("cpu")[0]).arguments
    assert at("float32") - at("bfloat16") == 5 * 7 * 5 * 2 * 2


def test_a_net_without_a_row_of_scores_has_no_step(tiny):
    with pytest.raises(NoAnswer, match=r"no training step for a net that ends in \(7, 5, 2\); one row of scores"):
        compile_step(Job(Sequential(same=Lambda(abs)), tiny.in_shape, 5, "sgd", "float32", ""), jax.devices("cpu")[0])


def test_without_libtpu_it_says_what_to_install(tiny, monkeypatch):
    monkeypatch.setattr(compiled, "find_spec", lambda name: None)
    with pytest.raises(NoAnswer, match=r"^libtpu is not installed; pip install 'jconv\[tpu-plan\]'$"):
        compiled_memory(tiny.net, tiny.in_shape, 5)


def test_the_last_line_of_the_child_is_the_answer(ask):
    found = Compiled("TPU v0", 11, 2, 5)
    assert ask(f"print('noise'); print({json.dumps(found._asdict())!r})") == found
    assert found.total == 18


@pytest.mark.parametrize(
    ("child", "kind", "words"),
    [
        ("import time; time.sleep(60)", NoAnswer, "XLA did not finish within 0.5 s; allow more with timeout= or --wait"),
        ("import sys; sys.exit('first\\nlast')", NoAnswer, "the compiler ended with exit code 1 and said: last"),
        ("pass", NoAnswer, "the compiler ended with exit code 0 and said: nothing"),
        ('print(\'{"refused": "too large"}\')', NoAnswer, "too large"),
        ('print(\'{"wrong": "no such topology"}\')', InputError, "no such topology"),
    ],
    ids=["late", "dead", "silent", "refused", "wrong"],
)
def test_no_answer_is_one_line(ask, child, kind, words):
    with pytest.raises(kind) as caught:
        ask(child, timeout=0.5 if "sleep" in child else 60.0)
    assert str(caught.value) == words


def test_a_net_that_cannot_travel_says_so(ask):
    with pytest.raises(NoAnswer, match="^the net cannot be sent to the compiler: "):
        ask("pass", net=Sequential(f=Lambda(lambda x: x)))


def test_the_childs_environment_is_its_own(ask, monkeypatch):
    """The child has what it needs in it, and nothing of ours that steers jax."""
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    monkeypatch.setenv("XLA_FLAGS", "--xla_nonsense")
    monkeypatch.setenv("KEPT", "yes")
    with pytest.raises(NoAnswer) as caught:
        ask("import json, os; print(json.dumps({'refused': json.dumps(dict(os.environ))}))")
    seen = json.loads(str(caught.value))
    assert {"JAX_ENABLE_X64", "XLA_FLAGS"}.isdisjoint(seen)
    assert (seen["KEPT"], seen["JAX_PLATFORMS"], seen["TPU_SKIP_MDS_QUERY"]) == ("yes", "cpu", "1")
    assert os.environ["XLA_FLAGS"] == "--xla_nonsense"


@installed
def test_xla_for_a_tpu_that_is_not_there(tiny):
    found = compiled_memory(tiny.net, tiny.in_shape, 5, timeout=300)
    assert found.chip == "TPU v5 lite"
    b = budget(tiny.net, tiny.in_shape, 5)
    assert found.arguments >= b.parameters + b.optimizer + b.statistics + b.images  # padded to the chip's tiles
    assert found.between >= 0
    with pytest.raises(InputError, match="topology 'moon:2x2': .*; use one like 'v5e:2x2'"):
        compiled_memory(tiny.net, tiny.in_shape, 5, topology="moon:2x2", timeout=300)
