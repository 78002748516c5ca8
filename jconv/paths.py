"""Patterns of paths: which layers or arrays of a net are meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from .errors import InputError, near


def matches(path: str, pattern: str) -> bool:
    """Whether "stage1/block1/conv" is meant by a pattern: with "*" for anything, "/" too, and with
    all that lies below what it names ("stage1", "*/conv").
    """
    parts = path.split("/")
    heads = ("/".join(parts[:i]) for i in range(1, len(parts) + 1))
    return any(fnmatchcase(head, pattern) for head in heads)


def chosen(paths: Iterable[str], patterns: Sequence[str], name: str) -> set[str]:
    """The paths that one of the patterns means. Raises InputError for a pattern that means none,
    calling it by the argument's `name`.
    """
    paths = list(paths)
    for pattern in patterns:
        if not any(matches(path, pattern) for path in paths):
            heads = dict.fromkeys(
                "/".join(path.split("/")[:i])
                for path in paths
                for i in range(1, path.count("/") + 2)
            )
            raise InputError(f"{name}={pattern!r}: no such path in the net; {near(pattern, heads)}")
    return {path for path in paths if any(matches(path, pattern) for pattern in patterns)}
