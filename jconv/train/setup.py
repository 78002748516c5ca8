"""What a training is made of: options, a net and images in, a compiled step and the first
parameters out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..data import Dataset
from ..data.feed import Feed
from ..data.order import Order
from ..data.pixels import PixelScale
from ..edit.serving import build_servable
from ..errors import InputError
from ..geometry import Shape
from ..layer import Layer, Params, State
from .check import check_examples, count_classes
from .chosen import (
    by_policy,
    chosen_augmentation,
    chosen_feed,
    chosen_pixels,
    chosen_schedule,
    chosen_update,
    chosen_weights,
    crops,
    trained_form,
)
from .exhausted import advised
from .loop import Carried, make_loop_step, no_tally
from .loss import Loss, make_loss
from .options import TrainOptions
from .step import StepSettings, TrainState, draw, make_predict
from .update import make_update


class Training(NamedTuple):
    """What a training needs and does not change. All of it follows from the options, the net, the
    images and the loss.
    """

    options: TrainOptions
    net: Layer  # as it is saved
    trained: Layer  # as it is trained: by its methods, with what is frozen or computed twice
    in_shape: Shape
    data: Dataset
    pixels: PixelScale
    order: Order
    feed: Feed
    loss: Loss
    settings: StepSettings
    rate: Callable[[int], Any]  # the learning rate by step
    program: Callable[..., Carried]  # compiled
    predict: Callable  # compiled, for batches of the same size
    compile_seconds: float
    recomputed: tuple[str, ...]  # paths of blocks that are computed again in the backward pass
    # in which running out of memory is an InputError
    advised: Callable[[], AbstractContextManager[None]]

    @property
    def total(self) -> int:
        """Steps of all epochs."""
        return self.order.steps * self.options.epochs


def prepare(
    options: TrainOptions,
    net: Layer,
    in_shape: Shape,
    data: Dataset,
    *,
    loss: Loss | None = None,
    planned: Layer | None = None,
    pixels: PixelScale | None = None,
) -> tuple[Training, Carried]:
    """Check the images against the net, compile, and draw the first parameters.

    `planned` is the net by the methods of a plan; `pixels` the scale of the net's own, which goes
    before that of the images and after that of the options. Layers whose convolutions the compiler
    refuses run by im2col, and a warning names them. Raises InputError, for too little memory too.
    """
    _check_data(options, net, in_shape, data)
    order = Order(options.seed, len(data.train.labels), options.batch_size)
    schedule = chosen_schedule(options, order.steps)
    augmentation = chosen_augmentation(options, in_shape, data)
    feed, on_device = chosen_feed(options, data.train, order, augmentation, in_shape)
    settings = StepSettings(
        options.seed,
        options.dtype,
        chosen_pixels(options, pixels, data, in_shape),
        on_device,
        in_shape,
        options.auxiliary,
        chosen_weights(options, data.train.labels, count_classes(net, in_shape)),
        options.ema,
    )
    own_loss = loss or make_loss(options.loss, smoothing=options.label_smoothing)
    room = partial(
        advised, net, in_shape, options.batch_size, optimizer=options.optimizer, dtype=options.dtype
    )
    start = perf_counter()
    with room():
        params, state = draw(net, in_shape, options.seed)
        optimizer = make_update(chosen_update(options, params), schedule, params)
        average = jax.tree.map(jnp.copy, (params, state)) if options.ema else ()
        zero = jnp.zeros((), jnp.int32)
        train = TrainState(params, state, optimizer.init(params), zero, average)
        carried = Carried(train, no_tally())

        def programs(net: Layer) -> Programs:
            trained, again = trained_form(options, net, in_shape)
            step = make_loop_step(
                trained,
                own_loss,
                optimizer,
                settings,
                order.steps,
                feed.whole,
                options.deterministic,
            )
            predict = make_predict(
                net,
                dtype=options.dtype,
                deterministic=options.deterministic,
                pixels=settings.pixels,
                in_shape=in_shape,
            )
            images = data.test.images
            batch = jax.ShapeDtypeStruct((options.batch_size, *images.shape[1:]), images.dtype)
            return Programs(
                trained,
                again,
                step.lower(carried, *feed.shapes).compile(),
                predict.lower(*tested(train), batch).compile(),
            )

        made = build_servable(
            programs,
            by_policy(options, planned or net),
            in_shape,
            [options.batch_size],
            dtype=options.dtype,
        )
    training = Training(
        options=options,
        net=net,
        trained=made.net,
        in_shape=in_shape,
        data=data,
        pixels=settings.pixels,
        order=order,
        feed=feed,
        loss=own_loss,
        settings=settings,
        rate=lambda step: schedule(step // options.accumulate),
        program=made.step,
        predict=made.predict,
        compile_seconds=perf_counter() - start,
        recomputed=made.recomputed,
        advised=room,
    )
    return training, carried


def _check_data(options: TrainOptions, net: Layer, in_shape: Shape, data: Dataset) -> None:
    """Raises InputError for images that do not fit the net, or the options."""
    classes, shape = count_classes(net, in_shape), data.train.images.shape[1:]
    expected = shape if crops(options, shape, in_shape) else in_shape
    for split in (data.train, data.test, data.validation):
        if split is not None:
            check_examples(split.images, split.labels, expected, classes)
    if options.patience and data.validation is None:
        raise InputError(
            f"patience={options.patience}: there are no images to choose by; hold some out with "
            "validation=0.1"
        )


class Programs(NamedTuple):
    """What is compiled of a net."""

    net: Layer  # as it is trained
    recomputed: tuple[str, ...]
    step: Callable[..., Carried]
    predict: Callable


def tested(train: TrainState) -> tuple[Params, State]:
    """The parameters and the state that are tested and saved: the average, where there is one."""
    return train.average or (train.params, train.state)
