"""Which backend computes: the CPU, a GPU or a TPU. It is chosen before anything is computed, or jax
chooses.
"""

from __future__ import annotations

import os
from typing import Literal

import jax

from ..errors import InputError

Backend = Literal["auto", "cpu", "gpu", "tpu"]
KINDS = ("cpu", "gpu", "tpu")
NVIDIA = (
    "pip install 'jax[cuda13]' on a machine with an NVIDIA GPU ('jax[rocm7-local]' with one of "
    "AMD's)"
)
FIX = {
    "cpu": "choose it before anything is computed",
    "gpu": NVIDIA,
    "cuda": NVIDIA,
    "rocm": NVIDIA,
    "tpu": "pip install 'jax[tpu]' on a machine with a TPU",
}


def use_backend(name: Backend) -> None:
    """Compute by this backend from here on, here and in processes started from here; "auto" is
    jax's choice, or JAX_PLATFORMS's.

    Raises InputError where there is no such backend, naming those there are.
    """
    if name == "auto":
        return
    # by itself jax takes an accelerator first
    before, wanted = (jax.config.values["jax_platforms"], "cpu" if name == "cpu" else "")
    jax.config.update("jax_platforms", wanted)
    if running() != name:
        jax.config.update("jax_platforms", before)
        raise InputError(f"--backend {name}: {missing(name)}")
    os.environ["JAX_PLATFORMS"] = wanted


def running() -> str:
    """The backend that computes; "" when jax cannot start what JAX_PLATFORMS asks for."""
    try:
        return jax.default_backend()
    # it raises the one for what it does not know, the other for CUDA without a GPU
    except (RuntimeError, AssertionError):
        return ""


def missing(name: str) -> str:
    """What there is instead of a backend that was asked for, and how to install it."""
    return (
        f"jax finds only {' and '.join(found()) or 'nothing'} here; "
        f"{FIX.get(name, 'choose one of them')}"
    )


def cannot_start() -> str:
    """The line for a JAX_PLATFORMS that cannot be."""
    asked = jax.config.values["jax_platforms"] or ""
    return f"JAX_PLATFORMS={asked}: {missing(asked.partition(',')[0])}; or unset JAX_PLATFORMS"


def found() -> list[str]:
    """The kinds of backend that jax can start, whatever JAX_PLATFORMS says."""
    before = jax.config.values["jax_platforms"]
    jax.config.update("jax_platforms", "")
    try:
        return [name for name in KINDS if _there(name)]
    finally:
        jax.config.update("jax_platforms", before)


def _there(name: str) -> bool:
    try:
        return bool(jax.devices(name))
    except (RuntimeError, AssertionError):
        return False
