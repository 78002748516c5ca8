"""The colours of every picture and page, light and dark, by what they are for."""

from __future__ import annotations

LIGHT = {
    "paper": "#f5f6f8",
    "card": "#ffffff",
    "ink": "#1b2330",
    "muted": "#5b6676",
    "line": "#d8dde5",
    "edge": "#8792a2",  # of what can be typed into or pressed
    "right": "#2459c9",  # right answers and the test curve
    "train": "#c06c08",
    "wrong": "#d03a24",
}
DARK = {
    "paper": "#11141a",
    "card": "#191e27",
    "ink": "#e6eaf0",
    "muted": "#9aa6b7",
    "line": "#333c4a",
    "edge": "#6d7a8c",
    "right": "#7fabff",
    "train": "#f2ad52",
    "wrong": "#ff7d69",
}
# Pixels cannot follow the page from light to dark. These two show on both; how much is told by
# their opacity.
PIXEL_BLUE = (58, 116, 222)
PIXEL_RED = (222, 84, 48)


def css_variables(colours: dict[str, str]) -> str:
    """The colours as CSS declares them, and those of pixels, which scripts read."""
    pixels = {"pixel-blue": PIXEL_BLUE, "pixel-red": PIXEL_RED}
    named = {**colours, **{name: " ".join(map(str, value)) for name, value in pixels.items()}}
    return " ".join(f"--{name}: {value};" for name, value in named.items())
