"""The page around the sections: one HTML file that needs nothing else, light or dark as the
reader's system is.
"""

from __future__ import annotations

from .markup import Html, element
from .palette import DARK, LIGHT, css_variables


def page(title: str, *sections: Html) -> str:
    """The whole file's text."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Html(CSS)),
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


CSS = f"""
:root {{ color-scheme: light dark; {css_variables(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {css_variables(DARK)} }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; padding: 2rem 1.25rem; max-width: 72rem; background: var(--paper);
    color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans",
    sans-serif; }}
h1 {{ margin: 0 0 1.25rem; font-size: 1.7rem; line-height: 1.2; overflow-wrap: anywhere; }}
h2 {{ margin: 0; font-size: 1.1rem; }}
main {{ display: grid; gap: 1.25rem;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); }}
section {{ min-width: 0; padding: 1.1rem 1.25rem 1.25rem; background: var(--card);
    border: 1px solid var(--line); border-radius: .75rem; }}
.wide {{ grid-column: 1 / -1; }}
.hint {{ margin: .15rem 0 .9rem; color: var(--muted); font-size: .875rem; max-width: 65em; }}
footer {{ margin-top: 1.5rem; color: var(--muted); font-size: .8rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
pre {{ margin: 0; overflow-x: auto;
    font: .8rem/1.45 ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
    }}
summary {{ cursor: pointer; color: var(--muted); font-size: .875rem; margin-top: .75rem; }}

.facts {{ display: flex; flex-wrap: wrap; gap: 1.25rem 2.25rem; align-items: flex-end; }}
.facts div {{ min-width: 5.5rem; }}
.facts b {{ display: block; font-size: 1.5rem; line-height: 1.15; font-weight: 650; }}
.facts .hero b {{ font-size: 3rem; line-height: 1.05; color: var(--right); letter-spacing: -.02em;
    }}
.facts span {{ color: var(--muted); font-size: .875rem; }}

.charts {{ display: grid; gap: 1.25rem 2rem;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }}
.chart {{ display: block; width: 100%; height: auto; }}
.chart text {{ font-family: inherit !important; }}
.chart * {{ stroke-linejoin: round; }}
.chart image {{ image-rendering: pixelated; }}
.matrix {{ max-width: 42rem; margin: 0 auto; }}

.counts {{ margin: 0 auto; font-size: .875rem; }}
.counts td {{ width: 2.15rem; min-width: 1.6rem; height: 2.15rem; text-align: center;
    border: 1px solid var(--line); }}
.counts th {{ padding: .15rem .4rem; font-weight: 500; color: var(--muted); }}
.counts tbody th {{ text-align: right; max-width: 9rem; overflow: hidden; text-overflow: ellipsis;
    white-space: nowrap; }}
.counts .tall th + th {{ writing-mode: vertical-rl; transform: rotate(180deg);
    padding: .4rem .15rem; max-height: 9rem; overflow: hidden; }}
.counts .right {{ background: color-mix(in srgb, var(--right) var(--share), var(--card)); }}
.counts .wrong {{ background: color-mix(in srgb, var(--wrong) var(--share), var(--card)); }}
.counts .strong {{ color: var(--card); }}

.bars {{ columns: 19rem auto; column-gap: 2rem; }}
.bar {{ display: grid; grid-template-columns: var(--name) 1fr 4rem var(--count); gap: .6rem;
    align-items: center; break-inside: avoid;
  font-size: .875rem; line-height: 2; font-variant-numeric: tabular-nums; text-align: right;
    white-space: nowrap; }}
.half .bar {{ line-height: 2.45; }}
.bar .track {{ height: .6rem; border-radius: .3rem;
    background: color-mix(in srgb, var(--wrong) 45%, var(--card)); overflow: hidden; }}
.bar .track i {{ display: block; height: 100%; background: var(--right); }}
.bar .none {{ background: var(--line); }}
.bar .name {{ text-align: left; overflow: hidden; text-overflow: ellipsis; }}
.bar small {{ color: var(--muted); font-size: inherit; }}

.tiles {{ display: grid; gap: 1rem .75rem;
    grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); }}
.tiles figure {{ margin: 0; font-size: .85rem; line-height: 1.35; }}
.tiles img {{ display: block; width: 100%; aspect-ratio: 1; object-fit: contain;
    border-radius: .35rem; border: 1px solid var(--line);
  margin-bottom: .3rem; }}
.tiles figcaption div {{ overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
    color: var(--muted); }}
.tiles b {{ font-weight: 650; color: var(--ink); }}
.tiles .wrong {{ color: var(--wrong); }}
.tiles .right {{ color: var(--right); }}
.filters {{ display: flex; flex-wrap: wrap; gap: .5rem; }}
.filters img {{ width: 4rem; height: 4rem; object-fit: contain; border: 1px solid var(--line); }}
.pixels {{ image-rendering: pixelated; }}

.rows td, .rows th {{ padding: .2rem .9rem .2rem 0; font-size: .85rem; text-align: left;
    vertical-align: top; font-weight: 400;
  border-bottom: 1px solid var(--line); }}
.rows th {{ color: var(--muted); }}
.rows td {{ overflow-wrap: anywhere; }}
.settings {{ columns: 22rem auto; column-gap: 2.5rem; margin: 0; font-size: .875rem; }}
.settings div {{ display: flex; gap: 1rem; justify-content: space-between; break-inside: avoid;
    padding: .2rem 0;
  border-bottom: 1px solid var(--line); }}
.settings dt {{ color: var(--muted); }}
.settings dd {{ margin: 0; text-align: right; overflow-wrap: anywhere; }}
.numbers td, .numbers th {{ text-align: right; white-space: nowrap; }}
@media (max-width: 30rem) {{
  body {{ padding: 1.25rem .6rem; }} section {{ padding: .9rem .8rem; }}
  .counts td {{ width: 1.7rem; height: 1.9rem; font-size: .8rem;
    }} .counts th {{ padding: .1rem .25rem; }}
  .filters img {{ width: 3.1rem; height: 3.1rem; }}
  .facts {{ display: grid; grid-template-columns: 1fr 1fr; align-items: start; }}
  .facts .hero {{ grid-column: 1 / -1; }} .facts b {{ font-size: 1.2rem; }}
  .tiles {{ grid-template-columns: repeat(auto-fill, minmax(5.2rem, 1fr)); }}
}}
"""
