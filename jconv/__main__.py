"""The `jconv` command: `jconv NAME ...` runs scripts/NAME.py; `jconv --help` lists them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from .startup import set_up


def main(argv: Sequence[str] | None = None) -> int:
    name, *rest = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    found = scripts()
    if name in ("-h", "--help"):
        print(_listing(found))
        return 0
    if name not in found:
        near = get_close_matches(name, found, cutoff=0.5)
        advice = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(found)}"
        print(
            f"error: no command is called {name!r}; {advice} (jconv --help describes them)",
            file=sys.stderr,
        )
        return 2
    if argv is None:  # the command itself, not a call from Python
        set_up()
    return import_module(f"jconv.scripts.{name}").main(rest)


def scripts() -> dict[str, Path]:
    """The files of the package jconv.scripts by command name. Nothing is imported: a listing should
    not wait for a script's libraries.
    """
    spec = find_spec("jconv.scripts")
    folders = spec.submodule_search_locations if spec else None
    files = [file for folder in folders or [] for file in Path(folder).glob("*.py")]
    return {file.stem: file for file in sorted(files) if not file.stem.startswith("_")}


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
