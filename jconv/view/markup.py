"""HTML in which text cannot become markup: every string is escaped unless `element` made it."""

from __future__ import annotations

from html import escape

_VOID = frozenset({"br", "img", "meta"})  # elements without an end tag


class Html(str):
    """Text that already is HTML."""


def element(name: str, /, *children: object, **attributes: object) -> Html:
    """<name attributes>children</name>; children other than Html are escaped, and so is every
    attribute's value.

    An attribute that is a word of Python takes an underscore: `element("td", 3, class_="number")`.
    """
    head = "".join(
        f' {key.rstrip("_")}="{escape(str(value))}"' for key, value in attributes.items()
    )
    return (
        Html(f"<{name}{head}>")
        if name in _VOID
        else Html(f"<{name}{head}>{join(*children)}</{name}>")
    )


def join(*children: object) -> Html:
    """The children one after another, escaped as in `element`."""
    return Html(
        "".join(child if isinstance(child, Html) else escape(str(child)) for child in children)
    )
