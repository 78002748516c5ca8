"""What the `jconv` command sets up before JAX loads: huge pages for memory, and compiled programs
kept on disk.

Both are environment variables, which serve scripts of your own just as well:

    GLIBC_TUNABLES=glibc.malloc.hugetlb=1
        A training step allocates and frees its activations: 4 KiB at a time the kernel hands them
        out anew every step, which is a sixth of ResNet-20's time on two cores.
    JAX_COMPILATION_CACHE_DIR=FOLDER
        A program compiled before is read, not compiled again.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

PAGES = "glibc.malloc.hugetlb=1"
TUNABLE_SINCE = (2, 35)  # of glibc
SWITCH = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def set_up() -> None:
    """Set the environment of this process; it starts itself anew where the C library reads its
    settings at the start only.
    """
    os.environ.update(cache_settings(os.environ))
    os.environ["MPLBACKEND"] = (
        "agg"  # pictures go to files alone; what a notebook hands down may not be installed here
    )
    changed = page_settings(os.environ, platform.libc_ver(), SWITCH)
    if changed:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **changed})


def cache_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The compilation cache, in the user's folder for caches, unless JAX_COMPILATION_CACHE_DIR says
    where, or that there is none ("").

    A user without a home, or with one that cannot be written to, as in a container, has none.
    """
    if "JAX_COMPILATION_CACHE_DIR" in environ:
        return {}
    try:
        folder = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jconv"
    except RuntimeError:  # no home
        return {}
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        return {}
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
    }


def page_settings(
    environ: Mapping[str, str], libc: tuple[str, str], switch: Path
) -> dict[str, str]:
    """Huge pages, where the C library and the kernel offer them and the user has not decided about
    them.
    """
    tunables = environ.get("GLIBC_TUNABLES", "")
    name, version = libc
    too_old = name != "glibc" or tuple(int(part) for part in version.split(".")[:2]) < TUNABLE_SINCE
    if (
        too_old
        or "glibc.malloc.hugetlb" in tunables
        or not switch.exists()
        or "[never]" in switch.read_text()
    ):
        return {}
    return {"GLIBC_TUNABLES": f"{tunables}:{PAGES}" if tunables else PAGES}
