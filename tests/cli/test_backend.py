"""The backend that is asked for, or one line. The tests run on a CPU, whatever else the machine
has.
"""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from jconv.cli import backend
from jconv.cli.backend import found, missing, running, use_backend
from jconv.errors import InputError


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    yield
    jax.config.update("jax_platforms", "cpu")


def test_the_cpu_is_always_there():
    use_backend("cpu")
    assert running() == "cpu" and found() == ["cpu"] and jax.config.values["jax_platforms"] == "cpu"


def test_auto_changes_nothing(monkeypatch):
    monkeypatch.setattr(backend, "jax", None)
    use_backend("auto")


@pytest.mark.parametrize("name, extra", [("gpu", "jax[cuda13]"), ("tpu", "jax[tpu]")])
def test_what_is_not_there_is_one_line_with_what_is_and_how_to_install_it(name, extra):
    with pytest.raises(InputError) as caught:
        use_backend(name)
    assert str(caught.value).startswith(
        f"--backend {name}: jax finds only cpu here; pip install '{extra}' on a machine with "
    )
    assert jax.config.values["jax_platforms"] == os.environ["JAX_PLATFORMS"] == "cpu"


def test_a_card_that_is_there_is_taken_and_a_cpu_then_comes_too_late(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(jax, "devices", lambda name: [name] if name != "tpu" else [])
    use_backend("gpu")
    assert jax.config.values["jax_platforms"] == os.environ["JAX_PLATFORMS"] == ""
    assert missing("tpu").startswith("jax finds only cpu and gpu here; pip install 'jax[tpu]'")
    with pytest.raises(
        InputError,
        match="--backend cpu: jax finds only cpu and gpu here; choose it before anything is "
        "computed",
    ):
        use_backend("cpu")


@pytest.mark.sweep(1)
@pytest.mark.parametrize(
    "platforms, words",
    [
        (
            "moon",
            "JAX_PLATFORMS=moon: jax finds only cpu here; choose one of them; or unset "
            "JAX_PLATFORMS",
        ),
        (
            "cuda",
            "JAX_PLATFORMS=cuda: jax finds only cpu here; pip install 'jax[cuda13]' on a machine "
            "with an NVIDIA GPU",
        ),
    ],
)
@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="a GPU is there")
def test_a_command_whose_backend_cannot_start_ends_in_one_line(platforms, words):
    code = (
        "import sys, jax; from jconv.cli.command import command; sys.exit(command(lambda argv: "
        "jax.numpy.ones(3))([]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "JAX_PLATFORMS": platforms},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    # libtpu, where it is, says its own before
    assert done.stderr.splitlines()[-1].startswith(f"error: {words}")
