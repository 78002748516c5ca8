"""What was measured, in words: a block of lines a case for the terminal, Markdown tables for
people, and the list of what is slower.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jconv.tuning.machine import describe, peak_flops

from .contestants import WRITTEN_OUT, label
from .result import MIB, CaseResult, Spread
from .suites import PLANS, SUITES

DEFINITION = (
    "slower: the median ratio is over 1.05 and the 95% bootstrap interval of at least 21 "
    "interleaved pairs excludes 1, in two measurements"
)

QUIET = 0.05  # the share of the cores that others may take


def block(row: CaseResult) -> str:
    """One case: every contestant's median and quartiles, compile seconds, and how many times as
    much as jconv it takes.
    """
    lines = [row.title]
    for name in row.samples:
        r = row.times(name)
        times = (
            f"  {r.value:.2f} times "
            f"jconv's{f' ({r.low:.2f} to {r.high:.2f})' if r.pairs > 1 else ''}"
            if r
            else ""
        )
        lines.append(
            f"  {label(name):<14} "
            f"{_long(row.spread(name), row.unit):<26}{_beside(row, name):<22}{times}".rstrip()
        )
    lines += [f"  {label(name):<14} skipped: {why}" for name, why in row.skipped.items()]
    lines += [f"  warning: {disturbed(row)}"] if disturbed(row) else []
    return "\n".join(
        lines
        + [
            f"  warning: {label(name)} does not compute the same: {why}"
            for name, why in row.disagree.items()
        ]
    )


def disturbed(row: CaseResult) -> str:
    """A sentence when the machine was not this measurement's own: PyTorch's times rose most
    then.
    """
    if row.others is None or row.others <= QUIET:
        return ""
    return (
        f"other processes took {row.others:.0%} of the cores meanwhile: measure again on a quiet "
        "machine"
    )


def verdicts(rows: Sequence[CaseResult]) -> dict[str, list[str]]:
    """By heading: the cases where jconv is slower than plain lax and the rows of the plan that do
    not hold, or that there is none.
    """
    of_plan = [row for row in rows if row.suite in PLANS]
    others = [row for row in rows if row.suite not in PLANS]
    parts = {
        "slower than plain lax": others,
        "rows of the plan that do not hold on this machine": of_plan,
    }
    return {heading: _slower_lines(part) for heading, part in parts.items() if part}


def _slower_lines(rows: Sequence[CaseResult]) -> list[str]:
    found = [
        f"{row.title}: {' and '.join(map(str, row.judged))} times {label(row.rival)}'s"
        for row in rows
        if row.loses
    ]
    judged = sum(bool(row.judged) for row in rows)
    return found or [
        f"none of the {judged} cases that had enough pairs"
        if judged
        else "not judged: no case had 21 pairs of both"
    ]


def markdown(machine: dict[str, Any], rows: Sequence[CaseResult], command: str) -> str:
    """The whole of bench.md."""
    parts = ["# Benchmark", "", f"`{command}`", "", *describe(machine).splitlines(), ""]
    parts += [
        "Medians (quartiles) of interleaved rounds in one process. × says how many times as much "
        "as jconv the other takes,",
        "with a 95% bootstrap interval over pairs: above 1, jconv is better.",
        "",
    ]
    for suite in dict.fromkeys(row.suite for row in rows):
        own = [row for row in rows if row.suite == suite]
        parts += [f"## {suite}: {SUITES[suite].title}", "", *headline(own, machine), ""]
        parts += [
            "<details><summary>Every contestant</summary>",
            "",
            *everything(own),
            "",
            "</details>",
            "",
        ]
    for heading, lines in verdicts(rows).items():
        parts += [
            f"## {heading[0].upper()}{heading[1:]}",
            "",
            f"({DEFINITION})",
            "",
            *(f"- {line}" for line in lines),
            "",
        ]
    return "\n".join([*parts[:-1], *remarks(rows)]) + "\n"


def headline(rows: Sequence[CaseResult], machine: dict[str, Any]) -> Iterator[str]:
    """The ratios."""
    on_card = machine["device"] != "cpu"
    scans = any(WRITTEN_OUT in row.samples for row in rows)
    others = (
        ("written out",) if scans else ("plain lax", "fastest JAX peer", "PyTorch", "torch.compile")
    )
    yield _line(
        "case",
        "batch",
        "jconv",
        *(("images/s", "of the peak") if on_card else ()),
        *(f"× {other}" for other in others),
    )
    yield "|---" + "|--:" * (2 + 2 * on_card + len(others)) + "|"
    for row in rows:
        peer = row.fastest_jax_peer
        ours = _short(row.spread("jconv"), row.unit) if "jconv" in row.samples else "–"
        by_peer = f"{_times(row, peer)} {label(peer)}" if peer else "–"
        compared = [_times(row, "lax"), by_peer, _times(row, "torch"), _times(row, "torch-compile")]
        times = [_times(row, WRITTEN_OUT)] if scans else compared
        yield _line(
            _name(row), str(row.batch), ours, *(_card(row, machine) if on_card else ()), *times
        )


def everything(rows: Sequence[CaseResult]) -> Iterator[str]:
    """Medians with quartiles, and compile seconds or the memory before."""
    names = list(dict.fromkeys(name for row in rows for name in (*row.samples, *row.skipped)))
    yield _line("case", *(label(name) for name in names))
    yield "|---" + "|--:" * len(names) + "|"
    for row in rows:
        cells = (
            (_long(row.spread(name), row.unit), _beside(row, name))
            if name in row.samples
            else ("–", "")
            for name in names
        )
        yield _line(_name(row), *("; ".join(filter(None, cell)) for cell in cells))


def remarks(rows: Sequence[CaseResult]) -> Iterator[str]:
    """Who was skipped and why, what was disturbed, and who does not compute the same."""
    skipped: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for name, why in row.skipped.items():
            skipped.setdefault((name, why), []).append(f"{row.case}, {row.what}")
    if skipped:
        yield from ("", "## Skipped", "")
        for (name, why), cases in skipped.items():
            where = f"{len(cases)} cases" if len(cases) > 3 else "; ".join(cases)
            yield f"- {label(name)} ({where}): {why}"
    loud = [f"- {row.title}: {text}" for row in rows if (text := disturbed(row))]
    if loud:
        yield from ("", "## Disturbed", "", *loud)
    wrong = [
        f"- {row.title}: {label(name)}: {why}" for row in rows for name, why in row.disagree.items()
    ]
    if wrong:
        yield from ("", "## Do not compute the same", "", *wrong)


def _name(row: CaseResult) -> str:
    return f"{row.case}, {row.what}{'' if row.dtype == 'float32' else f', {row.dtype}'}"


def _beside(row: CaseResult, name: str) -> str:
    """What is told apart from the samples."""
    if name in row.compile_seconds:
        return f"compiled in {row.compile_seconds[name]:.1f} s"
    return f"{row.before[name] / MIB:,.0f} MiB before" if name in row.before else ""


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _times(row: CaseResult, name: str) -> str:
    r = row.times(name)
    if r is None:
        return "–"
    return f"**{r.value:.2f}** ({r.low:.2f}–{r.high:.2f})" if r.pairs > 1 else f"**{r.value:.2f}**"


def _card(row: CaseResult, machine: dict[str, Any]) -> tuple[str, str]:
    """Images a second, and the share of what the card could do."""
    if "jconv" not in row.samples:
        return "–", "–"
    seconds, peak = row.spread("jconv").median, peak_flops(machine["device"], row.dtype)
    return (
        f"{row.batch / seconds:,.0f}",
        f"{row.flops / seconds / peak:.1%}" if peak and row.flops else "–",
    )


def _short(s: Spread, unit: str) -> str:
    if unit == "B":
        return f"{s.median / MIB:,.0f} MiB"
    return f"{_digits(s.median)} s" if s.median >= 1 else f"{_digits(1e3 * s.median)} ms"


def _long(s: Spread, unit: str) -> str:
    if s.low == s.high:
        return _short(s, unit)
    scale = 1 if s.median >= 1 else 1e3
    return f"{_short(s, unit)} ({_digits(scale * s.low)} to {_digits(scale * s.high)})"


def _digits(value: float) -> str:
    """Three figures."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
