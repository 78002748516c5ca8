"""What a measurement was made on: machine, threads, versions; and what the card could do at
most.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import jax

LIBRARIES = ("jconv", "jax", "jaxlib", "numpy", "optax", "flax", "equinox", "torch")
# dense multiply-adds with float32 sums, floating-point operations a second, from the makers' data
# sheets; float32 as TF32
PEAKS = {
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


class Used(NamedTuple):
    """Seconds of the cores that this process may use, since the machine started."""

    own: float  # by this process
    busy: float
    total: float


def used() -> Used | None:
    """None where the system does not tell."""
    stat = Path("/proc/stat")
    if not stat.exists() or not hasattr(os, "sched_getaffinity"):
        return None
    rows = [line.split() for line in stat.read_text().splitlines()]
    mine = {f"cpu{i}" for i in os.sched_getaffinity(0)}
    # the fourth and fifth are idle
    ticks = [[int(field) for field in row[1:9]] for row in rows if row and row[0] in mine]
    total, idle = (
        sum(map(sum, part)) / os.sysconf("SC_CLK_TCK") for part in (ticks, [t[3:5] for t in ticks])
    )
    return Used(time.process_time(), total - idle, total)


def others_share(before: Used | None, after: Used | None) -> float | None:
    """The share of the cores that other processes took in between."""
    if before is None or after is None or after.total == before.total:
        return None
    return max(0.0, (after.busy - before.busy) - (after.own - before.own)) / (
        after.total - before.total
    )


def peak_flops(device: str, dtype: str) -> float | None:
    """What the card's data sheet promises, where it is known."""
    return next((peaks.get(dtype) for name, peaks in PEAKS.items() if name in device), None)


def cores() -> int:
    """Those this process may use: the size of XLA's pool and, as the bench sets it, of
    PyTorch's.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    wide = next(
        (f", {word}" for word in ("avx512f", "avx2") if any(f" {word} " in line for line in lines)),
        "",
    )
    return (named[0] if named else platform.processor() or platform.machine()) + wide


def memory_bytes() -> int | None:
    names = getattr(os, "sysconf_names", {})
    return (
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if "SC_PHYS_PAGES" in names
        else None
    )


def describe(m: dict[str, Any]) -> str:
    """In two lines."""
    memory = f", {m['memory_bytes'] / 2**30:.0f} GiB" if m["memory_bytes"] else ""
    threads = ", ".join(f"{n} threads in {name}" for name, n in m["threads"].items() if n)
    versions = ", ".join(f"{name} {v}" for name, v in m["versions"].items())
    card = "" if m["device"] == "cpu" else f"{m['device']}; "
    return (
        f"{card}{m['cpu']}, {m['cores']} cores{memory}; {threads}; load before "
        f"{m['load_before']}\npython {m['python']}, {versions}"
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
