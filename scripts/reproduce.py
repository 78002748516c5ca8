"""Train by a published recipe, and say what it came to beside what was published.

    jconv reproduce convnetjs_cifar10 --download
        as `jconv train` with the recipe's options
    jconv reproduce cifar_resnet20 --data folder --data-dir cifar10 --epochs 2
        on images of one's own, and shorter

    jconv reproduce cifar94 --data-dir cifar10
        train/CLASS/* and test/CLASS/*, 32x32 in colour
    jconv reproduce cifar94 --data-dir cifar10 --runs 25 --seed 100
        seeds 100 to 124
    jconv reproduce cifar94 --data-dir cifar10 --runs 1 --dtype float32 on a CPU

Recipes: digits, convnetjs_cifar10, cifar_resnet20, cifar_resnet56, all_cnn_c, nin, resnet50 and
cifar94. All but the last are options of `jconv train`: the folder is a run's, for `jconv evaluate`
and `jconv predict`, and the last line is a row of the ledger (jconv/train/recipes/ledger.md), which
--ledger FILE adds to a file.

cifar94 trains several times from different seeds. It is the recipe of "94% on CIFAR-10 in 3.29
Seconds on a Single GPU" (Jordan 2024): images, order, augmentation and steps are on the device.

Prints the machine and its versions, the seconds that compiling took, then for every run its seconds
after that, from the seed to the accuracy, and the accuracy of the test images, as they are and by
the sum of the scores of six views; last the medians and the means. Programs compiled before are
read from disk instead; JAX_COMPILATION_CACHE_DIR="" jconv reproduce ... compiles and counts anew.
The folder holds config.json and runs.json, with every epoch of every run, written anew after each.
Exit code 1 when a training diverges, 2 for wrong input.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from statistics import mean, median
from typing import Annotated, Any, Literal

import jax
import tyro

from jconv import summary
from jconv.cli.backend import Backend, use_backend
from jconv.cli.command import command, console, parse, status
from jconv.data import Dataset, load
from jconv.errors import InputError, unknown
from jconv.files import new_folder, write_text
from jconv.models import build
from jconv.scripts import train
from jconv.train import Diverged
from jconv.train.device import (
    DeviceTraining,
    EpochRow,
    Result,
    prepare_on_device,
    train_on_device,
)
from jconv.train.ledger import LedgerRow, add_row
from jconv.train.recipe import Recipe
from jconv.train.recipes import RECIPES, SPRINTS
from jconv.train.recipes.published import Published
from jconv.train.run import Run, read_rows
from jconv.tuning.machine import describe, machine

SUMMARIES = {"median": median, "mean": mean}
LEAST = {"runs": 1, "seed": 0, "batch_size": 1}


@dataclass(frozen=True)
class Options:
    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")]
    """The name of a recipe."""
    data: str | None = None
    """Images other than the recipe's own: any that `jconv train` takes. cifar94 takes a folder."""
    data_dir: Path | None = None
    """Where the images are; for cifar94 a folder with train/CLASS/* and test/CLASS/*."""
    download: bool = False
    """Fetch what is missing of the recipe's own images."""
    resize: bool = False
    """Fit images to the net's input: crop about the centre, resize, change gray to colour or back.
    """
    runs: int | None = None
    """Trainings, each from a seed of its own: 5 of cifar94, 1 of the others by default."""
    seed: int = 0
    """Of the first run; every further one takes the next."""
    epochs: float | None = None
    """Passes over the training images; whole ones but for cifar94. The recipe's own by default."""
    batch_size: int | None = None
    """Images in a step; the learning rate goes with it. The recipe's own by default: 1024 for
    cifar94.
    """
    dtype: Literal["bfloat16", "float32"] | None = None
    """Of images and activations. The recipe's own by default: bfloat16 for cifar94."""
    backend: Backend = "auto"
    """What computes; by itself jax takes an accelerator that it finds."""
    deterministic: bool = False
    """The same bits from the same seed every time, on a GPU by deterministic kernels and without
    autotuning.
    """
    ledger: Path | None = None
    """A Markdown file to add the row of the ledger to."""
    out: Path | None = None
    """The folder to write, new or empty; runs/RECIPE-TIME when not given."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = parse(Options, argv, prog="jconv reproduce", doc=__doc__)
    check(options)
    use_backend(options.backend)
    line = f"jconv reproduce {shlex.join(sys.argv[1:] if argv is None else argv)}"
    with new_folder(options.out, f"{options.recipe}-{datetime.now():%Y%m%d-%H%M%S}") as folder:
        if options.recipe in SPRINTS:
            return _sprint(replace(options, runs=options.runs or 5), folder, line)
        return _train(options, RECIPES[options.recipe], folder, line)


def _train(options: Options, published: Published, folder: Path, line: str) -> int:
    """Train as `jconv train` would, and write what it came to; the exit code."""
    given = {
        name: value
        for name in ("data", "data_dir", "batch_size", "dtype", "backend", "seed", "epochs")
        if (value := getattr(options, name)) is not None
    }
    given |= {name: True for name in ("resize", "download", "deterministic") if vars(options)[name]}
    if "epochs" in given:
        given["epochs"] = int(given["epochs"])
    settings, run = replace(published.options, **given), Run(folder)
    if code := train.trained(settings, run, False):
        return code
    last = read_rows(run)[-1]
    shortened = "" if settings.epochs == published.options.epochs else f", {settings.epochs} epochs"
    row = LedgerRow(
        options.recipe + shortened,
        last["test_accuracy"],
        published.accuracy,
        published.source,
        settings.data,
        f"{describe(machine()).splitlines()[0]}; jax {jax.__version__}",
        last["seconds"],
        line,
    )
    if options.ledger is not None:
        add_row(options.ledger, row)
    console().print(str(row), soft_wrap=True)
    return 0


def _sprint(options: Options, folder: Path, line: str) -> int:
    """All runs, their results in a folder after each; the exit code."""
    out, about, results = console(), machine(), []
    with status(out, "reading the images") as update:
        data = load(
            "folder",
            options.data_dir,
            published(options.recipe).in_shape if options.resize else None,
        )
        update("compiling")
        training = prepare_on_device(
            chosen(options, len(data.class_names)), data, options.deterministic
        )
        write_text(
            folder / "config.json",
            json.dumps({"command": line, **config(options, training), "machine": about}, indent=2)
            + "\n",
        )
        out.print(f"{describe(about)}\n{heading(options.recipe, training, data)}", soft_wrap=True)
        out.print(f"{'seed':>6} {'seconds':>9} {'accuracy':>9} {'six views':>10}", style="bold")
        try:
            for result in trained(options, training, update):
                results.append(result)
                out.print(row(str(result.seed), *figures(result)))
                write_text(
                    folder / "runs.json",
                    json.dumps(report(line, about, training, results), indent=1) + "\n",
                )
        except InputError:  # too little memory
            if not results:
                rmtree(folder)
            raise
        except Diverged as error:
            print(
                f"error: the training from seed {options.seed + len(results)} diverged at {error}",
                file=sys.stderr,
            )
            return 1
    for name, of in SUMMARIES.items():
        out.print(row(name, *map(of, zip(*map(figures, results), strict=True))))
    out.print(f"written: {folder}/config.json, runs.json", soft_wrap=True)
    return 0


def check(options: Options) -> None:
    """Raises InputError, before any image is read."""
    if options.recipe not in RECIPES | SPRINTS:
        raise InputError(unknown("recipe", options.recipe, (*RECIPES, *SPRINTS)))
    if options.recipe in RECIPES and (options.runs or 1) > 1:
        raise InputError(
            f"--runs {options.runs}: {options.recipe} trains once; give --seed another number and "
            "run it again"
        )
    if options.recipe in SPRINTS and options.data_dir is None:
        raise InputError(f"{options.recipe} needs the folder of its images: --data-dir PATH")
    for name, least in LEAST.items():
        value = getattr(options, name)
        if value is not None and value < least:
            raise InputError(f"--{name.replace('_', '-')} {value}: at least {least} was expected")
    if options.seed + (options.runs or 5) > 2**32:
        raise InputError(
            f"--seed {options.seed}: with --runs {options.runs or 5} below 2^32 was expected"
        )
    if options.epochs is not None and not 0 < options.epochs < float("inf"):
        raise InputError(f"--epochs {options.epochs}: a number above 0 was expected")


def published(name: str, classes: int | None = None) -> Recipe:
    """The recipe of that name, for the zoo's net; with so many classes, or as many as published."""
    found = SPRINTS[name]
    return found.recipe(*build(found.MODEL, classes=classes))


