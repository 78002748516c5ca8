"""Pages from templates (the folder templates/), in which text cannot become markup: jinja2 escapes
every value that is not markup already.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
)
from markupsafe import Markup

from .palette import DARK, LIGHT, css_variables


def render(template: str, **values: object) -> str:
    """The text of a template with these values; one that it misses is an error."""
    return _environment().get_template(template).render(**values)


def browser_file(name: str) -> Markup:
    """A file of the folder browser/, such as style.css, to be set into a page as it is."""
    return Markup((files("jconv.view") / "browser" / name).read_text(encoding="utf-8"))


def style() -> Markup:
    """The style of every page, its colours first."""
    light, dark = css_variables(LIGHT), css_variables(DARK)
    return Markup(
        f":root {{ color-scheme: light dark; {light} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
    ) + browser_file("style.css")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return environment()


def environment(*folders: Path) -> Environment:
    """What finds templates in these folders, and those of all pages."""
    own = PackageLoader("jconv.view")
    made = Environment(
        loader=ChoiceLoader([FileSystemLoader(folders), own]) if folders else own,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"style": style, "browser_file": browser_file}
    return made
