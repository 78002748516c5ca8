"""A whole training, epoch by epoch, into a run folder."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import jax

from ..data import Dataset, steps_per_epoch, train_batches
from ..edit import with_precision
from ..edit.serving import build_servable
from ..geometry import Shape
from ..layer import Layer
from ..optimizer import make_optimizer
from ..tuning import load_plan
from .check import check_examples, count_classes
from .checkpoint import save_checkpoint
from .evaluation import evaluate
from .exhausted import advised
from .loop import Diverged, EpochMetrics, train_epoch
from .loss import Loss, find_loss
from .options import TrainOptions
from .run import Run, append_row, read_rows
from .schedule import make_schedule
from .step import TrainState, initial_state, make_predict, make_train_step


class Training(NamedTuple):
    """What a training needs and does not change. All of it follows from the options, the net and
    the images.
    """

    options: TrainOptions
    data: Dataset
    steps: int  # in an epoch
    rate: Callable[[int], Any]  # the learning rate by step
    loss: Loss
    step: Callable  # compiled
    predict: Callable  # compiled, for batches of the same size
    compile_seconds: float
    # in which running out of memory is an InputError
    advised: Callable[[], AbstractContextManager[None]]


def prepare(
    options: TrainOptions, net: Layer, in_shape: Shape, data: Dataset
) -> tuple[Training, TrainState]:
    """Check the images against the net, compile, and draw the first parameters. Raises InputError,
    for too little memory too.

    Layers whose convolutions the compiler refuses run by im2col, and a warning names them.
    """
    for split in (data.train, data.test):
        check_examples(split.images, split.labels, in_shape, count_classes(net, in_shape))
    steps = steps_per_epoch(len(data.train.labels), options.batch_size)
    rate = make_schedule(
        options.schedule,
        options.learning_rate,
        steps * options.epochs,
        round(steps * options.warmup_epochs),
    )
    optimizer = make_optimizer(
        options.optimizer, rate, momentum=options.momentum, weight_decay=options.weight_decay
    )
    loss = find_loss(options.loss)
    room = partial(
        advised, net, in_shape, options.batch_size, optimizer=options.optimizer, dtype=options.dtype
    )
    start = perf_counter()
    images = jax.ShapeDtypeStruct((options.batch_size, *in_shape), data.train.images.dtype)
    labels = jax.ShapeDtypeStruct((options.batch_size,), data.train.labels.dtype)
    net, how = (
        by_policy(options, net),
        {"dtype": options.dtype, "deterministic": options.deterministic},
    )

    def compiled(net: Layer) -> tuple[Callable, Callable]:
        step = (
            make_train_step(net, loss, optimizer, options.seed, **how)
            .lower(state, images, labels)
            .compile()
        )
        return step, make_predict(net, **how).lower(state.params, state.state, images).compile()

    with room():
        state = initial_state(net, in_shape, optimizer, options.seed)
        step, predict = build_servable(
            compiled, net, in_shape, [options.batch_size], dtype=options.dtype
        )
    return Training(
        options, data, steps, rate, loss, step, predict, perf_counter() - start, room
    ), state


def fit(
    training: Training,
    run: Run,
    state: TrainState,
    watch: Callable[[int, EpochMetrics], None] = lambda step, metrics: None,
) -> Iterator[tuple[TrainState, dict[str, float]]]:
    """Train the epochs that `state` has not had; yield the state and the row of metrics after each,
    both saved by then.

    The state yielded is donated when the next one is asked for. `watch` as in `train_epoch`. Raises
    Diverged, and InputError when the device has too little memory.
    """
    options, data = training.options, training.data
    rows = read_rows(run)
    start = perf_counter() - (rows[-1]["seconds"] if rows else 0)  # a stop does not count
    for epoch in range(int(state.step) // training.steps, options.epochs):
        batches = train_batches(data.train, options.batch_size, options.seed, epoch, options.shift)
        with training.advised():
            state, train = train_epoch(training.step, state, batches, watch)
            test = evaluate(
                training.predict,
                state.params,
                state.state,
                data.test,
                training.loss,
                options.batch_size,
            )
        step = int(state.step)
        if not math.isfinite(test.loss):
            raise Diverged(step, f"the test loss after it is {test.loss}")
        row = {
            "epoch": epoch + 1,
            "step": step,
            "train_loss": train.loss,
            "train_accuracy": train.accuracy,
            "test_loss": test.loss,
            "test_accuracy": test.accuracy,
            "learning_rate": float(training.rate(step - 1)),  # that of the step just taken
            "images_per_second": train.images_per_second,
            "seconds": perf_counter() - start,
            "compile_seconds": training.compile_seconds,
        }
        append_row(run, row)
        # after its row: `keep_rows` drops a row without a checkpoint
        save_checkpoint(run.checkpoints, state)
        yield state, row


def by_plan(
    options: TrainOptions, net: Layer, in_shape: Shape, resume: Path | None = None
) -> tuple[Layer, str, str | None]:
    """The net by the methods of options.plan; the plan's text, "" without one; and a line to print,
    where there is one to say.

    A run that goes on takes the plan that its own folder kept, so that its numbers are those it
    would have had without the stop. Raises InputError.
    """
    if not options.plan:
        return net, "", None
    path = Run(resume).plan if resume else options.plan
    planned, line = load_plan(path, net, in_shape, batch=options.batch_size, dtype=options.dtype)
    return planned, path.read_text(encoding="utf-8"), line


def by_policy(options: TrainOptions, net: Layer) -> Layer:
    """The net at the precision of the options; "default" leaves it as it is."""
    return net if options.precision == "default" else with_precision(net, options.precision)
