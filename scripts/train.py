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
    jconv train --resume runs/lenet5-digits-20260101-120000
        go on with a run that was stopped
    jconv train --resume runs/lenet5-digits-20260101-120000 --epochs 32
        train a run for longer
    jconv train --weights runs/lenet5-digits-20260101-120000
        begin from the weights of another
    jconv train --model nets.py:small
        a net of one's own: function small of nets.py

Prints one line per epoch, over the progress and the time left, then the test accuracy, the SHA-256
of the parameters and where the report is. The folder holds config.json, metrics.jsonl,
checkpoints/, weights.safetensors and report.html. A resumed run ends with the very parameters that
it would have had without the stop; one that is given more epochs follows the schedule of so many
from there on. Exit code 1 when the training diverges, 2 for wrong input. Without options it takes
20 s on two cores of an AMD EPYC without AVX-512, and ends above 99 %.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from shlex import quote
from shutil import rmtree
from time import perf_counter
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from jconv import Layer, __version__, summary, walk
from jconv.cli.backend import use_backend
from jconv.cli.command import command, console, is_live, parse, status
from jconv.data import load
from jconv.errors import InputError
from jconv.files import new_folder, write_text
from jconv.geometry import Shape
from jconv.models import build
from jconv.models.own import absolute, is_file, own_layers
from jconv.train import Diverged, EpochMetrics, TrainState, evaluate, probabilities
from jconv.train.checkpoint import restore_checkpoint, save_checkpoint, saved_steps
from jconv.train.fit import Training, by_plan, fit, prepare
from jconv.train.options import TrainOptions
from jconv.train.run import Run, keep_rows, open_run, read_config, read_rows, write_config
from jconv.view.report import write_report
from jconv.weights import Weights, fingerprint, load_weights, save_weights

SAY_EVERY = 30.0  # seconds between two lines of progress in a log


@dataclass(frozen=True)
class Options(TrainOptions):
    resume: Path | None = None
    """A run folder to go on with. Its config.json gives every other option, but --epochs may be
    more.
    """


@command
def main(argv: Sequence[str] | None = None) -> int:
    options, resume = _parse(argv)
    use_backend(options.backend)
    if resume:
        return _run(options, open_run(resume), begun=True)
    title = f"{slug(options.model)}-{options.data}-{datetime.now():%Y%m%d-%H%M%S}"
    with new_folder(
        options.out,
        title,
        f"choose another --out, or go on with it: --resume {quote(str(options.out))}",
    ) as folder:
        return _run(options, Run(folder), begun=False)


