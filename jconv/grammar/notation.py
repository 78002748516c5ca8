"""A net as a pattern's text, in its shortest form: the inverse of `pattern` (building.py)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..analysis.fitting import inexact
from ..compose import Sequential
from ..errors import LayerError, located
from ..geometry import Shape
from ..layer import Layer
from ..layers import Dense, Flatten
from .parsing import LONGEST, sizes_text
from .words import FLAT, RULES, WORDS, names, spell

_AWKWARD = re.compile(r"\[(?!\[|CONV|FC|LOCAL|DENSE)")


def describe(net: Layer, in_shape: Shape | None = None) -> str:
    """The shortest pattern of a linear net: `pattern(describe(net)) == net`.

    With `in_shape` INPUT carries it, and windows that do not fit exactly say rounding="floor".

    >>> from jconv import Conv, Dense, Flatten, MaxPool, Relu, Sequential
    >>> conv = Conv(8, 3, padding=1)
    >>> describe(Sequential(conv, Relu(), conv, Relu(), MaxPool(2), Flatten(), Dense(10)))
    'INPUT -> [CONV3-8 -> RELU]*2 -> POOL -> FC'

    Raises LayerError, with the path, for what no pattern says: a net that is no Sequential of
    jconv's own single layers.
    """
    layers = _linear(net)
    rounding = _rounded_down(layers, in_shape) if in_shape else set()
    texts = []
    for rule in RULES:
        head = f"INPUT{sizes_text(in_shape)}" + ("" if rule == RULES[0] else f'(names="{rule}")')
        words = _words(
            layers,
            names([layer for _, layer in layers], rule),
            rounding,
            flat=in_shape is not None and len(in_shape) == 1,
        )
        texts.append(f"{head} -> {shortest(words)}")
    return min(texts, key=len)


def shortest(words: Sequence[str]) -> str:
    """The shortest text for a sequence of words, by repetition: A -> B -> B is A -> B*2, A -> B ->
    A -> B is [A -> B]*2.

    Of texts of one length it is one whose brackets begin with a layer that has features, as in the
    CS231n notes' [CONV -> RELU -> POOL]*2.
    """
    return _shortest(tuple(words), {})


def _shortest(words: tuple[str, ...], known: dict[tuple[str, ...], str]) -> str:
    if words not in known:
        best = [""] * (len(words) + 1)  # best[i] is the text for words[i:]
        repetitions = _repetitions(words)
        for i in reversed(range(len(words))):
            options = [_joined(words[i], best[i + 1])]
            for length, most in repetitions[i]:
                inside = words[i] if length == 1 else f"[{_shortest(words[i : i + length], known)}]"
                options += [
                    _joined(f"{inside}*{times}", best[i + times * length])
                    for times in range(2, most + 1)
                ]
            best[i] = (
                min(options, key=lambda text: (len(text), len(_AWKWARD.findall(text))))
                if len(options) > 1
                else options[0]
            )
        known[words] = best[0]
    return known[words]


def _repetitions(words: Sequence[str]) -> list[list[tuple[int, int]]]:
    """Where words repeat: for each i, pairs (length, times) such that words[i : i + length] stands
    `times` times in a row there.

    A block that repeats a shorter one itself is left out: its text is never the shortest.
    """
    found: list[list[tuple[int, int]]] = [[] for _ in words]
    for length in range(1, len(words) // 2 + 1):
        run = 0  # of words that are the same `length` later
        for i in reversed(range(len(words) - length)):
            run = run + 1 if words[i] == words[i + length] else 0
            if run >= length and not any(
                length % period == 0 and period * times >= 2 * length for period, times in found[i]
            ):
                found[i].append((length, run // length + 1))
    return found


def _joined(first: str, rest: str) -> str:
    return f"{first} -> {rest}" if rest else first


def _linear(net: Layer) -> tuple[tuple[str, Layer], ...]:
    if type(net) is not Sequential:
        raise LayerError(
            f"a pattern describes a Sequential, {type(net).__name__} came; wrap a single layer as "
            "Sequential(layer)"
        )
    for name, layer in net.layers:
        if type(layer) not in WORDS.values():
            raise LayerError(
                f"a pattern has no word for {type(layer).__name__}; it describes jconv's own "
                "layers, one after another",
                name,
            )
    if len(net.layers) > LONGEST:
        raise LayerError(
            f"the net has {len(net.layers)} layers, a pattern has {LONGEST} at most; describe "
            "parts of it"
        )
    return net.layers


def _rounded_down(layers: Sequence[tuple[str, Layer]], shape: Shape) -> set[int]:
    """Which layers leave out a part of their input."""
    found = set()
    for i, (name, layer) in enumerate(layers):
        if getattr(layer, "rounding", "") == "floor" and located(name, inexact, layer, shape):
            found.add(i)
        shape = located(name, layer.out_shape, shape)
    return found


def _words(
    layers: Sequence[tuple[str, Layer]], expected: Sequence[str], rounding: set[int], flat: bool
) -> list[str]:
    words = []
    last = max((i for i, (_, layer) in enumerate(layers) if isinstance(layer, Dense)), default=-1)
    for i, (name, layer) in enumerate(layers):
        follows = i + 1 < len(layers) and isinstance(layers[i + 1][1], Dense)
        if isinstance(layer, Flatten) and not flat and follows and name == expected[i]:
            flat = True  # the next word, FC, says it
            continue
        more = {"rounding": "floor"} if i in rounding else {}
        more |= {} if name == expected[i] else {"name": name}
        words.append(
            located(
                name, spell, layer, last=i == last, fc=isinstance(layer, Dense) and flat, **more
            )
        )
        flat = flat or isinstance(layer, FLAT)
    return words
