"""Whether a layer's settings are of the kind that their annotations say, and numbers within their
range.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from .errors import InputError

WORDS = {  # of an annotation, as an error names it
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "a word",
    type(None): "None",
}


@cache
def annotated(cls: type) -> dict[str, Any]:
    """The annotations of a class's settings by name, resolved; none where they cannot be, as of a
    class made inside a function.
    """
    try:
        return get_type_hints(cls)
    except Exception:  # whatever evaluating a stranger's annotations raises
        return {}


def check_kind(where: str, name: str, value: Any, annotation: Any) -> None:
    """Raises ValueError for a value that is not of the annotated kind, such as a padding of 1.0."""
    if not fits(annotation, value):
        raise ValueError(
            f"{where}: {name}={value!r:.80}, {described(annotation)} was "
            f"expected{_hint(annotation, value)}"
        )


def check_range(
    where: str,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    most: float | None = None,
    **values: float,
) -> None:
    """Raises ValueError for values outside a range: at `least`, `above`, `below`, at `most`."""
    for name, value in values.items():
        inside = (
            (least is None or value >= least)
            and (above is None or value > above)
            and (below is None or value < below)
            and (most is None or value <= most)
        )
        if not inside:
            bounds = [("at least", least), ("above", above), ("below", below), ("at most", most)]
            expected = " and ".join(
                f"{word} {bound:g}" for word, bound in bounds if bound is not None
            )
            raise ValueError(f"{where}: {name}={value!r}, a number {expected} was expected")


def check_counts(**values: Any) -> None:
    """Raises InputError for arguments that are no whole number of at least 1."""
    for name, value in values.items():
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
            raise InputError(f"{name}={value!r:.60}, a whole number of at least 1 was expected")


def fits(annotation: Any, value: Any) -> bool:
    """Whether a value is of an annotated kind; of one that is not understood, yes."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if annotation is Any or isinstance(annotation, TypeVar):
        return True
    if origin is Literal:
        return value in inside
    if origin in (Union, types.UnionType):
        return any(fits(one, value) for one in inside)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        each = inside[:1] * len(value) if inside[1:] == (...,) else inside
        return len(each) == len(value) and all(map(fits, each, value))
    if annotation is float:
        return (
            isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        )
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if (
        origin is Callable
        or getattr(annotation, "_is_protocol", False)
        or annotation is Callable
        or origin is not None
    ):
        return callable(value)
    return isinstance(value, annotation) if isinstance(annotation, type) else True


def described(annotation: Any) -> str:
    """An annotation in words."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(map(repr, inside))
    if origin in (Union, types.UnionType):
        if int in inside and str in inside:  # geometry.Padding
            return '"SAME", "VALID", a whole number, or per axis a whole number or a pair (lo, hi)'
        if int in inside and tuple[int, ...] in inside:
            rest = " or None" if type(None) in inside else ""
            return f"a whole number, or one per axis{rest}"
        return " or ".join(map(described, inside))
    if origin is tuple:
        each = inside[0] if inside[1:] == (...,) else None
        return (
            f"a tuple, each entry {described(each)},"
            if each is not None
            else "a tuple of " + " and ".join(map(described, inside))
        )
    if getattr(annotation, "_is_protocol", False):
        return "a function"
    return (
        WORDS.get(annotation)
        or (getattr(annotation, "__name__", "") if isinstance(annotation, type) else "")
        or "a function"
    )


def _hint(annotation: Any, value: Any) -> str:
    """What may have happened."""
    if isinstance(value, float) and value.is_integer() and fits(annotation, int(value)):
        return (
            f"; write {int(value)} (in Python 4 / 2 is the fraction 2.0, and 4 // 2 the whole "
            "number 2)"
        )
    if isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isfinite(value):
        return "; it is not finite"
    if isinstance(value, type) and not fits(annotation, value):
        return f"; {value.__name__}() makes one"
    return ""