def chosen(options: Options, classes: int) -> Recipe:
    """The recipe with what the command line changes of it."""
    own = {name: getattr(options, name) for name in ("epochs", "batch_size", "dtype")}
    return published(options.recipe, classes)._replace(
        **{name: value for name, value in own.items() if value is not None}
    )


def config(options: Options, training: DeviceTraining) -> dict[str, Any]:
    """The recipe's name and the settings that are numbers and words; the others follow from the
    name and the classes.
    """
    plain = (int, float, str, tuple)
    settings = {k: v for k, v in training.recipe._asdict().items() if isinstance(v, plain)}
    return {
        "recipe": options.recipe,
        "data_dir": str(options.data_dir),
        "seed": options.seed,
        "runs": options.runs,
        "deterministic": options.deterministic,
        **settings,
    }


def trained(
    options: Options, training: DeviceTraining, update: Callable[[str], Any]
) -> Iterator[Result]:
    """Run after run, their progress shown."""
    for i in range(options.runs or 1):

        def watch(row: EpochRow, title: str = f"run {i + 1} of {options.runs}") -> None:
            update(
                f"{title}: epoch {row['epoch']}, loss {row['train_loss']:.3f}, accuracy "
                f"{row['train_accuracy']:.1%}, {row['seconds']:.1f} s"
            )

        yield train_on_device(training, options.seed + i, watch)


def heading(name: str, training: DeviceTraining, data: Dataset) -> str:
    params = f"{summary(training.recipe.net, training.recipe.in_shape).totals.params:,} parameters"
    images = f"{len(data.train.labels):,} training and {len(data.test.labels):,} test images"
    seconds = training.compile_seconds
    return f"{name}: {params}; {images}; {training.recipe.dtype}; compiled in {seconds:.1f} s"


def figures(result: Result) -> tuple[float, float, float]:
    return result.seconds, result.accuracy, result.accuracy_of_views


def row(name: str, seconds: float, accuracy: float, of_views: float) -> str:
    return f"{name:>6} {seconds:>9.3f} {accuracy:>9.2%} {of_views:>10.2%}"


def report(
    line: str, about: dict[str, Any], training: DeviceTraining, results: Sequence[Result]
) -> dict[str, Any]:
    """What runs.json holds."""
    names = ("seconds", "accuracy", "accuracy_of_views")
    columns = dict(zip(names, zip(*map(figures, results), strict=True), strict=True))
    summaries = {
        word: {name: of(values) for name, values in columns.items()}
        for word, of in SUMMARIES.items()
    }
    runs = [result._asdict() for result in results]
    return {
        "command": line,
        "machine": about,
        "compile_seconds": training.compile_seconds,
        **summaries,
        "runs": runs,
    }


if __name__ == "__main__":
    sys.exit(main())
