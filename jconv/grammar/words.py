"""From a word of a pattern to its layer: CONV3-64/2(bias=False) is Conv(64, 3, stride=2, padding=1,
bias=False).
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator
from typing import Any

from ..analysis.fitting import window_setting
from ..layer import Layer
from ..layers import Initializer
from .syntax import Fault, Word
from .values import value_text
from .vocabulary import WORDS, standard


def build(word: Word, last: bool) -> Layer:
    """The layer a word stands for, `last` if no other dense layer follows. Raises Fault, with the
    nearest word that is right.
    """
    try:
        return _construct(word, last)
    except (TypeError, ValueError) as error:
        message = (
            str(error)
            if isinstance(error, ValueError)
            else f"a setting of {word} is of the wrong kind"
        )
        for near in _near(word):
            try:
                _construct(near, last)
            except (Fault, TypeError, ValueError):
                continue
            raise Fault(
                f"{message}; {near} is possible", word.start, word.start, word.end, str(near)
            ) from None
        raise Fault(message, word.start, word.start, word.end, word.name) from None


def kind_of(word: Word) -> type[Layer]:
    """The class a word stands for. Raises Fault naming near words."""
    if word.name not in WORDS:
        near = difflib.get_close_matches(word.name, WORDS, n=3, cutoff=0)
        raise word.fault(f"unknown word {word.name}; near ones are {', '.join(near)}", name=near[0])
    return WORDS[word.name]


def _construct(word: Word, last: bool) -> Layer:
    kind = kind_of(word)
    given = _given(word, kind)
    settings = standard(kind, given, last) | given
    for field in dataclasses.fields(kind):
        if field.name not in settings:
            raise word.fault(
                f"{word.name} needs the setting {field.name}",
                settings=(*word.settings, (field.name, 1)),
            )
    if settings.get("padding", 0) is None:
        kind(**settings | {"padding": 0})  # what else is wrong comes first
        message = (
            "a window's padding is (F - 1)/2, and an even window has none; give the padding or "
            "take an odd window"
        )
        raise word.fault(message, settings=(*word.settings, ("padding", 0)))
    return kind(**settings)


def _given(word: Word, kind: type[Layer]) -> dict[str, Any]:
    """What the word says, by the names of the layer's settings; its "name" apart."""
    fields = {f.name: f.default for f in dataclasses.fields(kind)}
    given: dict[str, Any] = {}
    for part, field in (
        ("size", window_setting(kind)),
        ("features", "features"),
        ("stride", "stride"),
    ):
        value = getattr(word, part)
        if value is not None and field not in fields:
            raise word.fault(f"{word.name} has no {part}", **{part: None})
        given |= {field: value} if value is not None else {}
    for i, (name, value) in enumerate(word.settings):
        instead = lambda *settings, i=i: {
            "settings": (*word.settings[:i], *settings, *word.settings[i + 1 :])
        }
        free = [f for f in fields if f not in given and f not in dict(word.settings)]
        if name in given or (name and name in dict(word.settings[:i])):
            raise word.fault(f"{name} is given twice", **instead())
        if name == "name":
            continue
        if name is None:
            message = (
                f"settings have names, as in {free[0]}={value!r}"
                if free
                else f"{word.name} has no more settings"
            )
            raise word.fault(message, **instead(*((f, value) for f in free[:1])))
        if name not in fields:
            near = difflib.get_close_matches(name, free, n=1)
            message = f"{word.name} has no setting {name}; it has {', '.join(fields) or 'none'}"
            raise word.fault(message, **instead(*((f, value) for f in near)))
        if not _fits(value, fields[name]):
            usual = (
                "a number"
                if fields[name] is dataclasses.MISSING
                else f"something like its default {value_text(fields[name])}"
            )
            raise word.fault(f"{name}={value_text(value)}, {usual} was expected", **instead())
        given[name] = value
    return given


def _fits(value: Any, default: Any) -> bool:
    """Whether a value is of a kind with a setting's default. The layer checks the rest."""
    if isinstance(default, Initializer) or isinstance(value, Initializer):
        return isinstance(default, Initializer) and isinstance(value, Initializer)
    if isinstance(default, bool):
        return isinstance(value, int)
    if isinstance(default, float | str):
        return value is not None and isinstance(value, str) == isinstance(default, str)
    return value is not None or default is None


def _near(word: Word) -> Iterator[Word]:
    """The word with one number changed, nearest first, or with one part left out."""
    for i, (name, value) in enumerate(word.settings):
        for number in _numbers_near(value):
            yield word._replace(
                settings=(*word.settings[:i], (name, number), *word.settings[i + 1 :])
            )
        yield word._replace(settings=word.settings[:i] + word.settings[i + 1 :])
    for part in ("stride", "features", "size"):
        for number in _numbers_near(getattr(word, part)):
            yield word._replace(**{part: number})
        yield word._replace(**{part: None})


def _numbers_near(value: Any) -> list[int]:
    if not isinstance(value, int):
        return []
    return sorted(
        (n for n in {*range(value - 16, value + 17), 0, 1} if n >= 0),
        key=lambda n: (abs(n - value), n),
    )
