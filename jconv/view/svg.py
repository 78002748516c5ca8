"""A matplotlib Figure as a piece of a page: inline SVG whose colours and letters are the page's
own.
"""

from __future__ import annotations

import io
import re

import matplotlib
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from .palette import LIGHT

# What makes an SVG a file of its own: its size, its addresses, its style, and group ids that two
# charts in one page would share.
_STANDALONE = re.compile(
    r'<metadata>.*?</metadata>|<style.*?</style>| xmlns(:\w+)?="[^"]*"| (width|height)="[\d.]+pt"| '
    r'id="[\w.]+_\d+"',
    re.DOTALL,
)


def inline(figure: Figure, description: str) -> Markup:
    """The figure as an <svg> element, as wide as what it stands in; `description` is what a screen
    reader says.
    """
    file = io.StringIO()
    # Letters stay letters (they can be searched, and the page chooses the font) and the ids inside
    # do not depend on chance.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "jconv"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    _, _, body = file.getvalue().partition("<svg")
    body = _STANDALONE.sub("", body)
    for name, colour in LIGHT.items():
        body = body.replace(colour, f"var(--{name})")
    return Markup(f'<svg class="chart" role="img" aria-label="{escape(description)}"{body}')
