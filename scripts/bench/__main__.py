"""Measure jconv against plain lax, Flax NNX, Equinox and PyTorch, in turn in one process.

    jconv bench
        whole training steps: LeNet to ResNet-50, ten minutes on two cores
    jconv bench --suite ops nets train compile memory
        everything for a CPU
    jconv bench --suite ops --cases depthwise "max pool"
        cases with one of these words in their name
    jconv bench --suite scan
        inside lax.scan, and written out
    jconv bench --suite data
        reading images, against PyTorch's loader
    jconv bench --suite plan
        whether each row of the plan still holds on this machine and jax
    jconv bench --suite gpu
        an accelerator's cases
    jconv bench --suite ops --toy --pairs 3
        small, to see that all works
    jconv bench --suite gpu --ahead v5e:2x2
        compiled for a TPU that need not be there, and not run

Prints the machine, threads and versions, then every contestant of every case: median and quartiles
of the run seconds, compile seconds apart, and how many times as long as jconv it takes; last the
cases where jconv is slower than plain lax, or in the suite "plan" the rows whose method is slower
than "direct" or plain lax at a shape where it was measured. Writes bench.json (with every sample),
bench.md and, where plain lax takes part, bench.svg into a folder, anew after each case, so Ctrl-C
loses one case only. The peers come with pip install "jconv[peers]"; those absent are skipped. With
--ahead (extra "tpu-plan") nothing is run: for every case XLA's counts of arithmetic and traffic,
the memory and the seconds of compiling, or why it refuses, in bench.json and bench.md. Exit code 1
where a row of the plan does not hold; 2 for wrong input.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from os import environ
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import jax
import tyro

from jconv.cli.backend import Backend, missing, use_backend
from jconv.cli.command import command, console, parse, status
from jconv.errors import InputError
from jconv.files import cause, write_text
from jconv.tuning.machine import describe, machine, threads
from jconv.tuning.timing import PAIRS
from jconv.view.bars import Group, speed_chart, write_chart

from .ahead import ahead_markdown, measure_ahead
from .contestants import check_contestants, label
from .result import CaseResult
from .speed import Settings
from .suites import PLANS, SUITES, Entry, choose
from .tables import DEFINITION, block, markdown, verdicts

if TYPE_CHECKING:
    from rich.console import Console

Words = Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")]


@dataclass(frozen=True)
class Options:
    suite: Words = ("train",)
    """Any of ops, scan, nets, train, compile, memory, data, plan, gpu, gpu-plan, gpu-compile."""
    cases: Words = ()
    """Only cases with one of these in their name, whole or part: "LeNet", "groups", "train". All by
    default.
    """
    contestants: Words = ()
    """Any of jconv, lax, flax, equinox, torch, torch-compile, and jconv's other methods by name.
    The suite's own by default.
    """
    pairs: int = PAIRS
    """Interleaved rounds of a case. Below 21 nothing is judged slower."""
    limit: float = 300.0
    """Seconds that the rounds of one case may take before no further one begins."""
    pause: float = 0.01
    """Seconds of rest before every sample: the threads of XLA and PyTorch spin for some
    milliseconds after their work.
    """
    seed: int = 0
    """Draws the order within rounds."""
    toy: bool = False
    """Two images and thin nets: to see that everything works."""
    ahead: str | None = None
    """A TPU's topology, such as v5e:2x2: compile the cases for it instead of running them; by
    jconv, unless others of ours are named.
    """
    wait: float = 600.0
    """Seconds that --ahead gives the compiler for a case."""
    backend: Backend = "auto"
    """What computes; by itself jax takes an accelerator that it finds."""
    out: Path | None = None
    """Folder for bench.json, bench.md and bench.svg. runs/bench-DATE by default."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = parse(Options, argv, prog="jconv bench", doc=__doc__)
    use_backend(options.backend)
    entries = checked(options)
    folder = options.out or Path("runs") / f"bench-{datetime.now():%Y%m%d-%H%M%S}"
    out, rows, files, about = console(), [], [], machine()
    line = f"jconv bench {shlex.join(sys.argv[1:] if argv is None else argv)}".strip()
    if options.ahead:
        return compile_only(entries, options, options.ahead, folder, out, line)
    make(folder)
    on_card = jax.default_backend() != "cpu"
    settings = Settings(
        options.pairs, options.limit, options.pause, options.seed, options.toy, queued=on_card
    )
    with ExitStack() as stack:
        environ.setdefault(
            "TORCHINDUCTOR_CACHE_DIR",
            stack.enter_context(TemporaryDirectory(prefix="jconv-bench-")),
        )
        update = stack.enter_context(status(out, ""))
        for i, entry in enumerate(entries, 1):
            rows.append(
                measured(
                    entry,
                    options,
                    settings,
                    update,
                    f"case {i} of {len(entries)}: {entry.suite}, {entry.title}",
                )
            )
            about["threads"] = threads()
            if i == 1:
                out.print(describe(about), soft_wrap=True)
            out.print(block(rows[-1]), soft_wrap=True)
            files = write_results(folder, about, rows, line)
    for heading, lines in verdicts(rows).items():
        out.print(
            f"{heading} ({DEFINITION}):", *(f"  {text}" for text in lines), sep="\n", soft_wrap=True
        )
    out.print(f"written: {folder}/{', '.join(files)}", soft_wrap=True)
    return int(any(row.loses for row in rows if row.suite in PLANS))


