"""What a training is made of: options, a net and images in, a compiled step and the first
parameters out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..data import Dataset, Split
from ..data.augmentation import Augmentation, crop_box
from ..data.feed import Feed, Resident, Streamed, default_workers
from ..data.order import Order
from ..data.pixels import PixelScale, as_pixel_scale
from ..data.stored import StoredImages
from ..edit import with_precision
from ..edit.frozen import freeze
from ..edit.remat import fit_memory
from ..edit.serving import build_servable
from ..errors import InputError
from ..geometry import Shape
from ..layer import Layer, Params, State
from ..paths import matches
from ..tuning import load_plan
from .check import check_examples, count_classes
from .exhausted import advised
from .loop import Carried, make_loop_step, no_tally
from .loss import Loss, class_weights, make_loss
from .options import TrainOptions
from .run import Run
from .schedule import make_schedule
from .step import StepSettings, TrainState, draw, make_predict
from .update import UpdateSettings, array_paths, make_update


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
    classes = count_classes(net, in_shape)
    scale = chosen_pixels(options, pixels, data, in_shape)
    augmentation = chosen_augmentation(options, in_shape, data)
    shape = data.train.images.shape[1:]
    for split in (data.train, data.test, data.validation):
        if split is not None:
            expected = shape if crops(options, shape, in_shape) else in_shape
            check_examples(split.images, split.labels, expected, classes)
    if options.patience and data.validation is None:
        raise InputError(
            f"patience={options.patience}: there are no images to choose by; hold some out with "
            "validation=0.1"
        )
    order = Order(options.seed, len(data.train.labels), options.batch_size)
    updates = math.ceil(order.steps * options.epochs / options.accumulate)
    schedule = chosen_schedule(options, order.steps, updates)
    own_loss = loss or make_loss(options.loss, smoothing=options.label_smoothing)
    feed, on_device = chosen_feed(options, data.train, order, augmentation, in_shape)
    settings = StepSettings(
        options.seed,
        options.dtype,
        scale,
        on_device,
        in_shape,
        options.auxiliary,
        chosen_weights(options, data.train.labels, classes),
        options.ema,
    )
    room = partial(
        advised, net, in_shape, options.batch_size, optimizer=options.optimizer, dtype=options.dtype
    )
    start = perf_counter()
    recomputed: tuple[str, ...] = ()

    def trained_form(net: Layer) -> Layer:
        nonlocal recomputed
        if options.freeze:
            net = freeze(net, options.freeze, in_shape)
        if options.fit_memory:
            net, recomputed = fit_memory(
                net,
                in_shape,
                options.batch_size,
                int(options.fit_memory * 2**30),
                optimizer=options.optimizer,
                dtype=options.dtype,
            )
        return net

    images = jax.ShapeDtypeStruct((options.batch_size, *data.test.images.shape[1:]), np.uint8)
    if data.test.images.dtype != np.uint8:
        images = jax.ShapeDtypeStruct(images.shape, data.test.images.dtype)

    def compiled(net: Layer) -> tuple[Layer, Callable, Callable]:
        trained = trained_form(net)
        program = make_loop_step(
            trained,
            own_loss,
            optimizer,
            settings,
            order.steps,
            feed.whole,
            options.deterministic,
        ).lower(carried, *feed.shapes)
        predict = make_predict(
            net,
            dtype=options.dtype,
            deterministic=options.deterministic,
            pixels=scale,
            in_shape=in_shape,
        )
        return trained, program.compile(), predict.lower(*tested(carried.train), images).compile()

    with room():
        params, state = draw(net, in_shape, options.seed)
        optimizer = make_update(chosen_update(options, params), schedule, params)
        train = TrainState(
            params,
            state,
            optimizer.init(params),
            jnp.zeros((), jnp.int32),
            jax.tree.map(jnp.copy, (params, state)) if options.ema else (),
        )
        carried = Carried(train, no_tally())
        trained, program, predict = build_servable(
            compiled,
            by_policy(options, planned or net),
            in_shape,
            [options.batch_size],
            dtype=options.dtype,
        )
    training = Training(
        options,
        net,
        trained,
        in_shape,
        data,
        scale,
        order,
        feed,
        own_loss,
        settings,
        lambda step: schedule(step // options.accumulate),
        program,
        predict,
        perf_counter() - start,
        recomputed,
        room,
    )
    return training, carried


def tested(train: TrainState) -> tuple[Params, State]:
    """The parameters and the state that are tested and saved: the average, where there is one."""
    return train.average or (train.params, train.state)


def chosen_pixels(
    options: TrainOptions, own: PixelScale | None, data: Dataset, in_shape: Shape
) -> PixelScale:
    """The pixel scale: that of the options, or else of the net, or else of the images."""
    if options.pixel_mean is not None:
        return as_pixel_scale(options.pixel_mean, options.pixel_std, in_shape[-1])
    return as_pixel_scale(*(own or data.pixels), in_shape[-1])


def crops(options: TrainOptions, shape: Shape, in_shape: Shape) -> bool:
    """Whether images of a shape are larger than what the net takes, which is cut out of them."""
    return (
        options.image_size is not None
        and len(shape) == 3
        and shape[2:] == in_shape[2:]
        and shape[0] >= in_shape[0]
        and shape[1] >= in_shape[1]
    )


def chosen_augmentation(
    options: TrainOptions, in_shape: Shape, data: Dataset
) -> Augmentation | None:
    names = ("shift", "flip", "resized_crop", "jitter", "lighting", "cutout", "mixup", "cutmix")
    found = Augmentation(**{name: getattr(options, name) for name in names})
    same = data.train.images.shape[1:] == in_shape
    return None if found == Augmentation() and same else found


def chosen_schedule(options: TrainOptions, steps: int, updates: int) -> optax.Schedule:
    """The learning rate by update, of which the last is `updates` - 1."""
    per_epoch = steps / options.accumulate
    return make_schedule(
        options.schedule,
        options.learning_rate,
        updates,
        round(per_epoch * options.warmup_epochs),
        milestones=tuple(round(per_epoch * epoch) for epoch in options.milestones),
        gamma=options.gamma,
        power=options.power,
        every=max(1, round(per_epoch)),
    )


def chosen_update(options: TrainOptions, params: Params) -> UpdateSettings:
    """How gradients become updates. Of what is frozen, only what has arrays matters to it."""
    paths = array_paths(params)
    return UpdateSettings(
        optimizer=options.optimizer,
        learning_rate=options.learning_rate,
        momentum=options.momentum,
        weight_decay=options.weight_decay,
        decay=options.decay,
        clip_norm=options.clip_norm,
        accumulate=options.accumulate,
        rates=options.factors(),
        frozen=tuple(
            pattern for pattern in options.freeze if any(matches(path, pattern) for path in paths)
        ),
    )


def chosen_weights(
    options: TrainOptions, labels: np.ndarray, classes: int
) -> tuple[float, ...] | None:
    if options.class_weights == "none":
        return None
    return tuple(np.asarray(class_weights(labels, classes), float).tolist())


def chosen_feed(
    options: TrainOptions,
    split: Split,
    order: Order,
    augmentation: Augmentation | None,
    in_shape: Shape,
) -> tuple[Feed, Augmentation | None]:
    """Where the batches come from, and what is left to do to them on the device: streamed images
    have their parts cut out as they are decoded.
    """
    images = split.images
    if not isinstance(images, StoredImages) and options.stream != "always":
        return Resident(split, order), augmentation
    workers = default_workers() if options.workers is None else options.workers
    crop = None
    if isinstance(images, StoredImages) and augmentation and augmentation.resized_crop:
        crop = partial(crop_box, area=augmentation.area, aspect=augmentation.aspect)
        augmentation = replace(augmentation, resized_crop=False)
        split = split._replace(images=images.sized(in_shape))
    return Streamed(split, order, workers, crop), augmentation


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
