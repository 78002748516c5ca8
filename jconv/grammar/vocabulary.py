"""What the words of a pattern mean: which layer each stands for, and the settings it has when the
text is silent.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from .. import layers
from ..analysis.fitting import window_setting
from ..errors import ShapeError
from ..geometry import per_axis, same_padding
from ..layer import Layer
from ..layers import (
    BatchNorm,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Lambda,
    LocalResponseNorm,
    MaxPool,
    Rbf,
)
from .syntax import Word

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
    return str(Word(name, size, features, stride, tuple(differ.items()), 0, 0))


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
