"""The brackets of a pattern written out: every word as often as it stands in the repeated text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from .syntax import Fault, Item, Word

LONGEST = 1000  # layers

Turns = tuple[tuple[Item, int], ...]


class Place(NamedTuple):
    """A word in the repeated text: `turns` are the repetitions around it, the outermost first, and
    which turn of each this is.
    """

    word: Word
    turns: Turns


class Counts(NamedTuple):
    """What the counts of a text mean: the numbers of *N by name, and whether what has a "?" is
    kept.
    """

    named: Mapping[str, int]
    optional: bool

    def of(self, item: Item) -> int:
        """How often an item stands. Raises Fault for a name without a number."""
        if item.times is None or item.times == "?":
            return int(item.times is None or self.optional)
        if isinstance(item.times, int):
            return item.times
        if item.times not in self.named:
            message = (
                f"nothing says how often {item.times} is; call pattern(text, {item.times}=2), or "
                "write a number"
            )
            raise Fault(message, item.start, item.start, item.end, "*2")
        return self.named[item.times]


def unroll(items: Sequence[Item], counts: Counts) -> list[Place]:
    """Every word of a tree, repeated. Raises Fault when they are more than LONGEST."""
    if sum(_length(item, counts) for item in items) > LONGEST:
        raise Fault(f"this makes more than {LONGEST} layers", 0, 0, items[-1].end, "INPUT -> FC")
    return list(_repeated(items, counts, ()))


def count_names(items: Sequence[Item]) -> set[str]:
    """The names that stand after a * in a tree."""
    inside = [count_names(item.body) for item in items if not isinstance(item.body, Word)]
    return {item.times for item in items if isinstance(item.times, str)}.difference("?").union(
        *inside
    )


def _length(item: Item, counts: Counts) -> int:
    times = counts.of(item)
    inside = 1 if isinstance(item.body, Word) else sum(_length(i, counts) for i in item.body)
    if item.times is not None and times * inside > LONGEST:
        new = f"*{max(1, LONGEST // inside // 2)}"
        raise Fault(
            f"this makes {times * inside:,} layers, {LONGEST:,} at most were expected",
            item.start,
            item.start,
            item.end,
            new,
        )
    return times * inside


def _repeated(items: Sequence[Item], counts: Counts, turns: Turns) -> Iterator[Place]:
    for item in items:
        for turn in range(counts.of(item) if _length(item, counts) else 0):
            inside = turns if item.times is None else (*turns, (item, turn))
            if isinstance(item.body, Word):
                yield Place(item.body, inside)
            else:
                yield from _repeated(item.body, counts, inside)
