"""Writing files, and making folders for them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile

from .errors import InputError


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing: under another name first, then renamed."""
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        # a name that is no text is no reason to lose the rest
        unfinished.write_text(text, encoding="utf-8", errors="replace")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path | None, name: str, fix: str = "choose another folder") -> Iterator[Path]:
    """A folder for the results of some work, made before it: `path`, new or empty, or else
    runs/`name`, numbered if that is taken.

    What is made is removed again where the work fails before anything lies in it. Raises InputError
    where it cannot be made or written to.
    """
    made: list[Path] = []
    try:
        folder = _numbered(Path("runs") / name, made) if path is None else _empty(path, made, fix)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        _remove(made)
        raise InputError(f"{error.filename or path}: {cause(error)}; {fix}") from None
    except InputError:
        _remove(made)
        raise
    try:
        yield folder
    except BaseException:
        _remove(made)
        raise


def check_writable(path: Path, option: str) -> None:
    """Raises InputError unless a file can be written at `path`, whose folder is made: now, and not
    after minutes of work.
    """
    if path.is_dir():
        raise InputError(f"{option} {path}: is a folder; give the name of a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise InputError(
            f"{option} {path}: cannot be written ({cause(error)}); choose another {option}"
        ) from None


def cause(error: OSError) -> str:
    """What the system says, in small letters: "no space left on device"."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def _empty(path: Path, made: list[Path], fix: str) -> Path:
    _make(path.parent, made)
    try:
        path.mkdir()
        made.append(path)
    except FileExistsError:
        if not path.is_dir():
            raise InputError(f"{path}: is a file, a folder was expected; {fix}") from None
        if any(path.iterdir()):
            raise InputError(f"{path}: already exists and is not empty; {fix}") from None
    return path


def _numbered(path: Path, made: list[Path]) -> Path:
    """Two runs that begin in the same second get two folders: making one is what decides."""
    _make(path.parent, made)
    for i in count(1):
        numbered = path if i == 1 else path.with_name(f"{path.name}-{i}")
        with suppress(FileExistsError):
            numbered.mkdir()
            made.append(numbered)
            return numbered
    raise AssertionError("numbers do not end")


def _make(path: Path, made: list[Path]) -> None:
    """The folder and those above it, remembered as far as they are new."""
    for folder in reversed([path, *path.parents]):
        if not folder.exists():
            with suppress(FileExistsError):
                folder.mkdir()
                made.append(folder)
    path.mkdir(parents=True, exist_ok=True)  # raises where one of them is a file


def _remove(made: list[Path]) -> None:
    for folder in reversed(made):
        with suppress(OSError):  # something lies in it
            folder.rmdir()
