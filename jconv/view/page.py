"""The page around the sections: one HTML file that needs nothing else, light or dark as the
reader's system is.
"""

from __future__ import annotations

from .markup import Html, element
from .templates import style


def page(title: str, *sections: Html) -> str:
    """The whole file's text."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Html(style())),
    )
    foot = element(
        "footer",
        "Written by jconv. This one file holds everything: keep it, send it, open it offline.",
    )
    body = element("body", element("h1", title), element("main", *sections), foot)
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def section(title: str, hint: object, *content: Html, wide: bool = True) -> Html:
    """A titled card with a line that says how to read it; one that is not wide shares its row when
    there is room.
    """
    return element(
        "section",
        element("h2", title),
        element("p", hint, class_="hint"),
        *content,
        class_="wide" if wide else "half",
    )
