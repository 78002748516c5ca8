"""Programs compiled ahead. What needs libtpu runs only where it is installed; the rest has another
child speak for it.
"""

import json
import os
from importlib.util import find_spec

import jax
import jax.numpy as jnp
import pytest

from jconv.errors import InputError
from jconv.tuning import ahead
from jconv.tuning.ahead import CompilationFailed, Compiled, account, compile_ahead, on

FOUND = Compiled("TPU v0", 11, 2, 5, 7.0, 9.0, 0.5)
SPEAKS = f"""
import json, pickle, sys, time
for program in pickle.load(sys.stdin.buffer)[1]:
    word = pickle.loads(program)
    if word == "dies":
        sys.exit("first\\nlast")
    if word == "hangs":
        time.sleep(60)
    print("noise")
    answer = {{"refused": word}} if word.startswith("too") else {FOUND._asdict()!r}
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def ask(monkeypatch):
    """compile_ahead with this Python program in the compiler's place."""
    monkeypatch.setattr(ahead, "find_spec", lambda name: name)

    def asked(child, *programs, timeout=60.0):
        monkeypatch.setattr(ahead, "CHILD", child)
        return [
            found if isinstance(found, Compiled) else str(found)
            for found in compile_ahead(programs or ["one"], timeout=timeout)
        ]

    return asked


def test_each_program_has_its_answer_in_order(ask):
    assert ask(SPEAKS, "a", "too large", "b") == [FOUND, "too large", FOUND]
    assert FOUND.total == 18


@pytest.mark.exhaustive
def test_what_the_compiler_does_not_survive_leaves_the_others_alone(ask):
    late = "XLA did not finish within 2 s; allow more with timeout="
    died = "the compiler ended with exit code 1 and said: last"
    assert ask(SPEAKS, "a", "dies", "hangs", "b", "dies", timeout=2) == [
        FOUND,
        died,
        late,
        FOUND,
        died,
    ]


@pytest.mark.parametrize(
    ("child", "words"),
    [
        (
            "import time; time.sleep(60)",
            "XLA did not finish within 0.5 s; allow more with timeout=",
        ),
        ("pass", "the compiler ended with exit code 0 and said: nothing"),
        ("import os; os.abort()", "the compiler ended with exit code -6 and said: nothing"),
    ],
    ids=["late", "silent", "aborted"],
)
def test_no_answer_is_one_line(ask, child, words):
    assert ask(child, timeout=0.5 if "sleep" in child else 60.0) == [words]


def test_a_wrong_topology_is_wrong_input(ask):
    with pytest.raises(InputError, match="^no such topology$"):
        ask('print(\'{"wrong": "no such topology"}\')')


def test_without_libtpu_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(ahead, "find_spec", lambda name: None)
    with pytest.raises(
        CompilationFailed, match=r"^libtpu is not installed; pip install 'jconv\[tpu-plan\]'$"
    ):
        next(compile_ahead([]))


def test_a_program_that_cannot_travel_says_so(ask):
    with pytest.raises(CompilationFailed, match="^the net cannot be sent to the compiler: "):
        ask("pass", lambda x: x)


def test_the_childs_environment_is_its_own(ask, monkeypatch):
    """The child has what it needs in it, and nothing of ours that steers jax."""
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    monkeypatch.setenv("XLA_FLAGS", "--xla_nonsense")
    monkeypatch.setenv("KEPT", "yes")
    (text,) = ask("import json, os; print(json.dumps({'refused': json.dumps(dict(os.environ))}))")
    seen = json.loads(text)
    assert {"JAX_ENABLE_X64", "XLA_FLAGS"}.isdisjoint(seen)
    assert (seen["KEPT"], seen["JAX_PLATFORMS"], seen["TPU_SKIP_MDS_QUERY"]) == ("yes", "cpu", "1")
    assert os.environ["XLA_FLAGS"] == "--xla_nonsense"


def test_the_account_counts_arithmetic_traffic_and_memory():
    chip, shape = jax.devices("cpu")[0], jax.ShapeDtypeStruct((128, 128), jnp.float32)
    found = account(chip, jax.jit(lambda a, b: a @ b).lower(*on(chip, (shape, shape))))
    size = 4 * 128**2
    assert (found.chip, found.arguments, found.results) == ("cpu", 2 * size, size)
    assert found.flops == 2 * 128**3 and found.accessed == 3 * size
    assert found.between >= 0 and found.seconds > 0


@pytest.mark.skipif(find_spec("libtpu") is None, reason="libtpu is not installed")
def test_a_topology_there_is_none_of():
    with pytest.raises(InputError, match="topology 'moon:2x2': .*; use one like 'v5e:2x2'"):
        list(compile_ahead(["one"], "moon:2x2", timeout=300))
