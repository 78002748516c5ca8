"""Train a network on images and write a run folder with its weights and a report.

    jconv train
        LeNet-5 on the handwritten digits
    jconv train --model tiny_vgg --data folder --data-dir cifar10
        any net on train/CLASS/* and test/CLASS/* images
    jconv train --plan plan.json
        by the methods that `jconv tune` chose
    jconv train --dtype bfloat16
        images and activations in half the bytes
    jconv train --deterministic
        the same bits every time, on a GPU too
    jconv train --model convnetjs --data cifar10 --download --flip random
        CIFAR-10, fetched once
    jconv train --model resnet50 --data arrayrecord --data-dir records --resized-crop --flip random
        a set larger than memory, written by `jconv prepare`, read beside the training
    jconv train --resume runs/lenet5-digits-20260101-120000
        go on with a run that was stopped
    jconv train --resume runs/lenet5-digits-20260101-120000 --epochs 32
        train a run for longer
    jconv train --weights runs/lenet5-digits-20260101-120000
        begin from the weights of another
    jconv train --model nets.py:small
        a net of one's own: function small of nets.py
    jconv train --replay 300 --resume runs/lenet5-digits-20260101-120000
        step 300 once more, layer by layer

Prints one line per epoch, over the progress and the time left, then the test accuracy, the SHA-256
of the parameters and where the report is. The folder holds config.json, metrics.jsonl,
checkpoints/, weights.safetensors and report.html. A resumed run ends with the very parameters that
it would have had without the stop; one that is given more epochs follows the schedule of so many
from there on. Ctrl-C and SIGTERM save what there is, in the middle of an epoch too, and end with
130 and 143. Exit code 1 when the training diverges, 2 for wrong input. Without options it takes
20 s on two cores of an AMD EPYC without AVX-512, and ends above 99 %.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from shlex import quote
from shutil import rmtree
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from jconv import summary
from jconv.cli.backend import use_backend
from jconv.cli.command import command, console, is_live, parse, status
from jconv.cli.signals import signals
from jconv.errors import InputError
from jconv.files import new_folder
from jconv.models import build, pixel_scale
from jconv.models.own import absolute, is_file, own_layers
from jconv.train import Diverged
from jconv.train.checkpoint import saved_steps
from jconv.train.chosen import by_plan, chosen_images
from jconv.train.epochs import Stopped, fit
from jconv.train.fit import begin, begin_from, check_unchanged, go_on, pixels_of
from jconv.train.log import open_log
from jconv.train.loop import Carried, Progress
from jconv.train.options import GIVEN, TrainOptions
from jconv.train.replay import replay
from jconv.train.results import write_results
from jconv.train.run import Row, Run, open_run, read_config, read_rows
from jconv.train.setup import Training, prepare, tested
from jconv.weights import Weights, fingerprint

SAY_EVERY = 30.0  # seconds between two lines of progress in a log


@dataclass(frozen=True)
class Options(TrainOptions):
    resume: Path | None = None
    """A run folder to go on with. Its config.json gives every other option; --epochs may be more,
    and what changes no number, such as --workers, may be another.
    """
    replay: int | None = None
    """A step of that run to take once more, for a look at every layer: nothing is written."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options, resume, again = _parse(argv)
    use_backend(options.backend)
    if resume:
        run = open_run(resume)
        return trained(options, run, True) if again is None else _replay(options, run, again)
    title = f"{slug(options.model)}-{options.data}-{datetime.now():%Y%m%d-%H%M%S}"
    with new_folder(
        options.out,
        title,
        f"choose another --out, or go on with it: --resume {quote(str(options.out))}",
    ) as folder:
        return trained(options, Run(folder), False)


def trained(options: TrainOptions, run: Run, begun: bool) -> int:
    """Train in a run's folder, from its last checkpoint if it is begun; the exit code."""
    out = console()
    with status(out, "reading the images") as update:
        training, carried, weights, plan, lines = _prepare(options, run if begun else None, update)
    for line in lines:
        out.print(line, soft_wrap=True)
    spent = 0.0
    if begun:
        carried, spent = go_on(training, run, carried)
    else:
        carried = begin(training, run, carried, weights, plan)
    try:
        carried = _train(training, run, carried, spent, out)
    # too little memory; before the first epoch is done there is nothing to go on from
    except InputError:
        if not begun and not read_rows(run):
            rmtree(run.folder)
        raise
    except Diverged as error:
        good = run.checkpoints / str(saved_steps(run.checkpoints)[-1])
        again = f"jconv train --resume {quote(str(run.folder))} --replay {error.step}"
        print(
            f"error: training diverged at {error}; the last good checkpoint is {good}; use a lower "
            f"--learning-rate, or look where it began: {again}",
            file=sys.stderr,
        )
        return 1
    except Stopped as stopped:
        again = f"jconv train --resume {quote(str(run.folder))}"
        print(f"stopped after step {stopped.step:,}; go on with: {again}", file=sys.stderr)
        return 128 + stopped.signal_number
    result = write_results(training, run, carried)
    digest = fingerprint(*tested(carried.train))
    out.print(
        f"test accuracy {result.accuracy:.2%}\nparameters: SHA-256 {digest}\nreport: {run.report}",
        soft_wrap=True,
    )
    return 0


