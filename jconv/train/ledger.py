"""The ledger of recipes: what each came to, where, and what was published."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..files import write_text

HEAD = (
    "| recipe | accuracy | published | data | machine | seconds | command |\n"
    "|---|---|---|---|---|---|---|\n"
)


class LedgerRow(NamedTuple):
    """One training by a recipe."""

    recipe: str
    accuracy: float  # of the test images, 0 to 1
    published: float | None
    source: str  # who published it
    data: str
    machine: str
    seconds: float
    command: str

    def __str__(self) -> str:
        """The row as Markdown."""
        published = "none" if self.published is None else f"{self.published:.2%}"
        cells = [
            self.recipe,
            f"{self.accuracy:.2%}",
            f"{published}: {self.source}",
            self.data,
            self.machine,
            f"{self.seconds:,.0f}",
            f"`{self.command}`",
        ]
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def add_row(path: Path, row: LedgerRow) -> None:
    """Add a row at the end of a Markdown file, whose table it begins where there is none yet."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if not text.rstrip().endswith("|"):
        text = f"{text.rstrip()}\n\n{HEAD}".lstrip()
    write_text(path, f"{text.rstrip()}\n{row}\n")
