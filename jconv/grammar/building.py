"""The layer patterns of the CS231n notes as a language: `pattern` reads a text, `describe` (in
notation.py) writes one.

    INPUT -> [[CONV -> RELU]*N -> POOL?]*M -> [FC -> RELU]*K -> FC
    INPUT224x224x3 -> [[CONV3-64 -> RELU]*2 -> POOL]*2 -> [FC-4096 -> RELU -> DROPOUT]*2 -> FC-1000
    [INPUT - CONV5-20(padding=0) - RELU - POOL3/2 - FC]

    pattern  = sequence                           its first word is INPUT, and there is one INPUT
    sequence = item { arrow item }
    arrow    = "->" | "-"                         a "-" before a digit belongs to the word: FC-10
    item     = ( word | "[" sequence "]" ) [ "*" count | "?" ]
    count    = integer | name      *N repeats as often as pattern(text, N=2) says; 0 leaves out
    word     = letters [ sizes ] [ "-" integer ] [ "/" sizes ] [ "(" setting { "," setting } ")" ]
    sizes    = integer { "x" integer }   3 for every axis, or 3x5 for the first and the second
    setting  = name "=" value   a Python literal, or an initializer: caffe_xavier(), constant(0.1)

A word is the name of a layer's class, in any case, or POOL for MaxPool, FC for Dense, BN for
BatchNorm, LRN for LocalResponseNorm. After it come window, features and stride, as in CONV11-96/4;
every other setting has the name it has in Python. By default CONV is 12 filters of 3x3, stride 1;
its padding is (F - 1)/2 whatever its window, so that it keeps the size; POOL is 2x2, stride 2; FC
has 10 features if it is the last, else 100. FC puts a Flatten before itself where the input is not
flat yet; DENSE does not.

INPUT may carry the size of an example, INPUT32x32x3. Every window must then fit exactly, as the
notes have it (Spatial arrangement), unless its word says rounding="floor" or "ceil".

Layers are named as Sequential names them; INPUT(names="alexnet") and INPUT(names="vgg") number them
as these papers do, by the rules in words.py; a word with the setting name="conv1" has that name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..analysis.fitting import arithmetic, inexact, nearest, sizes_that_fit
from ..compose import Sequential
from ..errors import PatternError, ShapeError
from ..geometry import Shape
from ..layer import Layer
from ..layers import Dense, Flatten, Rbf
from .parsing import Counts, Place, Word, count_names, read, unroll
from .words import FLAT, RULES, build, kind_of, names, spell


def pattern(text: str, *, optional: bool = True, **counts: int) -> Sequential:
    """The net that a pattern describes, in the language above. `counts` gives the numbers of *N;
    `optional` keeps what has a "?".

    >>> from jconv import Conv, Dense, Flatten, Relu, Sequential
    >>> net = Sequential(Conv(8, 3, padding=1), Relu(), Flatten(), Dense(10))
    >>> pattern("INPUT -> CONV3-8 -> RELU -> FC") == net
    True

    Raises PatternError for a text that is none, and ValueError for a count that is none or that the
    text has no name for.
    """
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(f"{name}={count!r}, a whole number of at least 0 was expected")
    given = Counts(counts, optional)
    try:
        net = _net_of(unroll(read(text), given))
    except PatternError as error:
        raise error.within(text) from None
    if unused := counts.keys() - count_names(read(text)):
        raise ValueError(
            f"{', '.join(sorted(unused))} is given, but the text has no *{min(unused)}; leave it "
            "out"
        )
    return net


def input_shape(text: str) -> Shape:
    """The shape of an example that a pattern's INPUT gives: (32, 32, 3) of INPUT32x32x3, () where
    it gives none. Raises PatternError.
    """
    pattern(text)
    return _input(unroll(read(text), Counts({}, True))[0].word)[0]


# From words, written out, to the net: layers built, windows checked to fit, names given
# --------------------------------------------------------------------------------------------------


class Placed(NamedTuple):
    """A layer and where it stands; `name` is the one the word gives it, if it does."""

    layer: Layer
    place: Place
    name: object


def _net_of(places: Sequence[Place]) -> Sequential:
    """The net of a text written out. Raises PatternError."""
    if not places or places[0].word.name != "INPUT":
        raise PatternError("a pattern begins with INPUT", 0, "write INPUT -> before this")
    head = places[0].word
    if places[0].turns:
        raise head.fault("INPUT stands once", "take it out of the brackets")
    in_shape, rule = _input(head)
    if len(places) == 1:
        raise head.fault("a net needs a layer after INPUT", "write INPUT -> FC")
    layers = _layers(places[1:], flat=len(in_shape) == 1)
    if in_shape:
        _check_fit(layers, in_shape)
    return Sequential(
        **dict(zip(_names(layers, rule), (placed.layer for placed in layers), strict=True))
    )


def _input(head: Word) -> tuple[Shape, str]:
    """The shape that INPUT32x32x3(names="vgg") gives, () for none, and the rule for names."""
    if head.features is not None or head.stride is not None:
        raise head.fault("INPUT has a size only, as in INPUT32x32x3")
    size = () if head.size is None else (head.size,) if isinstance(head.size, int) else head.size
    if len(size) > 4 or 0 in size:
        raise head.fault(
            "INPUT's size is one to three sizes of at least 1 and the channels, or the features "
            "alone"
        )
    rule = "kinds"
    for name, value in head.settings:
        if name != "names" or value not in RULES:
            raise head.fault(f"INPUT has one setting, names, which is {', '.join(RULES)}")
        rule = str(value)
    return size, rule


def _layers(places: Sequence[Place], flat: bool) -> list[Placed]:
    for word, _ in places:
        if word.name == "INPUT":
            raise word.fault("INPUT stands at the beginning only", "leave it out")
    last = max((i for i, place in enumerate(places) if kind_of(place.word) is Dense), default=-1)
    layers = []
    for i, place in enumerate(places):
        layer = build(place.word, last=i == last)
        if place.word.name == "FC" and not flat:
            layers.append(Placed(Flatten(), place, None))
        layers.append(Placed(layer, place, dict(place.word.settings).get("name")))
        flat = flat or isinstance(layer, FLAT)
    return layers


def _check_fit(layers: Sequence[Placed], shape: Shape) -> None:
    """The rule of the CS231n notes: every window fits its input, and exactly, unless its word says
    how to round.
    """
    for placed in layers:
        layer, said = placed.layer, dict(placed.place.word.settings)
        try:
            exact = hasattr(layer, "rounding") and "rounding" not in said
            w = inexact(layer, shape) if exact else None
            if w:
                below, above = sizes_that_fit(w)
                message = f"{arithmetic(w)} is not an integer; inputs of {below} or {above} fit"
                raise _misfit(message, placed, shape, ', or say rounding="floor"')
            shape = layer.out_shape(shape)
        except ShapeError as error:
            raise _misfit(str(error), placed, shape) from None


def _misfit(message: str, placed: Placed, shape: Shape, otherwise: str = "") -> PatternError:
    """What is wrong with a layer that does not fit: what repeats it repeats it too often, or else
    its nearest settings would do.
    """
    layer, (word, turns) = placed.layer, placed.place
    message = f"{word} on {'x'.join(map(str, shape))}: {message}"
    turn = next((turn for _, turn in reversed(turns) if turn), 0)
    if turn:
        return word.fault(message, f"repeat it {turn} time{'s' * (turn > 1)}, as often as it fits")
    keep = {name: value for name, value in word.settings if name in ("name", "rounding")}
    if near := nearest(layer, shape, 1):
        return word.fault(message, f"write {spell(near[0], **keep)}{otherwise}")
    if isinstance(layer, Dense | Rbf):
        return word.fault(message, "write FLATTEN -> before it")
    return word.fault(message)


def _names(layers: Sequence[Placed], rule: str) -> list[str]:
    """The names the rule gives, or the words. Raises PatternError for one that cannot be, or is
    there already.
    """
    by_rule = names([placed.layer for placed in layers], rule)
    found = [
        own if placed.name is None else str(placed.name)
        for placed, own in zip(layers, by_rule, strict=True)
    ]
    for (_, place, name), own in zip(layers, found, strict=True):
        if name is not None and (name != own or not own or "/" in own or own == "self"):
            raise place.word.fault(f'the name {name!r} cannot be; a name is a text without "/"')
        if name is not None and found.count(own) > 1:
            raise place.word.fault(
                f"{found.count(own)} layers are called {name!r}", "give each its own name"
            )
    return found
