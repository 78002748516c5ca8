"""The errors users meet, one family: `except JconvError` catches all that jconv raises of its own.

The text of a LayerError is "path of the layer: what came, what was expected, the fix"; that of an
InputError names the file or the argument. A setting of a wrong kind or value, such as
Conv(features=0), is a plain TypeError or ValueError, as in Python itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Any


class JconvError(Exception):
    """Base of every error that is jconv's own."""


class LayerError(JconvError, ValueError):
    """An error that knows which layer it comes from."""

    def __init__(self, message: str, path: str = ""):
        super().__init__(message, path)
        self.message, self.path = message, path

    def under(self, name: str) -> LayerError:
        """The same error, seen from one level further out."""
        return type(self)(self.message, f"{name}/{self.path}" if self.path else name)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ShapeError(LayerError):
    """A shape that cannot be: a window that does not fit, channels that do not divide, a rank that
    disagrees.
    """


class FeaturesError(ShapeError):
    """Another number of features than a dense kernel has; `features` is how many it has."""

    def __init__(self, message: str, path: str = "", features: int = 0):
        super().__init__(message, path)
        # args: what it is made of again when it comes out of a pickle
        self.args, self.features = ((message, path, features), features)

    def under(self, name: str) -> FeaturesError:
        return FeaturesError(
            self.message, f"{name}/{self.path}" if self.path else name, self.features
        )

    def __str__(self) -> str:
        return f"{super().__str__()}; initialise for this input"


def located(path: str, f: Callable, *args, **kwargs):
    """f(*args, **kwargs), with any LayerError it raises placed at `path`."""
    try:
        return f(*args, **kwargs)
    except LayerError as error:
        raise (error.under(path) if path else error) from None


def unknown(what: str, value, known: Sequence[str], other: str = "") -> str:
    """The text for a word that is not among those known."""
    words = ", ".join(repr(k) for k in known)
    return f"unknown {what} {value!r}; use {words}{f', or {other}' if other else ''}"


def near(value: Any, known: Iterable[str]) -> str:
    """The advice "did you mean ...?" with at most three of the words known, those alike first; ""
    where there are none.
    """
    words = list(known)
    alike = get_close_matches(str(value), words, n=3, cutoff=0.5) or words[:3]
    *some, last = map(str, alike or [""])
    return f"did you mean {', '.join(some)}{' or ' if some else ''}{last}?" if alike else ""


class InputError(JconvError, ValueError):
    """Something from outside is wrong: a file, a folder, an option. A script prints the text and
    ends with exit code 2.
    """


class PatternError(InputError):
    """A text that is no pattern: where in it, what is wrong, and what to write instead.

    `line` and `column` count from 1; `suggestion` is "" where there is none.
    """

    def __init__(self, message: str, at: int = 0, suggestion: str = "", text: str = ""):
        super().__init__(message, at, suggestion, text)
        self.message, self.at, self.suggestion, self.text = message, at, suggestion, text

    @property
    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    @property
    def column(self) -> int:
        return self.at - self.text.rfind("\n", 0, self.at)

    def within(self, text: str) -> PatternError:
        """The same fault of a text that it was found in."""
        return PatternError(self.message, self.at, self.suggestion, text)

    def __str__(self) -> str:
        line = f"line {self.line}, " if self.line > 1 else ""
        suggestion = f"; {self.suggestion}" if self.suggestion else ""
        return f"{line}column {self.column}: {self.message}{suggestion}"
