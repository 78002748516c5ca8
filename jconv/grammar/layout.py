"""From the words of a pattern, written out, to its net: layers built, windows checked to fit, names
given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..analysis.fitting import arithmetic, inexact, nearest, sizes_that_fit
from ..compose import Sequential
from ..errors import ShapeError
from ..geometry import Shape
from ..layer import Layer
from ..layers import Dense, Flatten, Rbf
from .naming import RULES, names
from .syntax import Fault, Word
from .unroll import Place
from .vocabulary import FLAT, spell
from .words import build, kind_of


class Placed(NamedTuple):
    """A layer and where it stands; `name` is the one the word gives it, if it does."""

    layer: Layer
    place: Place
    name: object


def net_of(places: Sequence[Place]) -> Sequential:
    """The net of a text written out. Raises Fault."""
    if not places or places[0].word.name != "INPUT":
        raise Fault("a pattern begins with INPUT", 0, 0, 0, "INPUT -> ")
    head = places[0].word
    if turns := places[0].turns:
        raise Fault("INPUT stands once", head.start, turns[-1][0].start, turns[-1][0].end)
    in_shape, rule = _input(head)
    if len(places) == 1:
        raise Fault("a net needs a layer after INPUT", head.start, head.end, head.end, " -> FC")
    layers = _layers(places[1:], flat=len(in_shape) == 1)
    if in_shape:
        _check_fit(layers, in_shape, head)
    return Sequential(
        **dict(zip(_names(layers, rule), (placed.layer for placed in layers), strict=True))
    )


def shape_of(places: Sequence[Place]) -> Shape:
    """The shape that INPUT gives, () for none."""
    return _input(places[0].word)[0]


def _input(head: Word) -> tuple[Shape, str]:
    """The shape that INPUT32x32x3(names="vgg") gives, () for none, and the rule for names."""
    if head.features is not None or head.stride is not None:
        raise head.fault("INPUT has a size only, as in INPUT32x32x3", features=None, stride=None)
    size = () if head.size is None else (head.size,) if isinstance(head.size, int) else head.size
    if len(size) > 4 or 0 in size:
        raise head.fault(
            "INPUT's size is one to three sizes of at least 1 and the channels, or the features "
            "alone",
            size=None,
        )
    rule = "kinds"
    for name, value in head.settings:
        if name != "names" or value not in RULES:
            raise head.fault(
                f"INPUT has one setting, names, which is {', '.join(RULES)}", settings=()
            )
        rule = str(value)
    return size, rule


def _layers(places: Sequence[Place], flat: bool) -> list[Placed]:
    for word, _ in places:
        if word.name == "INPUT":
            raise Fault("INPUT stands at the beginning only", word.start, word.start, word.end)
    last = max((i for i, place in enumerate(places) if kind_of(place.word) is Dense), default=-1)
    layers = []
    for i, place in enumerate(places):
        layer = build(place.word, last=i == last)
        if place.word.name == "FC" and not flat:
            layers.append(Placed(Flatten(), place, None))
        layers.append(Placed(layer, place, dict(place.word.settings).get("name")))
        flat = flat or isinstance(layer, FLAT)
    return layers


def _check_fit(layers: Sequence[Placed], shape: Shape, head: Word) -> None:
    """The notes' rule: every window fits its input, and exactly, unless its word says how to
    round.
    """
    for placed in layers:
        layer, said = placed.layer, dict(placed.place.word.settings)
        try:
            w = (
                inexact(layer, shape)
                if hasattr(layer, "rounding") and "rounding" not in said
                else None
            )
            if w:
                message = f"{arithmetic(w)} is not an integer"
                raise _misfit(
                    message,
                    placed,
                    shape,
                    head,
                    f'inputs of {" or ".join(map(str, sizes_that_fit(w)))}, or rounding="floor"',
                )
            shape = layer.out_shape(shape)
        except ShapeError as error:
            raise _misfit(str(error), placed, shape, head) from None


def _misfit(message: str, placed: Placed, shape: Shape, head: Word, others: str = "") -> Fault:
    """The fault of a layer that does not fit, mended by fewer turns of what repeats it, or else by
    the nearest settings.
    """
    layer, (word, turns) = placed.layer, placed.place
    keep = {name: value for name, value in word.settings if name in ("name", "rounding")}
    near = [spell(n, **keep) for n in nearest(layer, shape)]
    fits = ", ".join([*near, *([others] if others else [])])
    text = f"{word} on {'x'.join(map(str, shape))}: {message}" + (
        f"; these fit: {fits}" if fits else ""
    )
    for item, turn in reversed(turns):
        if turn:
            return Fault(
                f"{text}; in these brackets it fits {turn} time{'s' * (turn > 1)}",
                word.start,
                item.start,
                item.end,
                f"*{turn}",
            )
    if near:
        return Fault(text, word.start, word.start, word.end, near[0])
    if isinstance(layer, Dense | Rbf):
        return Fault(text, word.start, word.start, word.start, "FLATTEN -> ")
    return Fault(text, word.start, head.start, head.end, str(head._replace(size=None)))


def _names(layers: Sequence[Placed], rule: str) -> list[str]:
    """The names the rule gives, or the words. Raises Fault for one that cannot be or is there
    already.
    """
    by_rule = names([placed.layer for placed in layers], rule)
    found = [
        own if placed.name is None else str(placed.name)
        for placed, own in zip(layers, by_rule, strict=True)
    ]
    for (_, place, name), own in zip(layers, found, strict=True):
        unnamed = tuple(pair for pair in place.word.settings if pair[0] != "name")
        if name is not None and (name != own or not own or "/" in own or own == "self"):
            raise place.word.fault(
                f'the name {name!r} cannot be; a name is a text without "/"', settings=unnamed
            )
        if name is not None and found.count(own) > 1:
            raise place.word.fault(
                f"{found.count(own)} layers are called {name!r}", settings=unnamed
            )
    return found