def _run(options: TrainOptions, run: Run, begun: bool) -> int:
    """Train in a run's folder, from its last checkpoint if it is begun; the exit code."""
    out = console()
    with status(out, "reading the images and compiling"):
        _, in_shape = build(options.model)
        data = load(
            options.data, options.data_dir, in_shape if options.resize and in_shape else None
        )
        in_shape = in_shape or data.train.images.shape[1:]
        net, _ = build(options.model, classes=len(data.class_names))
        weights = _given_weights(options, net, in_shape, data.class_names)
        planned, plan, differs = by_plan(options, net, in_shape, run.folder if begun else None)
        training, state = prepare(options, planned, in_shape, data)
    if differs:
        out.print(differs, soft_wrap=True)
    size = f"{len(data.train.labels):,} training and {len(data.test.labels):,} test images"
    params = f"{summary(net, in_shape).totals.params:,} parameters"
    out.print(
        f"{options.model}: {params}; {options.data}: {size}; compiled in "
        f"{training.compile_seconds:.1f} s",
        soft_wrap=True,
    )
    if begun:
        state = restore_checkpoint(run.checkpoints, state)
        done = int(state.step) // training.steps
        if done > options.epochs:
            raise InputError(
                f"--epochs {options.epochs}: {run.folder} has had {done} already; give more"
            )
        keep_rows(run, done)
        write_config(run, {**read_config(run)[1], "options": _options(options)})
    else:
        state = (
            state if weights is None else state._replace(params=weights.params, state=weights.state)
        )
        write_config(run, {"options": _options(options), "made_with": _made_with()})
        if plan:
            write_text(run.plan, plan)
        save_checkpoint(run.checkpoints, state)
    try:
        state = _train(training, run, state, out)
    # too little memory; before the first epoch is done there is nothing to go on from
    except InputError:
        if not begun and not read_rows(run):
            rmtree(run.folder)
        raise
    except Diverged as error:
        good = run.checkpoints / str(saved_steps(run.checkpoints)[-1])
        print(
            f"error: training diverged at {error}; the last good checkpoint is {good}; use a lower "
            "--learning-rate",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print(
            f"stopped; go on with: jconv train --resume {quote(str(run.folder))}", file=sys.stderr
        )
        return 130
    accuracy = _write_results(training, run, state, net, in_shape)
    digest = fingerprint(state.params, state.state)
    out.print(
        f"test accuracy {accuracy:.2%}\nparameters: SHA-256 {digest}\nreport: {run.report}",
        soft_wrap=True,
    )
    return 0


def _parse(argv: Sequence[str] | None) -> tuple[TrainOptions, Path | None]:
    """The options, and the run to go on with, which brings its own: with others, but for the
    epochs, it would end elsewhere.
    """
    read = lambda default: parse(Options, argv, prog="jconv train", doc=__doc__, default=default)
    given = read(Options())
    if given.resume is None:
        return given, None
    saved, _ = read_config(open_run(given.resume))
    default = Options(**vars(saved), resume=given.resume)
    found = read(default)
    for name, value in vars(found).items():
        if value != getattr(default, name) and name != "epochs":
            option = f"--{name.replace('_', '-')} {value}"
            raise InputError(
                f"{option} differs from {given.resume}/config.json; leave it out: --resume takes "
                "every option from there, but for --epochs"
            )
    return replace(saved, epochs=found.epochs), given.resume


def _given_weights(
    options: TrainOptions, net: Layer, in_shape: Shape, class_names: Sequence[str]
) -> Weights | None:
    """The weights to begin from. Raises InputError unless they are of this very net."""
    path = options.weights
    if path is None:
        return None
    weights = load_weights(
        path / "weights.safetensors" if path.is_dir() else path, own_layers(options.model)
    )
    if weights.net != net or weights.in_shape != in_shape:
        raise InputError(
            f"--weights {path}: are of a net with {len(weights.class_names)} classes for images of "
            f"{weights.in_shape}; {options.model} for "
            f"{len(class_names)} classes and images of {in_shape} is another; give the --model "
            "that they were trained as"
        )
    return weights


def _train(training: Training, run: Run, state: TrainState, out: Console) -> TrainState:
    """The state after the epochs that are left, a line for each, over the progress where there is a
    terminal.

    A log gets a line with the progress when half a minute has passed without one.
    """
    columns = (
        TextColumn("step {task.completed:,} of {task.total:,}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    out.print("epoch   train loss  accuracy    test loss  accuracy   images/s", style="bold")
    total, said = training.steps * training.options.epochs, perf_counter()
    with Progress(*columns, console=out, transient=True, disable=not is_live()) as progress:
        bar = progress.add_task("", total=total, completed=int(state.step))

        def watch(step: int, m: EpochMetrics) -> None:
            nonlocal said
            text = (
                f"loss {m.loss:.4f}  accuracy {m.accuracy:.1%}  {m.images_per_second:,.0f} images/s"
            )
            progress.update(bar, completed=step, description=text)
            if not is_live() and perf_counter() - said > SAY_EVERY:
                out.print(f"  step {step:,} of {total:,}  {text}", soft_wrap=True)
                said = perf_counter()

        for after, row in fit(training, run, state, watch):
            state = after
            train, test = (
                f"{row[f'{split}_loss']:>12.4f} {row[f'{split}_accuracy']:>9.2%}"
                for split in ("train", "test")
            )
            out.print(f"{row['epoch']:>5} {train} {test} {row['images_per_second']:>10,.0f}")
            said = perf_counter()
    return state


def slug(model: str) -> str:
    """A model in letters, digits, "_" and "-", for the name of a folder."""
    name = model.rpartition(":")[2] if is_file(model) else model
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:40] or "net"


def _write_results(
    training: Training, run: Run, state: TrainState, net: Layer, in_shape: Shape
) -> float:
    """Write weights.safetensors and report.html; return the test accuracy."""
    options, test, class_names = training.options, training.data.test, training.data.class_names
    save_weights(run.weights, Weights(net, in_shape, class_names, state.params, state.state))
    result = evaluate(
        training.predict, state.params, state.state, test, training.loss, options.batch_size
    )
    write_report(
        run.report,
        title=f"{options.model} on {options.data}",
        config={**options.to_dict(), **_made_with()},
        history=read_rows(run),
        table=str(summary(net, in_shape)),
        filters=_first_filters(net, in_shape, state.params),
        images=test.images.astype(np.float32) / 255,
        labels=test.labels,
        probabilities=probabilities(result.logits),
        class_names=class_names,
    )
    return result.accuracy


def _first_filters(net: Layer, in_shape: Shape, params: dict[str, Any]) -> np.ndarray | None:
    """The kernel of the first 2-D convolution, HWIO."""
    for visit in walk(net, in_shape):
        leaves = params
        for name in visit.path.split("/"):
            leaves = leaves.get(name, {})
        if "kernel" in leaves and leaves["kernel"].ndim == 4:
            return np.asarray(leaves["kernel"])
    return None


def _options(options: TrainOptions) -> dict[str, Any]:
    """What config.json holds of them: a model of one's own file by its whole path, to be found from
    another folder.
    """
    return {**options.to_dict(), "model": absolute(options.model)}


def _made_with() -> dict[str, str]:
    return {
        "jconv": __version__,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
    }


if __name__ == "__main__":
    sys.exit(main())
