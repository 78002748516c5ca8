"""What a run and its result say of themselves: lines for a terminal, a piece of a page for a
notebook.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..html import paragraph, piece, table

ROWS = 10  # of epochs, the last ones, under the curves


def told(folder: Path, rows: Sequence[dict[str, Any]], accuracy: float | None) -> Iterator[str]:
    """The accuracy of the test images (0 to 1, None where it is not known), how long it took, what
    the last epoch came to, and where all of it lies: a line each.
    """
    if accuracy is not None:
        yield f"{accuracy:.2%} of the test images are right"
    if rows:
        from ..view.training import duration

        epochs = f"{len(rows):,} epoch{'s' * (len(rows) > 1)}"
        yield f"{epochs} in {duration(rows[-1]['seconds'])}"
        yield f"epoch {rows[-1]['epoch']}: {', '.join(_measured(rows[-1]))}"
    else:
        yield "no epoch is complete"
    yield f"folder {folder}"


def _measured(row: dict[str, Any]) -> Iterator[str]:
    for name, value in row.items():
        if name.endswith(("_loss", "_accuracy")) and value is not None:
            form = ".2%" if name.endswith("accuracy") else ".4f"
            yield f"{name.replace('_', ' ')} {value:{form}}"


def shown(folder: Path, rows: Sequence[dict[str, Any]], accuracy: float | None) -> str:
    """The same as HTML, with curves over the epochs and a table of the last of them."""
    lines = "".join(map(paragraph, told(folder, rows, accuracy)))
    if not rows:
        return piece(lines)
    from ..view.training import curves  # matplotlib, which only who looks at a picture waits for

    drawn = curves(rows)
    assert drawn is not None
    names, epochs = drawn.names, drawn.rows[-ROWS:]
    caption = "Epochs" if len(rows) <= ROWS else f"The last {ROWS} epochs of {len(rows):,}"
    charts = f'<div class="charts">{drawn.loss}{drawn.accuracy}</div>'
    return piece(lines, charts, table(names, epochs, caption=caption, right=range(len(names))))
