"""From the text of a pattern to its tree of words, brackets and counts, without knowing what the
words mean.
"""

from __future__ import annotations

import re

from .syntax import Fault, Item, Word
from .values import BadValue, Settings, read_settings

DEEPEST = 50  # brackets within brackets

_NUMBERS = r"\d{1,9}(?:[xX]\d{1,9})*"
_WORD = re.compile(
    rf"(?P<name>[A-Za-z_]+)(?P<size>{_NUMBERS})?(?:-(?P<features>\d{{1,9}}))?(?:/(?P<stride>{_NUMBERS}))?"
)
_ARROW = re.compile(r"->|-(?!\d)")
_COUNT = re.compile(r"\*\s*(?P<count>\d{1,9}(?![\d.])|[A-Za-z_]\w*)|(?P<optional>\?)")
_NO_COUNT = re.compile(
    r"\*\s*(?P<sign>[-+](?=\d))?(?P<whole>\d{0,9})[\d.]*|[xX×]\s*(?P<times>\d{1,9})"
)
_NO_ITEM = re.compile(r"[*?]\s*\w*|\d+\s*\*?|[-=~>→,;|+–—]+|.", re.DOTALL)
_NO_ARROW = re.compile(
    r"(?P<arrow>[-=~>→,;|+–—]+)(?!\d)|(?P<item>[A-Za-z_\[(])|[-\d]+|.", re.DOTALL
)
_SPACE = re.compile(r"\s*")


def read(text: str) -> tuple[Item, ...]:
    """The tree of a text. Raises Fault."""
    reader = _Reader(text)
    items = reader.sequence(0)
    if reader.here < len(text):
        raise reader.fault("this ] closes no [", 1)
    return items


class _Reader:
    """Recursive descent. It reads at `here`; the last item ended at `done`, and the last arrow was
    text[arrow[0]:arrow[1]].
    """

    def __init__(self, text: str):
        self.text, self.here, self.done, self.arrow = text, 0, 0, (0, 0)

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
        start, times = self.here, None
        if match := _COUNT.match(self.text, start):
            self.here = match.end()
            times = (
                "?"
                if match["optional"]
                else int(match["count"])
                if match["count"].isdigit()
                else match["count"]
            )
        elif match := _NO_COUNT.match(self.text, start):
            new = match["times"] or ("0" if match["sign"] == "-" else match["whole"])
            raise self.fault(
                "a repetition is * and a whole number or a name: *2 or *N",
                len(match[0]),
                f"*{new}" if new else "",
            )
        else:
            start = self.here = after
        self.done = self.here
        return Item(body, times, start, self.here)

    def group(self, depth: int) -> tuple[Item, ...]:
        opening = self.here
        if depth == DEEPEST:
            raise self.fault(f"brackets are nested more than {DEEPEST} deep", 1)
        self.here += 1
        if (closing := self.peek()) in ("", "]"):
            raise Fault(
                "there is nothing in these brackets", opening, opening, self.here + len(closing)
            )
        items = self.sequence(depth + 1)
        if not self.peek():
            raise Fault("this [ is not closed", opening, len(self.text), len(self.text), "]")
        self.here += 1
        return items

    def word(self) -> Word:
        match = _WORD.match(self.text, self.here)
        if not match:
            raise self.no_item()
        start, self.here = self.here, match.end()
        number = lambda s: (
            None if s is None else int(s) if s.isdigit() else tuple(map(int, s.lower().split("x")))
        )
        size, features, stride = number(match["size"]), match["features"], number(match["stride"])
        settings = self.settings()
        return Word(
            match["name"].upper(),
            size,
            None if features is None else int(features),
            stride,
            settings,
            start,
            self.here,
        )

    def settings(self) -> Settings:
        after = self.here
        if self.peek() != "(":
            self.here = after
            return ()
        try:
            settings, self.here = read_settings(self.text, self.here)
        except BadValue as bad:
            raise Fault(bad.message, bad.at, self.here, bad.end, bad.kept) from None
        return settings

    def between(self) -> None:
        """The arrow between two items."""
        if match := _ARROW.match(self.text, self.here):
            self.arrow, self.here = match.span(), match.end()
            return
        match = _NO_ARROW.match(self.text, self.here)
        came = match[0] if match else ""
        if match and match["arrow"]:
            raise self.fault(f'"->" was expected, {came!r} came', len(came), "->")
        if match and match["item"]:
            raise self.fault('"->" is missing before this layer', 0, "-> ")
        if came.isdigit() and self.done < self.here:
            raise Fault(
                "a size stands right after its word: CONV3-64", self.here, self.done, self.here
            )
        raise self.fault(f'"->" was expected, {came!r} came', len(came))

    def no_item(self) -> Fault:
        """What stands where a layer was expected."""
        wanted, rest = 'a layer or "[" was expected', self.text[self.here :]
        after_arrow = self.arrow[1] > self.done
        if not rest and not after_arrow:
            return self.fault("the text is empty", 0, "INPUT -> FC")
        if not rest or (rest[0] == "]" and after_arrow):
            return Fault("this arrow leads nowhere", *self.arrow[:1], *self.arrow)
        if rest[0] == "(" and (match := re.match(r"\(([^()]*)\)", rest)):
            return self.fault("layers are grouped by square brackets", match.end(), f"[{match[1]}]")
        if (
            self.text[slice(*self.arrow)] == "-"
            and after_arrow
            and (match := re.match(r"\d{1,9}", rest))
        ):
            message = f"{wanted}; a size stands right after its word: FC-{match[0]}"
            return Fault(message, self.here, self.done, self.here + match.end(), f"-{match[0]}")
        match = _NO_ITEM.match(rest)
        came = match[0] if match else ""
        return self.fault(f"{wanted}, {came!r} came", len(came))

    def peek(self) -> str:
        """The next character that is no space, or "" at the end."""
        match = _SPACE.match(self.text, self.here)
        self.here = match.end() if match else self.here
        return self.text[self.here : self.here + 1]

    def fault(self, message: str, length: int, new: str = "") -> Fault:
        """A fault at the next `length` characters, mended by `new` in their place."""
        return Fault(message, self.here, self.here, self.here + length, new)
