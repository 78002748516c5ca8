"""What the words of a pattern mean: the layer each stands for, with the settings it has when the
text is silent; the word for a layer; and the names of layers.

CONV3-64/2(bias=False) is Conv(64, 3, stride=2, padding=1, bias=False).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .. import layers
from ..analysis.fitting import window_setting
from ..compose import Sequential
from ..errors import ShapeError, near
from ..geometry import per_axis, same_padding
from ..layer import Layer
from ..layers import (
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Initializer,
    Lambda,
    LocalResponseNorm,
    MaxPool,
    Rbf,
)
from .parsing import Word
from .values import value_text

WORDS = {
    "POOL": MaxPool,
    "FC": Dense,  # with a Flatten before it where it needs one
    "BN": BatchNorm,
    "LRN": LocalResponseNorm,
    **{
        c.__name__.upper(): c
        for c in vars(layers).values()
        if isinstance(c, type) and issubclass(c, Layer) and c is not Lambda
    },
}
# after these, an example is one row of features
FLAT = (Flatten, GlobalAvgPool, GlobalMaxPool, Dense, Rbf)

# CONV and POOL by themselves: the net of the CS231n notes' Architecture Overview
KERNEL, WINDOW, FILTERS = (3, 2, 12)
# FC by itself: CIFAR-10's classes for the last one, 100 features for those before it
CLASSES, HIDDEN = (10, 100)


# From a word to its layer
# --------------------------------------------------------------------------------------------------


def kind_of(word: Word) -> type[Layer]:
    """The class a word stands for. Raises PatternError."""
    if word.name not in WORDS:
        raise word.fault(f"unknown word {word.name}", near(word.name, WORDS))
    return WORDS[word.name]


def build(word: Word, last: bool) -> Layer:
    """The layer a word stands for, `last` if no other dense layer follows. Raises PatternError."""
    kind = kind_of(word)
    given = _given(word, kind)
    settings = standard(kind, given, last) | given
    for field in dataclasses.fields(kind):
        if field.name not in settings:
            raise word.fault(
                f"{word.name} needs the setting {field.name}",
                f"write {word.name}({field.name}=...)",
            )
    try:
        if settings.get("padding", 0) is not None:
            return kind(**settings)
        kind(**settings | {"padding": 0})  # what else is wrong comes first
    except ValueError as error:
        raise word.fault(str(error)) from None
    except TypeError:
        raise word.fault(f"a setting of {word} is of the wrong kind") from None
    raise word.fault(
        "a window's padding is (F - 1)/2, and an even window has none",
        f"write {word._replace(settings=(*word.settings, ('padding', 0)))}, or an odd window",
    )


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
            raise word.fault(f"{word.name} has no {part}", f"write {word._replace(**{part: None})}")
        given |= {field: value} if value is not None else {}
    for i, (name, value) in enumerate(word.settings):
        free = [f for f in fields if f not in given and f not in dict(word.settings)]
        if name in given or (name and name in dict(word.settings[:i])):
            raise word.fault(f"{name} is given twice", "give it once")
        if name == "name":
            continue
        if name is None:
            suggestion = f"write {free[0]}={value_text(value)}" if free else ""
            raise word.fault(
                "settings have names" if free else f"{word.name} has no more settings", suggestion
            )
        if name not in fields:
            known = ", ".join(fields) or "none"
            message = f"{word.name} has no setting {name}; it has {known}"
            raise word.fault(message, near(name, free) if free else "")
        if not _fits(value, fields[name]):
            usual = (
                "a number"
                if fields[name] is dataclasses.MISSING
                else f"something like its default {value_text(fields[name])}"
            )
            raise word.fault(f"{name}={value_text(value)}, {usual} was expected")
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


def standard(kind: type[Layer], given: dict[str, Any], last: bool) -> dict[str, Any]:
    """The settings that a word of this kind has unless the text says otherwise, `given` what it
    says; `last` of all dense layers.

    A kernel's padding is (F - 1)/2, which keeps the size at stride 1, and None where that is no
    whole number (CS231n notes, Layer Sizing Patterns).
    """
    settings = {
        f.name: f.default for f in dataclasses.fields(kind) if f.default is not dataclasses.MISSING
    }
    needed = {f.name for f in dataclasses.fields(kind)}
    dense = CLASSES if last else HIDDEN
    own = {"kernel": KERNEL, "window": WINDOW, "features": dense if kind is Dense else FILTERS}
    settings |= {name: value for name, value in own.items() if name in needed}
    if {"kernel", "padding"} <= needed:
        settings["padding"] = _same(given.get("kernel", KERNEL), given.get("dilation", 1))
    return settings


# From a layer to its word
# --------------------------------------------------------------------------------------------------


def spell(layer: Layer, *, last: bool = True, fc: bool = False, **more: Any) -> str:
    """The shortest word for a layer. `fc` writes FC rather than DENSE; `more` are settings to write
    whatever their value.
    """
    kind = type(layer)
    values = {f.name: getattr(layer, f.name) for f in dataclasses.fields(layer)}
    usual, window = standard(kind, values, last), window_setting(kind)
    differ = {
        name: value for name, value in values.items() if name not in usual or value != usual[name]
    } | more
    size = features = stride = None
    if differ.keys() & {window, "features", "stride"}:
        size = values[window] if window and _is_size(values[window]) else None
        features = values.get("features")
        stride = values["stride"] if "stride" in differ and _is_size(values["stride"]) else None
        written = {window: size, "features": features, "stride": stride}
        differ = {name: value for name, value in differ.items() if written.get(name) is None}
    name = "FC" if fc else min((w for w, c in WORDS.items() if c is kind and w != "FC"), key=len)
    return str(Word(name, size, features, stride, tuple(differ.items()), 0))


def _is_size(value: Any) -> bool:
    """Whether a value can stand in a word: 3, or 3x5."""
    return isinstance(value, int) or (isinstance(value, tuple) and len(value) > 1)


def _same(kernel: Any, dilation: Any) -> Any:
    """The padding that keeps the size, as int or one int per axis; None where there is none, or
    nothing to work it out from.
    """
    try:
        if isinstance(kernel, int) and isinstance(dilation, int):
            return same_padding(kernel, dilation)
        rank = len(dilation if isinstance(kernel, int) else kernel)
        axes = zip(
            per_axis(kernel, rank, "kernel"), per_axis(dilation, rank, "dilation"), strict=True
        )
        return tuple(same_padding(f, d) for f, d in axes)
    except (ShapeError, TypeError):
        return None


# Names of the layers of a linear net, by three rules. Each depends on the layers alone.
# --------------------------------------------------------------------------------------------------

RULES = ("kinds", "alexnet", "vgg")


def names(layers: Sequence[Layer], rule: str) -> list[str]:
    """One name per layer.

    "kinds": as Sequential names them, by class: conv1, relu1, conv2, maxpool1, dense1.
    "alexnet": a layer with features counts on, and the others have its number: conv1, relu1, pool1,
    conv2, ..., pool5, fc6. "vgg": pools end stages, and the others have the number of the
    convolution they follow: conv1_1, relu1_1, conv1_2, pool1,
    ..., fc6, relu6. A dense layer is a stage of its own.
    Flatten has no number in either; a second relu with one number is relu1x2.
    """
    if rule == "kinds":
        return [name for name, _ in Sequential(*layers).layers]
    taken: Counter[str] = Counter()
    found = []
    for layer, number in zip(
        layers, _by_layer(layers) if rule == "alexnet" else _by_stage(layers), strict=True
    ):
        name = "flatten" if isinstance(layer, Flatten) else f"{_kind(layer)}{number}"
        taken[name] += 1
        found.append(name if taken[name] == 1 else f"{name}x{taken[name]}")
    return found


def _kind(layer: Layer) -> str:
    known = {Dense: "fc", BatchNorm: "bn", LocalResponseNorm: "norm", Dropout: "drop"}
    return "pool" if _pools(layer) else known.get(type(layer), type(layer).__name__.lower())


def _pools(layer: Layer) -> bool:
    return type(layer).__name__.endswith(("Pool", "Subsampling"))


def _by_layer(layers: Sequence[Layer]) -> list[str]:
    numbers, count = [], 0
    for layer in layers:
        count += hasattr(layer, "features")
        numbers.append(str(count))
    return numbers


def _by_stage(layers: Sequence[Layer]) -> list[str]:
    numbers, stage, convolutions, last = [], 1, 0, "0"
    for layer in layers:
        if _pools(layer):
            last, stage, convolutions = str(stage), stage + 1, 0
        elif hasattr(layer, "kernel"):
            convolutions += 1
            last = f"{stage}_{convolutions}"
        elif hasattr(layer, "features"):
            last, stage, convolutions = (
                str(stage + bool(convolutions)),
                stage + bool(convolutions) + 1,
                0,
            )
        numbers.append(last)
    return numbers
