"""A whole training, step by step and epoch by epoch, into a run folder."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import NoReturn

from ..data import Split
from ..errors import JconvError
from ..files import cause
from ..weights import Weights, save_weights
from .checkpoint import Checkpoints
from .evaluation import Evaluation, Interrupted, evaluate
from .log import Log
from .loop import LOOK_EVERY, Carried, Clock, Diverged, Progress, check_finite, look, stepped
from .options import TrainOptions
from .run import Row, Run, read_rows, write_rows
from .setup import Training, tested

Watch = Callable[[Progress], None]


class Stopped(JconvError):
    """A training was asked to stop, and has saved what it had."""

    def __init__(self, step: int, signal_number: int):
        super().__init__(step, signal_number)
        self.step, self.signal_number = step, signal_number


def fit(
    training: Training,
    run: Run,
    carried: Carried,
    watch: Watch = lambda progress: None,
    stop: Callable[[], int] = lambda: 0,
    log: Log | None = None,
    spent: float = 0.0,
) -> Iterator[tuple[Carried, Row]]:
    """Train the steps that `carried` has not had; yield what is carried and the row of metrics
    after each epoch, both saved.

    What is yielded is donated when the next one is asked for. `watch` is called about twice a
    second. `stop()` is asked after each step and before each batch of a test; once it gives the
    number of a signal, the training saves what it has and raises Stopped. `spent` seconds went into
    the steps before. Raises Diverged, and InputError when the device has too little memory.
    """
    options, steps = training.options, training.order.steps
    rows = read_rows(run)
    begun = perf_counter() - spent  # a stop does not count
    step, clock, saved = int(carried.train.step), Clock(), perf_counter()
    with Checkpoints(run.checkpoints) as checkpoints:

        def save() -> None:
            nonlocal saved
            look(carried, clock, options.batch_size)
            check_finite(carried.train)
            about = {"seconds": perf_counter() - begun, "options": options.to_dict()}
            checkpoints.save(step, carried, about)
            saved = perf_counter()

        def stop_now(number: int) -> NoReturn:
            save()
            checkpoints.wait()
            raise Stopped(step, number)

        if step == 0:
            save()
        batches = training.feed.batches(step, training.total)
        # a stop while the images were tested left an epoch without its row
        ended = step > 0 and step % steps == 0 and (not rows or rows[-1]["step"] < step)
        while ended or (step < training.total and not out_of_patience(options, rows)):
            if not ended:
                with training.advised():
                    carried = stepped(training.program, carried, batches, clock)
                step += 1
                ended = step % steps == 0
            if ended or perf_counter() - clock.looked > LOOK_EVERY:
                with training.advised():
                    watch(look(carried, clock, options.batch_size))
            if ended:
                try:
                    row = epoch_row(training, carried, clock, stop)
                except Interrupted as asked:
                    stop_now(asked.signal_number)
                rows.append(row | {"seconds": perf_counter() - begun})
                write_quietly(run, rows)
                if log is not None:
                    log(rows[-1])
                if is_best(rows):
                    save_quietly(run.best, weights_of(training, carried))
            minutes = (perf_counter() - saved) / 60
            due = options.checkpoint_steps and step % options.checkpoint_steps == 0
            if ended or due or minutes > (options.checkpoint_minutes or math.inf):
                save()
            if ended:
                yield carried, rows[-1]
                clock, ended = Clock(), False
            if number := stop():
                stop_now(number)


def epoch_row(training: Training, carried: Carried, clock: Clock, stop: Callable[[], int]) -> Row:
    """What metrics.jsonl says of an epoch that has ended. Raises Diverged where the parameters or
    the loss of the images that are tested are not finite, and Interrupted.
    """
    check_finite(carried.train)
    progress = look(carried, clock, training.options.batch_size)
    chosen_by = "test" if training.data.validation is None else "validation"
    split = training.data.validation or training.data.test
    with training.advised():
        found = measured(training, carried, split, stop)
    if not math.isfinite(found.loss):
        raise Diverged(progress.step, f"the {chosen_by} loss after it is {found.loss}")
    return {
        "epoch": progress.step // training.order.steps,
        "step": progress.step,
        "train_loss": progress.loss,
        "train_accuracy": progress.accuracy,
        f"{chosen_by}_loss": found.loss,
        f"{chosen_by}_accuracy": found.accuracy,
        "learning_rate": float(training.rate(progress.step - 1)),  # that of the step just taken
        "images_per_second": progress.images_per_second,
        "waiting": progress.waiting,
        "memory": progress.memory,
        "compile_seconds": training.compile_seconds,
    }


def measured(
    training: Training, carried: Carried, split: Split, stop: Callable[[], int] = lambda: 0
) -> Evaluation:
    """How what has been trained does on a split."""
    size = training.options.batch_size
    return evaluate(training.predict, *tested(carried.train), split, training.loss, size, stop)


def weights_of(training: Training, carried: Carried) -> Weights:
    """What a weights file holds of it."""
    names, (params, state) = training.data.class_names, tested(carried.train)
    return Weights(training.net, training.in_shape, names, params, state, training.pixels)


def is_best(rows: list[Row]) -> bool:
    """Whether the last row has the best accuracy of the validation images so far."""
    values = [row.get("validation_accuracy", math.nan) for row in rows]
    return values[-1] > max(values[:-1], default=-math.inf)


def out_of_patience(options: TrainOptions, rows: list[Row]) -> bool:
    """Whether so many epochs have gone by without a better one."""
    values = [row.get("validation_accuracy", math.nan) for row in rows]
    if not options.patience or len(values) <= options.patience:
        return False
    return max(values[-options.patience :]) <= max(values[: -options.patience])


def write_quietly(run: Run, rows: list[Row]) -> None:
    """Write metrics.jsonl; where that fails, as on a full disk, the next time writes all of it."""
    try:
        write_rows(run, rows)
    except OSError as error:
        warnings.warn(f"{run.metrics}: could not be written ({cause(error)})", stacklevel=2)


def save_quietly(path: Path, weights: Weights) -> None:
    """Write weights; where the disk refuses, those of before stay, with a warning."""
    try:
        save_weights(path, weights)
    except OSError as error:
        warnings.warn(f"{path}: could not be written ({cause(error)})", stacklevel=2)
