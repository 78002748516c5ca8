"""The `jconv` command: `jconv NAME ...` runs scripts/NAME.py; `jconv --help` lists them.

A command with files of its own is a folder, scripts/NAME/__main__.py.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from .cli.startup import set_up
from .errors import near


def main(argv: Sequence[str] | None = None) -> int:
    name, *rest = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    found = scripts()
    if name in ("-h", "--help"):
        print(_listing(found))
        return 0
    if name not in found:
        print(f"error: {_unknown(name, found)}", file=sys.stderr)
        return 2
    if argv is None:  # the command itself, not a call from Python
        set_up()
    inside = ".__main__" if found[name].stem == "__main__" else ""
    return import_module(f"jconv.scripts.{name}{inside}").main(rest)


def scripts() -> dict[str, Path]:
    """The files of the package jconv.scripts by command name. Nothing is imported: a listing should
    not wait for a script's libraries.
    """
    spec = find_spec("jconv.scripts")
    folders = spec.submodule_search_locations if spec else None
    found = {}
    for folder in map(Path, folders or []):
        found |= {file.stem: file for file in folder.glob("[!_]*.py")}
        found |= {file.parent.name: file for file in folder.glob("*/__main__.py")}
    return dict(sorted(found.items()))


def _unknown(name: str, found: Mapping[str, Path]) -> str:
    """What to say of a command that is not there."""
    if name == "bench":
        return (
            "the benchmark is not part of the installed package; run it in a checkout of jconv, "
            'after pip install -e ".[train,peers]"'
        )
    return f"no command is called {name!r}; {near(name, found)} (jconv --help describes them)"


def _listing(found: dict[str, Path]) -> str:
    width = max(map(len, found), default=0)
    lines = [f"  {name:<{width}}  {_first_line(file)}" for name, file in found.items()]
    return "\n".join(
        [
            "usage: jconv NAME [options]",
            "",
            *lines,
            "",
            "jconv NAME --help lists the options of NAME.",
        ]
    )


def _first_line(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


if __name__ == "__main__":
    sys.exit(main())