def _prepare(
    options: TrainOptions, resume: Run | None, update: Callable[[str], Any]
) -> tuple[Training, Carried, Weights | None, str, list[str]]:
    """The training, its first parameters, the weights to begin from, the text of its plan, and
    lines to print.
    """
    _, in_shape = build(options.model) if options.data != GIVEN else (None, ())
    data = chosen_images(options, in_shape, update)
    in_shape = in_shape or data.train.images.shape[1:]
    net, _ = build(options.model, classes=len(data.class_names))
    weights = None
    if resume is None:
        weights = begin_from(options, net, in_shape, own_layers(options.model))
    planned, plan, differs = by_plan(options, net, in_shape, resume.folder if resume else None)
    own = pixel_scale(options.model) if weights is None else weights.pixels
    update("compiling")
    training, carried = prepare(
        options,
        net,
        in_shape,
        data,
        planned=planned,
        pixels=pixels_of(resume) if resume else own,
    )
    size = f"{len(data.train.labels):,} training and {len(data.test.labels):,} test images"
    if data.validation is not None:
        size = f"{len(data.validation.labels):,} images held out, {size}"
    params = f"{summary(net, in_shape).totals.params:,} parameters"
    lines = [] if differs is None else [differs]
    lines.append(
        f"{options.model}: {params}; {options.data}: {size}, {training.pixels}; compiled in "
        f"{training.compile_seconds:.1f} s"
    )
    if training.recomputed:
        lines.append(f"computed again in the backward pass: {', '.join(training.recomputed)}")
    return training, carried, weights, plan, lines


def _replay(options: TrainOptions, run: Run, step: int) -> int:
    """Take a step of a run once more; the exit code."""
    out = console()
    with status(out, "reading the images") as update:
        training, carried, *_ = _prepare(options, run, update)
        update(f"going on to step {step:,}")
        found = replay(training, run, carried, step)
    out.print(str(found), soft_wrap=True)
    return 0 if found.first_bad is None else 1


def _parse(argv: Sequence[str] | None) -> tuple[TrainOptions, Path | None, int | None]:
    """The options, the run to go on with, which brings its own, and the step to take again."""
    read = lambda default: parse(Options, argv, prog="jconv train", doc=__doc__, default=default)
    given = read(Options())
    plain = lambda found: TrainOptions(
        **{name: value for name, value in vars(found).items() if name not in ("resume", "replay")}
    )
    if given.resume is None:
        if given.replay is not None:
            raise InputError(f"--replay {given.replay}: of which run? --resume RUN says it")
        return replace(plain(given), model=absolute(given.model)), None, None
    saved, _ = read_config(open_run(given.resume))
    found = read(Options(**vars(saved), resume=given.resume))
    check_unchanged(saved, plain(found))
    return plain(found), given.resume, found.replay


def _train(training: Training, run: Run, carried: Carried, spent: float, out: Console) -> Carried:
    """What is carried after the epochs that are left, a line for each, over the progress where
    there is a terminal.

    A log gets a line with the progress when half a minute has passed without one.
    """
    columns = (
        TextColumn("step {task.completed:,} of {task.total:,}"),
        BarColumn(bar_width=20),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    chosen_by = "test" if training.data.validation is None else "validation"
    title = f"{chosen_by} loss"
    out.print(
        f"epoch   train loss  accuracy {title:>13}  accuracy   images/s  waiting", style="bold"
    )
    said = perf_counter()
    with (
        Bar(*columns, console=out, transient=True, disable=not is_live()) as progress,
        open_log(training.options.log, run.folder) as log,
        signals() as stop,
    ):
        bar = progress.add_task("", total=training.total, completed=int(carried.train.step))

        def watch(found: Progress) -> None:
            nonlocal said
            progress.update(bar, completed=found.step, description=str(found))
            if not is_live() and perf_counter() - said > SAY_EVERY:
                rate = max(found.images_per_second, 1e-9)
                left = (training.total - found.step) * training.options.batch_size / rate
                out.print(
                    f"  step {found.step:,} of {training.total:,}  {found}  {time_of(left)} left",
                    soft_wrap=True,
                )
                said = perf_counter()

        for after, row in fit(training, run, carried, watch, stop, log, spent):
            carried = after
            out.print(line_of(row, chosen_by))
            said = perf_counter()
    step = int(carried.train.step)
    if step < training.total:
        best = max(read_rows(run), key=lambda row: row["validation_accuracy"])
        out.print(
            f"stopped early: none of {training.options.patience} epochs was better than epoch "
            f"{best['epoch']}, whose weights are in {run.best.name}",
            soft_wrap=True,
        )
    return carried


def line_of(row: Row, chosen_by: str) -> str:
    """A row of metrics as the command prints it."""
    train, other = (
        f"{row[f'{split}_loss']:>12.4f} {row[f'{split}_accuracy']:>9.2%}"
        for split in ("train", chosen_by)
    )
    speed = f"{row['images_per_second']:>10,.0f} {row['waiting']:>8.1%}"
    return f"{row['epoch']:>5} {train} {other} {speed}"


def time_of(seconds: float) -> str:
    """So much time as hours, minutes and seconds: "1:02:03", "2:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def slug(model: str) -> str:
    """A model in letters, digits, "_" and "-", for the name of a folder."""
    name = model.rpartition(":")[2] if is_file(model) else model
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:40] or "net"


if __name__ == "__main__":
    sys.exit(main())
