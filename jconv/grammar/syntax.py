"""What the text of a pattern is made of: words and items, and a fault for what is neither. The
grammar is in parsing.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import JconvError
from .values import Settings, settings_text

Sizes = int | tuple[int, ...]


class Fault(JconvError):
    """What is wrong with a text at position `at`, and an edit that mends it: text[start:end]
    becomes `new`.
    """

    def __init__(self, message: str, at: int, start: int, end: int, new: str = ""):
        super().__init__(message)
        self.message, self.at, self.start, self.end, self.new = message, at, start, end, new


class Word(NamedTuple):
    """CONV3-64/2(padding=0): name "CONV", size 3, features 64, stride 2, settings (("padding",
    0),); it is text[start:end].

    A setting given without its name has None there.
    """

    name: str
    size: Sizes | None
    features: int | None
    stride: Sizes | None
    settings: Settings
    start: int
    end: int

    def __str__(self) -> str:
        features = "" if self.features is None else f"-{self.features}"
        stride = "" if self.stride is None else f"/{sizes_text(self.stride)}"
        return f"{self.name}{sizes_text(self.size)}{features}{stride}{settings_text(self.settings)}"

    def fault(self, message: str, **changes: Any) -> Fault:
        """A fault of this word, mended by writing it with these fields changed."""
        return Fault(message, self.start, self.start, self.end, str(self._replace(**changes)))


class Item(NamedTuple):
    """A word or a bracket, and what follows it: `times` is 2 for *2, "N" for *N, "?" for ?, None
    for nothing; that is text[start:end].
    """

    body: Word | tuple[Item, ...]
    times: int | str | None
    start: int
    end: int


def written(items: Sequence[Item]) -> str:
    """The text of a tree."""
    parts = []
    for body, times, *_ in items:
        part = str(body) if isinstance(body, Word) else f"[{written(body)}]"
        parts.append(part + ("" if times is None else "?" if times == "?" else f"*{times}"))
    return " -> ".join(parts)


def sizes_text(sizes: Sizes | None) -> str:
    """3, 3x5, or nothing."""
    return (
        "" if sizes is None else str(sizes) if isinstance(sizes, int) else "x".join(map(str, sizes))
    )
