"""Cases compiled ahead of time for a TPU that need not be there: what XLA counts of each, and
nothing is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jconv.errors import InputError
from jconv.tuning.ahead import CompilationFailed, Compiled, compile_ahead, on
from jconv.tuning.machine import describe

from .case import Case, What, shapes
from .contestants import OURS, label
from .ours import plainly, program
from .result import MIB
from .suites import Entry

CONTESTANTS = ("jconv",)


class CaseProgram(NamedTuple):
    """A case by one of our methods. (A TPU's compiler has no options measured, so that plain
    jax.jit is what `jconv.jit` does.)
    """

    case: Case
    what: What
    method: str

    def lowered(self, chip: Any) -> Any:
        """From shapes alone."""
        made = program(self.case, self.what, self.method, plainly)
        images = jax.ShapeDtypeStruct(
            (self.case.batch, *self.case.in_shape), jnp.dtype(self.case.dtype)
        )
        labels = jax.ShapeDtypeStruct((self.case.batch,), jnp.int32)
        return made.function.lower(
            *on(chip, jax.eval_shape(made.arguments, *shapes(self.case), images, labels))
        )


@dataclass(frozen=True)
class AheadRow:
    """A case by one contestant: XLA's account of it, or why there is none."""

    suite: str
    case: str
    what: str
    batch: int
    dtype: str
    contestant: str
    account: Compiled | None
    refused: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "account": self.account._asdict() if self.account else None}

    def __str__(self) -> str:
        """One line."""
        dtype = "" if self.dtype == "float32" else f", {self.dtype}"
        head = (
            f"{self.suite}: {self.case}, {self.what}, batch {self.batch}{dtype}, "
            f"{label(self.contestant)}"
        )
        return (
            f"{head}: "
            f"{', '.join(_words(self.account)) if self.account else f'refused: {self.refused}'}"
        )


def measure_ahead(
    entries: Sequence[Entry], contestants: Sequence[str], topology: str, timeout: float
) -> Iterator[AheadRow]:
    """A row for each case and contestant as the compiler is done with it. Raises InputError, for a
    peer too: only we compile ahead.
    """
    for name in contestants:
        if name not in OURS:
            raise InputError(
                f"--ahead compiles jconv alone, not {label(name)}; leave it out of --contestants"
            )
    asked = [(entry, name) for entry in entries for name in contestants or CONTESTANTS]
    programs = [CaseProgram(entry.case, entry.what, OURS[name]) for entry, name in asked]
    try:
        for (entry, name), found in zip(
            asked, compile_ahead(programs, topology, timeout), strict=True
        ):
            about = (
                entry.suite,
                entry.case.name,
                entry.what,
                entry.case.batch,
                entry.case.dtype,
                name,
            )
            yield (
                AheadRow(*about, None, str(found))
                if isinstance(found, CompilationFailed)
                else AheadRow(*about, found)
            )
    except CompilationFailed as error:
        raise InputError(f"--ahead {topology}: {error}") from None


def ahead_markdown(
    machine: dict[str, Any], rows: Sequence[AheadRow], topology: str, command: str
) -> str:
    """The whole of bench.md."""
    chip = next((row.account.chip for row in rows if row.account), "chip")
    parts = [
        "# Benchmark, compiled ahead of time",
        "",
        f"`{command}`",
        "",
        *describe(machine).splitlines(),
        "",
    ]
    parts += [
        f"Compiled for one {chip} of {topology}, which was not there: nothing was run. XLA's "
        "counts of arithmetic (multiply and add",
        "apart) and of bytes read and written, the memory it lays out, and the seconds it "
        "compiled.",
        "",
        "| case | batch | contestant | arithmetic | traffic | memory | compiled in |",
        "|---|--:|---|--:|--:|--:|--:|",
    ]
    for row in rows:
        cells = _words(row.account) if row.account else (f"refused: {row.refused}", "", "", "")
        name = f"{row.case}, {row.what}{'' if row.dtype == 'float32' else f', {row.dtype}'}"
        parts.append(f"| {' | '.join((name, str(row.batch), label(row.contestant), *cells))} |")
    return "\n".join(parts) + "\n"


def _words(account: Compiled) -> tuple[str, str, str, str]:
    flops = "–" if account.flops is None else f"{account.flops / 1e9:,.2f} GFLOP"
    traffic = "–" if account.accessed is None else f"{account.accessed / MIB:,.1f} MiB"
    return flops, traffic, f"{account.total / MIB:,.1f} MiB", f"{account.seconds:.1f} s"
