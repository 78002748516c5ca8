"""Plain text tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def aligned(
    head: Sequence[str], rows: Sequence[Sequence[str]], foot: Sequence[str], right: Collection[int]
) -> str:
    """Columns two spaces apart, those in `right` flush right, a rule under the head and over the
    foot.
    """
    everything = [head, *rows, foot]
    widths = [max(len(row[i]) for row in everything) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.rjust(w) if i in right else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    rule = "-" * max(len(line(row)) for row in everything)
    return "\n".join([line(head), rule, *map(line, rows), rule, line(foot)])
