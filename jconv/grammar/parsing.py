"""From the text of a pattern to its words, without knowing what the words mean: a tree of words,
brackets and counts, and the tree written out. The grammar is in building.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..errors import PatternError
from .values import Settings, read_settings, settings_text

DEEPEST = 50  # brackets within brackets
LONGEST = 1000  # layers

Sizes = int | tuple[int, ...]

_NUMBERS = r"\d{1,9}(?:[xX]\d{1,9})*"
_WORD = re.compile(
    rf"(?P<name>[A-Za-z_]+)(?P<size>{_NUMBERS})?"
    rf"(?:-(?P<features>\d{{1,9}}))?(?:/(?P<stride>{_NUMBERS}))?"
)
_ARROW = re.compile(r"->|-(?!\d)")
_COUNT = re.compile(r"\*\s*(?P<count>\d{1,9}(?![\d.])|[A-Za-z_]\w*)|(?P<optional>\?)")
# what people write for these
_OTHER_COUNT = re.compile(r"\*|[xX×]\s*(?P<times>\d{1,9})")
_OTHER_ARROW = re.compile(r"(?:[-=~>→,;|+–—]+)(?!\d)")
_TOKEN = re.compile(r"[*?]\s*\w*|\d+\s*\*?|[-=~>→,;|+–—]+|.", re.DOTALL)
_SPACE = re.compile(r"\s*")


class Word(NamedTuple):
    """CONV3-64/2(padding=0): name "CONV", size 3, features 64, stride 2, settings (("padding",
    0),); it stands at text[at].

    A setting given without its name has None there.
    """

    name: str
    size: Sizes | None
    features: int | None
    stride: Sizes | None
    settings: Settings
    at: int

    def __str__(self) -> str:
        features = "" if self.features is None else f"-{self.features}"
        stride = "" if self.stride is None else f"/{sizes_text(self.stride)}"
        return f"{self.name}{sizes_text(self.size)}{features}{stride}{settings_text(self.settings)}"

    def fault(self, message: str, suggestion: str = "") -> PatternError:
        """What is wrong with this word."""
        return PatternError(message, self.at, suggestion)


class Item(NamedTuple):
    """A word or a bracket, and what follows it: `times` is 2 for *2, "N" for *N, "?" for ?, None
    for nothing; that stands at text[at].
    """

    body: Word | tuple[Item, ...]
    times: int | str | None
    at: int


def sizes_text(sizes: Sizes | None) -> str:
    """3, 3x5, or nothing."""
    return (
        "" if sizes is None else str(sizes) if isinstance(sizes, int) else "x".join(map(str, sizes))
    )


# Reading
# --------------------------------------------------------------------------------------------------


def read(text: str) -> tuple[Item, ...]:
    """The tree of a text. Raises PatternError."""
    reader = _Reader(text)
    items = reader.sequence(0)
    if reader.here < len(text):
        raise PatternError("this ] closes no [", reader.here, "leave it out")
    return items


class _Reader:
    """Recursive descent. It reads at `here`; the last arrow was text[arrow]."""

    def __init__(self, text: str):
        self.text, self.here, self.arrow = text, 0, slice(0, 0)

    def sequence(self, depth: int) -> tuple[Item, ...]:
        items = [self.item(depth)]
        while self.peek() not in ("", "]"):
            self.between()
            items.append(self.item(depth))
        return tuple(items)

    def item(self, depth: int) -> Item:
        body = self.group(depth) if self.peek() == "[" else self.word()
        after = self.here
        self.peek()
        at, times = self.here, None
        if match := _COUNT.match(self.text, at):
            self.here = match.end()
            count = match["count"]
            times = "?" if match["optional"] else int(count) if count.isdigit() else count
        elif match := _OTHER_COUNT.match(self.text, at):
            suggestion = f"write *{match['times']}" if match["times"] else ""
            message = "a repetition is * and a whole number or a name: *2 or *N"
            raise PatternError(message, at, suggestion)
        else:
            at = self.here = after
        return Item(body, times, at)

    def group(self, depth: int) -> tuple[Item, ...]:
        opening = self.here
        if depth == DEEPEST:
            raise PatternError(f"brackets are nested more than {DEEPEST} deep", opening)
        self.here += 1
        if self.peek() in ("", "]"):
            raise PatternError("there is nothing in these brackets", opening, "leave them out")
        items = self.sequence(depth + 1)
        if not self.peek():
            raise PatternError("this [ is not closed", opening, "write ] where it ends")
        self.here += 1
        return items

    def word(self) -> Word:
        match = _WORD.match(self.text, self.here)
        if not match:
            raise self.no_item()
        at, self.here = self.here, match.end()
        number = lambda s: (
            None if s is None else int(s) if s.isdigit() else tuple(map(int, s.lower().split("x")))
        )
        size, stride, features = number(match["size"]), number(match["stride"]), match["features"]
        count = None if features is None else int(features)
        return Word(match["name"].upper(), size, count, stride, self.settings(), at)

    def settings(self) -> Settings:
        after = self.here
        if self.peek() != "(":
            self.here = after
            return ()
        settings, self.here = read_settings(self.text, self.here)
        return settings

    def between(self) -> None:
        """The arrow between two items."""
        if match := _ARROW.match(self.text, self.here):
            self.arrow, self.here = slice(*match.span()), match.end()
            return
        if match := _OTHER_ARROW.match(self.text, self.here):
            raise self.fault(f'"->" was expected, {match[0]!r} came', "write ->")
        if self.text[self.here].isalpha() or self.text[self.here] in "_[(":
            raise self.fault('"->" is missing before this layer', "write -> before it")
        if self.text[self.here].isdigit() and self.text[self.here - 1].isspace():
            raise self.fault("a size stands right after its word: CONV3-64", "leave out the space")
        raise self.fault(f'"->" was expected, {self.text[self.here]!r} came')

    def no_item(self) -> PatternError:
        """What stands where a layer was expected."""
        wanted, rest, arrow = 'a layer or "[" was expected', self.text[self.here :], self.arrow
        after_arrow = not self.text[arrow.stop : self.here].strip() and arrow.stop > 0
        if not rest and not after_arrow:
            return self.fault("the text is empty", "write INPUT -> FC")
        if after_arrow and rest[:1] in ("", "]"):
            return PatternError("this arrow leads nowhere", arrow.start, "leave it out")
        if rest[0] == "(":
            return self.fault("layers are grouped by square brackets", "write [ and ]")
        if after_arrow and self.text[arrow] == "-" and rest[0].isdigit():
            return self.fault("a size stands right after its word: FC-10", "leave out the spaces")
        token = _TOKEN.match(rest)
        return self.fault(f"{wanted}, {token[0] if token else rest[0]!r} came")

    def peek(self) -> str:
        """The next character that is no space, or "" at the end."""
        match = _SPACE.match(self.text, self.here)
        self.here = match.end() if match else self.here
        return self.text[self.here : self.here + 1]

    def fault(self, message: str, suggestion: str = "") -> PatternError:
        return PatternError(message, self.here, suggestion)


# Writing out: every word as often as it stands in the repeated text
# --------------------------------------------------------------------------------------------------

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
        """How often an item stands. Raises PatternError for a name without a number."""
        if item.times is None or item.times == "?":
            return int(item.times is None or self.optional)
        if isinstance(item.times, int):
            return item.times
        if item.times not in self.named:
            raise PatternError(
                f"nothing says how often {item.times} is",
                item.at,
                f"call pattern(text, {item.times}=2), or write *2",
            )
        return self.named[item.times]


def unroll(items: Sequence[Item], counts: Counts) -> list[Place]:
    """Every word of a tree, repeated. Raises PatternError when they are more than LONGEST."""
    if sum(_length(item, counts) for item in items) > LONGEST:
        raise PatternError(f"this makes more than {LONGEST} layers")
    return list(_repeated(items, counts, ()))


def count_names(items: Sequence[Item]) -> set[str]:
    """The names that stand after a * in a tree."""
    inside = [count_names(item.body) for item in items if not isinstance(item.body, Word)]
    own = {item.times for item in items if isinstance(item.times, str)} - {"?"}
    return own.union(*inside)


def _length(item: Item, counts: Counts) -> int:
    times = counts.of(item)
    inside = 1 if isinstance(item.body, Word) else sum(_length(i, counts) for i in item.body)
    if item.times is not None and times * inside > LONGEST:
        raise PatternError(
            f"this makes {times * inside:,} layers, {LONGEST:,} at most were expected", item.at
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