def make(folder: Path) -> None:
    """Make the folder of the results, before they are measured. Raises InputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--out {folder}: cannot be made ({cause(error)}); choose another"
        ) from None


def compile_only(
    entries: Sequence[Entry], options: Options, topology: str, folder: Path, out: Console, line: str
) -> int:
    """Compile the cases for a TPU and write what XLA says of each, anew after each."""
    rows, about = [], machine()
    with status(out, f"XLA compiles {len(entries)} cases for {topology}"):
        for row in measure_ahead(entries, options.contestants, topology, options.wait):
            out.print(str(row), soft_wrap=True)
            rows.append(row)
            result = {
                "command": line,
                "machine": about,
                "topology": topology,
                "rows": [row.to_dict() for row in rows],
            }
            make(folder)
            write_text(folder / "bench.json", json.dumps(result, indent=1) + "\n")
            write_text(folder / "bench.md", ahead_markdown(about, rows, topology, line))
    out.print(f"written: {folder}/bench.json, bench.md", soft_wrap=True)
    return 0


def checked(options: Options) -> list[Entry]:
    """The cases to measure. Raises InputError."""
    check_contestants(options.contestants)
    for name, least in (("pairs", 1), ("limit", 0), ("pause", 0)):
        if getattr(options, name) < least:
            raise InputError(f"--{name} {getattr(options, name)}: at least {least} was expected")
    if options.out and options.out.exists() and not options.out.is_dir():
        raise InputError(f"--out {options.out}: is a file; name a folder")
    cards = [name for name in options.suite if name.startswith("gpu")]
    if cards and jax.default_backend() == "cpu" and not options.toy and not options.ahead:
        raise InputError(f"--suite {cards[0]}: {missing('gpu')}, or add --toy")
    return choose(options.suite, options.cases, options.toy)


def measured(
    entry: Entry, options: Options, settings: Settings, update: Callable[[str], Any], title: str
) -> CaseResult:
    """One case, its progress shown."""
    suite = SUITES[entry.suite]
    names = options.contestants or suite.contestants
    return suite.measure(
        entry.suite,
        entry.case,
        entry.what,
        names,
        settings,
        lambda text: update(f"{title}: {text}"),
    )


def write_results(
    folder: Path, about: dict[str, Any], rows: Sequence[CaseResult], line: str
) -> list[str]:
    """bench.json, bench.md and, where there is plain lax to compare with, bench.svg, each whole or
    not at all; their names.
    """
    result = {"command": line, "machine": about, "rows": [row.to_dict() for row in rows]}
    write_text(folder / "bench.json", json.dumps(result, indent=1) + "\n")
    write_text(folder / "bench.md", markdown(about, rows, line))
    if not (groups := chart_groups(rows)):
        return ["bench.json", "bench.md"]
    write_chart(speed_chart(groups, "jconv", label("lax")), folder / "bench.svg")
    return ["bench.json", "bench.md", "bench.svg"]


def chart_groups(rows: Sequence[CaseResult]) -> list[Group]:
    """For each suite how many times as good as plain lax the others are; cases without plain lax
    cannot be drawn.
    """
    groups: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows:
        speeds = {label(name): 1 / r.value for name in row.samples if (r := row.times(name, "lax"))}
        if "lax" in row.samples and speeds:
            unit = "" if row.dtype == "float32" else f", {row.dtype}"
            groups.setdefault(row.suite, {})[f"{row.case}, {row.what}, batch {row.batch}{unit}"] = (
                speeds
            )
    return [Group(f"{suite}: {SUITES[suite].title}", speeds) for suite, speeds in groups.items()]


if __name__ == "__main__":
    sys.exit(main())
