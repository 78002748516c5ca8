"""Reads a piece of HTML, and that it is whole: every element is closed, in order."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"br", "hr", "img", "input", "link", "meta"}


class Reader(HTMLParser):
    """Elements as they open, and the text between them but for style."""

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> comes too early"

    def handle_data(self, data):
        if "style" not in self.open and data.strip():
            self.words.append(data.strip())

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of the elements of this tag."""
        return [attributes for name, attributes in self.elements if name == tag]


def read(html: str) -> Reader:
    """The HTML as it was read. Raises AssertionError where elements are not nested in order."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open, f"{reader.open} are not closed"
    return reader
