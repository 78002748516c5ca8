"""What every command shares: how it prints, and how it ends when it cannot go on, in one line on
stderr and never a traceback.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import wraps
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..errors import InputError, LayerError, near
from ..files import cause
from .backend import cannot_start, running

if TYPE_CHECKING:
    from rich.console import Console

Main = Callable[..., int]  # of argv, a sequence of words, or None for those of the process
Options = TypeVar("Options")
ALIASES = {  # of other programs' words for our options
    "--learning-rate": ("--lr", "--rate", "--eta"),
    "--batch-size": ("--batch", "--bs", "--batchsize"),
    "--batch": ("--batch-size", "--bs"),
    "--weight-decay": ("--wd", "--decay", "--l2"),
    "--epochs": ("--epoch", "--num-epochs", "--n-epochs"),
    "--model": ("--arch", "--net", "--network"),
    "--data-dir": ("--data-path", "--dataset-dir", "--folder", "--root"),
    "--data": ("--dataset",),
    "--out": ("--output", "--output-dir", "--save-dir", "--logdir", "--save"),
    "--backend": ("--device", "--platform", "--gpu", "--cpu"),
    "--in-shape": ("--input-shape", "--input-size", "--img-size", "--image-size"),
    "--classes": ("--num-classes", "--nb-classes"),
    "--optimizer": ("--opt", "--optim"),
    "--weights": ("--pretrained", "--checkpoint", "--init"),
    "--dtype": ("--amp", "--fp16", "--bf16", "--half"),
}
FIXES = {  # of what the system refuses
    errno.ENOSPC: "free some space, or write elsewhere",
    errno.EDQUOT: "free some space, or write elsewhere",
    errno.EROFS: "write elsewhere",
    errno.EACCES: "change its permissions, or choose another place",
    errno.EPERM: "change its permissions, or choose another place",
    errno.ENOTDIR: "a part of this path is a file; choose another",
    errno.EISDIR: "name a file in it",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: "check the path",
}


def command(main: Main) -> Main:
    """A script's main(argv) with wrong input, what the system refuses, and a backend that is not
    there, turned into exit code 2.

    Ctrl-C is 130. Warnings are a line each, and letters that the terminal does not know are printed
    as question marks.
    """

    @wraps(main)
    def wrapped(argv: Sequence[str] | None = None) -> int:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):  # a StringIO has no encoding
                stream.reconfigure(errors="replace")
        try:
            with _brief_warnings():
                return main(argv)
        except (InputError, LayerError) as error:
            print(f"error: {with_flags(str(error), _options(main))}", file=sys.stderr)
            return 2
        except (RuntimeError, AssertionError):
            if running():
                raise
            print(f"error: {cannot_start()}", file=sys.stderr)
            return 2
        except BrokenPipeError:  # the reader of our output has seen enough, as `| head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except OSError as error:
            if error.errno is None:
                raise
            where = f"{error.filename}: " if error.filename is not None else ""
            fix = FIXES.get(error.errno)
            print(f"error: {where}{cause(error)}{f'; {fix}' if fix else ''}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130

    return wrapped


def with_flags(text: str, options: Iterable[str]) -> str:
    """An error of the library with the command's flags for the arguments that it names:
    "batch_size=0" becomes "--batch-size 0", "resize=True" becomes "--resize".
    """
    names = "|".join(map(re.escape, sorted(options, key=len, reverse=True)))

    def flag(match: re.Match) -> str:
        name, value = match["name"].replace("_", "-"), match["value"].strip("'")
        if value in ("True", "False"):
            return f"--{'no-' if value == 'False' else ''}{name}"
        return f"--{name} {value}"

    value = r"'[^']*'|[^\s:;,()]+"
    return re.sub(rf"(?<![\w-])(?P<name>{names})=(?P<value>{value})", flag, text) if names else text


def _options(main: Main) -> set[str]:
    """The fields of the classes called ...Options in the module of a script's main."""
    found = vars(sys.modules[main.__module__]).items()
    kinds = [kind for name, kind in found if name.endswith("Options") and is_dataclass(kind)]
    return {field.name for kind in kinds for field in fields(kind)}


def parse(
    kind: type[Options],
    argv: Sequence[str] | None,
    *,
    prog: str,
    doc: str | None,
    default: Options | None = None,
) -> Options:
    """The options of a command line; --help prints `doc`. Raises InputError for an option that
    there is not, naming ours for it.
    """
    import tyro

    # a field may be called "class_"
    ours = {f"--{field.name.strip('_').replace('_', '-')}" for field in fields(cast(Any, kind))}
    for word in sys.argv[1:] if argv is None else argv:
        name = word.partition("=")[0].replace("_", "-")
        known = ours | {f"--no-{flag[2:]}" for flag in ours} | {"--help"}
        if name.startswith("--") and len(name) > 2 and name not in known:
            meant = next(
                (flag for flag, names in ALIASES.items() if name in names and flag in ours), None
            )
            advice = f"it is called {meant}" if meant else near(name, sorted(ours))
            raise InputError(
                f"{prog} has no option {word.partition('=')[0]}; {advice} ({prog} --help lists "
                "them)"
            )
    begin: dict[str, Any] = {} if default is None else {"default": default}
    return tyro.cli(kind, args=argv, prog=prog, description=doc, **begin)


def console(width: int | None = None) -> Console:
    """Where a command prints: text as it is, since names of classes and files come from outside and
    may look like markup.
    """
    from rich.console import Console

    return Console(width=width, highlight=False, markup=False, emoji=False)


def is_live() -> bool:
    """Whether what is printed can be drawn over: in a terminal, not in a log, whatever colours
    FORCE_COLOR asks for.
    """
    return sys.stdout.isatty()


@contextmanager
def status(console: Console, text: str) -> Iterator[Callable[[str], Any]]:
    """Show what is being done while it is, where that can be drawn; gives a function that changes
    the text.
    """
    if not is_live():
        yield lambda text: None
        return
    with console.status(text) as shown:
        yield shown.update


@contextmanager
def _brief_warnings() -> Iterator[None]:
    """Warnings as one line each, without the line of code that they come from."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before
