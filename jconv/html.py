"""What a value shows of itself in a notebook: a piece of a page.

Letters and colours are those of the page it stands in, light or dark: lines and quiet words are the
page's own ink, thinned. All text is escaped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from html import escape
from typing import NamedTuple

MOST = 200  # rows of a tree or a table; a notebook keeps every one of them in its file
SHORT = 60  # rows of a tree up to which all of it is unfolded
_MARKED = ' class="marked"'

# longer selectors than those that notebooks have for tables and lists, which would win
_STYLE = """<style>
.jconv { font: 13px/1.5 system-ui, sans-serif; color: inherit; margin: .25em 0;
  --jconv-line: color-mix(in srgb, currentColor 25%, transparent); }
.jconv .jconv-scroll { overflow-x: auto; }
.jconv table { border-collapse: collapse; border: 0; margin: 0;
  font-variant-numeric: tabular-nums; }
.jconv caption { caption-side: top; padding: 0 .7em .3em; text-align: left; color: inherit; }
.jconv table tr :is(th, td) { padding: .15em .7em; border: 0; font-weight: 400; text-align: left;
  white-space: nowrap; }
.jconv table tr :is(th, td).right { text-align: right; }
.jconv table :is(thead, tfoot, .marked) :is(th, td) { font-weight: 650; }
.jconv table thead :is(th, td) { border-bottom: 1px solid var(--jconv-line); }
.jconv table tfoot :is(th, td) { border-top: 1px solid var(--jconv-line); }
.jconv ul, .jconv li { list-style: none; margin: 0; padding: 0; }
.jconv details > ul { margin-left: .4em; padding-left: 1.1em;
  border-left: 1px solid var(--jconv-line); }
.jconv summary { cursor: pointer; margin: 0; }
.jconv li { overflow-wrap: anywhere; }
.jconv p { margin: .15em 0; padding: 0 .7em; overflow-wrap: anywhere; }
.jconv code { font: .92em ui-monospace, monospace; color: inherit; background: none; padding: 0; }
.jconv .quiet { opacity: .72; }
.jconv .charts { display: flex; flex-wrap: wrap; gap: .5em 1.5em; }
.jconv .chart { display: block; flex: 1 1 17rem; width: 100%; max-width: 26rem; height: auto;
  --ink: currentColor; --card: transparent; --right: #3a74de; --train: #c06c08;
  --muted: color-mix(in srgb, currentColor 75%, transparent); --line: var(--jconv-line); }
</style>"""


class Node(NamedTuple):
    """A row of a tree, and those inside it."""

    name: str
    kind: str
    settings: str = ""
    children: tuple[Node, ...] = ()

    @property
    def size(self) -> int:
        """Its rows: itself, and all inside."""
        return 1 + sum(child.size for child in self.children)


def piece(*parts: str) -> str:
    """The parts, which are HTML, as what `_repr_html_` returns: with their style, and in no need of
    anything else.
    """
    return f'<div class="jconv">{_STYLE}{"".join(parts)}</div>'


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    foot: Sequence[str] = (),
    *,
    caption: str,
    right: Collection[int] = (),
    marked: Collection[int] = (),
    most: int = MOST,
) -> str:
    """A table whose columns `right` are flush right and whose rows `marked` are bold. The first
    cell of a row names it. Of more than `most` rows the rest is left out, and how many says a row.
    """
    cells = lambda row: "".join(
        _cell('th scope="row"' if i == 0 else "td", text, i in right) for i, text in enumerate(row)
    )
    body = [
        f"<tr{_MARKED if i in marked else ''}>{cells(row)}</tr>"
        for i, row in enumerate(rows[:most])
    ]
    if len(rows) > most:
        said = f"… {len(rows) - most:,} more rows; print() shows all"
        body.append(f'<tr><td class="quiet" colspan="{len(head)}">{said}</td></tr>')
    top = "".join(
        _cell('th scope="col"' if text else "td", text, i in right) for i, text in enumerate(head)
    )
    end = f"<tfoot><tr>{cells(foot)}</tr></tfoot>" if foot else ""
    label = escape(caption)
    return (
        f'<div class="jconv-scroll" role="region" tabindex="0" aria-label="{label}"><table>'
        f"<caption>{label}</caption><thead><tr>{top}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody>{end}</table></div>"
    )


def _cell(tag: str, text: str, right: bool) -> str:
    place = ' class="right"' if right else ""
    return f"<{tag}{place}>{escape(text)}</{tag.partition(' ')[0]}>"


def outline(root: Node, *, most: int = MOST) -> str:
    """A tree whose inner rows fold. Of more than `most` rows those nearest to the root are shown,
    and where others are left out it says how many.
    """
    unfolded = root.size <= SHORT
    shown = _children_shown(root, most)

    def row(node: Node, place: tuple[int, ...]) -> str:
        if not node.children:
            return f"<li>{_words(node)}</li>"
        count = shown.get(place, 0)
        inside = [row(child, (*place, i)) for i, child in enumerate(node.children[:count])]
        if left := sum(child.size for child in node.children[count:]):
            inside.append(f'<li class="quiet">… {left:,} {"more" if count else "inside"}</li>')
        is_open = " open" if count and (unfolded or len(place) < 2) else ""
        return (
            f"<li><details{is_open}><summary>{_words(node)}</summary>"
            f"<ul>{''.join(inside)}</ul></details></li>"
        )

    return f"<ul>{row(root, ())}</ul>"


def _children_shown(root: Node, most: int) -> dict[tuple[int, ...], int]:
    """How many children of a row are shown, by its place in the tree."""
    room, shown = most - 1, {}
    queue: deque[tuple[tuple[int, ...], Node]] = deque([((), root)])
    while queue and room:
        place, node = queue.popleft()
        shown[place] = min(room, len(node.children))
        room -= shown[place]
        queue += (((*place, i), node.children[i]) for i in range(shown[place]))
    return shown


def _words(node: Node) -> str:
    count = len(node.children)
    said = [
        f"<b>{escape(node.name)}</b>" if node.name else "",
        escape(node.kind),
        f'<code class="quiet">{escape(node.settings)}</code>' if node.settings else "",
        f'<span class="quiet">{count:,} inside</span>' if count else "",
    ]
    return " ".join(filter(None, said))
