"""What a measurement was made on: machine, threads, versions; and what the card could do at most."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax

LIBRARIES = ("jconv", "jax", "jaxlib", "numpy", "optax", "flax", "equinox", "torch")
PEAKS = {  # dense multiply-adds with float32 sums, floating-point operations a second, from the makers' data sheets; float32 as TF32
    "H200": {"bfloat16": 989e12, "float32": 494e12},
    "H100 80GB HBM3": {"bfloat16": 989e12, "float32": 494e12},
    "H100 PCIe": {"bfloat16": 756e12, "float32": 378e12},
    "A100": {"bfloat16": 312e12, "float32": 156e12},
    "TPU v5 lite": {"bfloat16": 197e12},
    "TPU v4": {"bfloat16": 275e12},
}


def machine() -> dict[str, Any]:
    """Everything that a reader needs to judge the numbers."""
    device = jax.devices()[0]
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "memory_bytes": memory_bytes(),
        "device": device.device_kind if device.platform != "cpu" else "cpu",
        "threads": threads(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: found for name in LIBRARIES if (found := _version(name))},
    }


def threads() -> dict[str, int | None]:
    """In each library's pool; None for PyTorch until it is loaded."""
    torch = sys.modules.get("torch")
    return {"XLA": cores(), "PyTorch": torch.get_num_threads() if torch else None}


def peak_flops(device: str, dtype: str) -> float | None:
    """What the card's data sheet promises, where it is known."""
    return next((peaks.get(dtype) for name, peaks in PEAKS.items() if name in device), None)


def cores() -> int:
    """Those this process may use: the size of XLA's pool and, as the bench sets it, of PyTorch's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    wide = next((f", {word}" for word in ("avx512f", "avx2") if any(f" {word} " in line for line in lines)), "")
    return (named[0] if named else platform.processor() or platform.machine()) + wide


def memory_bytes() -> int | None:
    names = getattr(os, "sysconf_names", {})
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if "SC_PHYS_PAGES" in names else None


def describe(m: dict[str, Any]) -> str:
    """In two lines."""
    memory = f", {m['memory_bytes'] / 2**30:.0f} GiB" if m["memory_bytes"] else ""
    threads = ", ".join(f"{n} threads in {name}" for name, n in m["threads"].items() if n)
    versions = ", ".join(f"{name} {v}" for name, v in m["versions"].items())
    card = "" if m["device"] == "cpu" else f"{m['device']}; "
    return f"{card}{m['cpu']}, {m['cores']} cores{memory}; {threads}; load before {m['load_before']}\npython {m['python']}, {versions}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
