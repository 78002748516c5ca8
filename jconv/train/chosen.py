"""What the options of a training come to: its images, pixel scale, augmentation, schedule, updates
and feed, and the net in the form that is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import optax

from ..data import Dataset, Split, load
from ..data.augmentation import Augmentation, crop_box
from ..data.feed import Feed, Resident, Streamed, default_workers
from ..data.order import Order
from ..data.pixels import PixelScale, as_pixel_scale
from ..data.request import DEFAULT
from ..data.stored import StoredImages
from ..edit import with_precision
from ..edit.frozen import freeze
from ..edit.remat import fit_memory
from ..errors import InputError
from ..geometry import Shape
from ..layer import Layer, Params
from ..paths import matches
from ..tuning import load_plan
from .loss import class_weights
from .options import GIVEN, RESIDENT, TrainOptions
from .run import Run
from .schedule import make_schedule
from .update import UpdateSettings, array_paths


def chosen_images(
    options: TrainOptions,
    in_shape: Shape,
    progress: Callable[[str], object] = DEFAULT.progress,
    test_only: bool = False,
) -> Dataset:
    """The images that the options name, fitted to the net's `in_shape`, () where it has none, or to
    the size that augmentation cuts them out of. Raises InputError.
    """
    if options.data == GIVEN:
        raise InputError(
            "data='given': these images were given by a program; go on with jconv.train.fit.train "
            "(resume=True), or name images: data=..., data_dir=PATH"
        )
    fitted = in_shape if options.resize and in_shape else None
    if options.image_size is not None:
        fitted = (options.image_size, options.image_size, in_shape[-1] if in_shape else 3)
    return load(
        options.data,
        options.data_dir,
        fitted,
        download=options.download,
        skip_corrupt=options.skip_corrupt,
        allow_single_class=options.allow_single_class,
        validation=options.validation,
        resident_bytes=RESIDENT[options.stream],
        test_only=test_only,
        progress=progress,
    )


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


def chosen_schedule(options: TrainOptions, steps: int) -> optax.Schedule:
    """The learning rate by update, of which `accumulate` steps make one; `steps` are an epoch."""
    updates = math.ceil(steps * options.epochs / options.accumulate)
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


def trained_form(
    options: TrainOptions, net: Layer, in_shape: Shape
) -> tuple[Layer, tuple[str, ...]]:
    """The net with what is frozen and what is computed again in the backward pass; the paths of the
    latter. Raises InputError.
    """
    if options.freeze:
        net = freeze(net, options.freeze, in_shape)
    if not options.fit_memory:
        return net, ()
    limit = int(options.fit_memory * 2**30)
    how = {"optimizer": options.optimizer, "dtype": options.dtype}
    return fit_memory(net, in_shape, options.batch_size, limit, **how)
