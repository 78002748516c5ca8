"""The options of a training run: the command line of scripts/train.py, and the config.json of its
folder.
"""

from __future__ import annotations

import math
import sys
import types
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from .. import seeds
from ..cli.backend import Backend
from ..data import SOURCES
from ..errors import InputError, unknown
from ..optimizer import Optimizer
from .loss import LOSSES
from .schedule import SCHEDULES

# the words of the lists that the library keeps
if TYPE_CHECKING:
    Schedule = LossWord = str
else:
    Schedule, LossWord = Literal[SCHEDULES], Literal[tuple(LOSSES)]

RESIDENT = {"auto": 2**30, "always": 0, "never": sys.maxsize}  # bytes of images that are held
GIVEN = "given"  # a model, or images, that a program gave and that have no name
LEAST = {
    "epochs": 1,
    "batch_size": 1,
    "accumulate": 1,
    "workers": 0,
    "shift": 0,
    "cutout": 0,
    "jitter": 0,
    "lighting": 0,
    "mixup": 0,
    "cutmix": 0,
    "seed": 0,
    "warmup_epochs": 0,
    "weight_decay": 0,
    "momentum": 0,
    "clip_norm": 0,
    "ema": 0,
    "label_smoothing": 0,
    "auxiliary": 0,
    "validation": 0,
    "patience": 0,
    "checkpoint_steps": 0,
    "checkpoint_minutes": 0,
    "fit_memory": 0,
    "power": 0,
}
MOST = {"momentum": 1, "seed": seeds.MOST, "label_smoothing": 1, "ema": 1, "validation": 0.9}
# what a run may be given anew when it goes on: its numbers stay those that they would have been
HARMLESS = {
    *("backend", "checkpoint_minutes", "checkpoint_steps", "data_dir", "download", "log"),
    *("stream", "workers"),
}


# of every config.json; what others lack, as those written before it existed, has its default
FIRST = {
    *("model", "data", "data_dir", "resize", "shift", "epochs", "batch_size", "optimizer"),
    *("learning_rate", "momentum", "schedule", "warmup_epochs", "weight_decay", "loss", "seed"),
    "out",
}


@dataclass(frozen=True)
class TrainOptions:
    """What determines a run, and where it is written."""

    model: str = "lenet5"
    """The net: a name of jconv.models, a pattern ("INPUT32x32x1 -> CONV5-6 -> RELU -> POOL ->
    FC-10"), or FILE.py:FUNCTION.
    """
    data: str = "digits"
    """The images: digits (scikit-learn's, handwritten), mnist, fashion_mnist, cifar10, cifar100,
    stl10, folder (train/CLASS/* and test/CLASS/*, or one folder of CLASS/*), or arrayrecord
    (written by `jconv prepare`).
    """
    data_dir: Path | None = None
    """Where they are; without it the user's folder for caches (of those that can be fetched)."""
    download: bool = False
    """Fetch the files of mnist, fashion_mnist, cifar10, cifar100 or stl10 that are missing."""
    resize: bool = False
    """Fit images to the net's input: crop about the centre, resize, change gray to colour or back.
    """
    image_size: int | None = None
    """Side to which images are fitted before augmentation crops the net's input out of them."""
    validation: float = 0.0
    """Share of the training images held out, to choose by; of one folder of CLASS/*, to test by."""
    skip_corrupt: bool = False
    """Leave out images that cannot be read, instead of stopping."""
    allow_single_class: bool = False
    """Train on images of one class alone."""
    stream: Literal["auto", "always", "never"] = "auto"
    """Read and decode images beside the training: where they would take more than 1 GiB, or always
    or never.
    """
    workers: int | None = None
    """Processes that read streamed images; 0 reads by threads of this one. None: by the cores."""
    pixel_mean: tuple[float, ...] | None = None
    """Subtracted from value/255, one number or one per channel. None: the model's own, or else the
    images'.
    """
    pixel_std: tuple[float, ...] | None = None
    """What that is divided by."""
    shift: int = 2
    """Move each training image by up to this many pixels, anew in every epoch; 0 leaves them."""
    flip: Literal["none", "random", "alternating"] = "none"
    """Mirror training images left to right: half of them at random, or each in every other epoch.
    """
    resized_crop: bool = False
    """Cut a random part of 8 to 100 % of the area out of each training image and resize it."""
    jitter: float = 0.0
    """Change brightness, contrast and saturation by up to this share (0.4 is usual)."""
    lighting: float = 0.0
    """Add colours along the principal components of ImageNet's, of this strength (0.1 is usual)."""
    cutout: int = 0
    """Side in pixels of a square that is cut out of each training image."""
    mixup: float = 0.0
    """Mix each image with another, by a share drawn from Beta(a, a)."""
    cutmix: float = 0.0
    """Paste a part of another image into each, of a share drawn from Beta(a, a)."""
    epochs: int = 16
    """Passes over the training images."""
    batch_size: int = 32
    """Images in a step."""
    accumulate: int = 1
    """Steps whose gradients make one update."""
    optimizer: Optimizer = "adam"
    """The rule that turns gradients into updates."""
    learning_rate: float = 0.004
    """Step size at its highest."""
    momentum: float = 0.9
    """Part of the last update kept in the next, 0 to 1 (momentum and nesterov)."""
    schedule: Schedule = "cosine"
    """The learning rate over the run; "step" multiplies it by gamma at each of the milestones."""
    milestones: tuple[float, ...] = ()
    """Epochs at which the rate falls (step); without any, at 1/2 and 3/4 of the run."""
    gamma: float | None = None
    """Factor of the rate: at each milestone (step), in each epoch (exponential, inverse, sigmoid).
    """
    power: float = 1.0
    """Exponent (poly, inverse)."""
    warmup_epochs: float = 1.0
    """Epochs over which the rate rises from 0."""
    weight_decay: float = 1e-4
    """Pull of the weights towards 0."""
    decay: Literal["kernels", "all"] = "kernels"
    """What it pulls at: kernels alone, or biases and norms too."""
    clip_norm: float = 0.0
    """Length that the gradient is cut to where it is longer; 0 leaves it."""
    ema: float = 0.0
    """Test by an exponential moving average of the parameters, of which each step keeps this part
    (0.999); 0: by the last ones.
    """
    rates: tuple[str, ...] = ()
    """PATTERN=FACTOR: times the learning rate for these parameters ("fc=10" "*/bias=2")."""
    freeze: tuple[str, ...] = ()
    """Paths of layers that are not trained ("conv1" "stage1*"); norms keep their statistics."""
    loss: LossWord = "softmax"
    """Cross-entropy, or the multiclass hinge with margin 1."""
    label_smoothing: float = 0.0
    """Share of each label that is spread over all classes (softmax)."""
    class_weights: Literal["none", "balanced"] = "none"
    """Weigh rare classes more, so that each counts alike."""
    auxiliary: float = 0.0
    """Share of the loss of each auxiliary head, as GoogLeNet has them (0.3)."""
    fit_memory: float = 0.0
    """GiB that a training step may take: blocks are computed again in the backward pass until it
    fits. 0: all that it takes.
    """
    patience: int = 0
    """Stop after so many epochs without a better accuracy of the validation images; 0: never."""
    checkpoint_steps: int = 0
    """Write a checkpoint every so many steps; 0: by the time and at the end of each epoch."""
    checkpoint_minutes: float = 10.0
    """Write a checkpoint when so much time has passed since the last."""
    log: Literal["none", "tensorboard"] = "none"
    """What to write beside metrics.jsonl."""
    seed: int = 0
    """Of the initial parameters, the order of the images, augmentation, and dropout."""
    backend: Backend = "auto"
    """What computes; by itself jax takes an accelerator that it finds."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of images and activations; parameters, norms' sums and the loss stay float32."""
    precision: Literal["default", "high", "highest"] = "default"
    """Of convolutions and matrix products: by default a GPU multiplies float32 as TF32 and a TPU as
    bfloat16; a CPU knows one alone.
    """
    deterministic: bool = False
    """The same bits from every run. A GPU then takes deterministic kernels alone and tunes nothing,
    at a cost not measured; a CPU needs nothing for it.
    """
    plan: Path | None = None
    """A file of `jconv tune`: the methods of the convolutions. Kept in the folder as plan.json."""
    weights: Path | None = None
    """A run folder, or a file of weights, to begin from: those of the same net, with as many
    classes.
    """
    out: Path | None = None
    """The folder to write, new or empty; runs/MODEL-DATA-TIME when not given."""

    def __post_init__(self):
        kinds = get_type_hints(type(self))
        for field in fields(self):
            value = getattr(self, field.name)
            if not _is(kinds[field.name], value):
                raise InputError(
                    f"{field.name}={value!r}: {_describe(kinds[field.name])} was expected"
                )
        if self.data not in SOURCES and self.data != GIVEN:
            raise InputError(unknown("data", self.data, tuple(SOURCES)))
        for name, least in LEAST.items():
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise InputError(f"{name}={value}: {least} or more was expected")
        for name, most in MOST.items():
            if not getattr(self, name) <= most:
                raise InputError(f"{name}={getattr(self, name)}: {most} or less was expected")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate={self.learning_rate}: more than 0 was expected")
        if (self.pixel_mean is None) != (self.pixel_std is None):
            raise InputError(
                f"pixel_mean={self.pixel_mean}: pixel_std={self.pixel_std}; both or neither were "
                "expected"
            )
        self.factors()  # raises

    def factors(self) -> tuple[tuple[str, float], ...]:
        """`rates` as (pattern, factor). Raises InputError."""
        found = []
        for text in self.rates:
            pattern, _, number = text.rpartition("=")
            try:
                factor = float(number)
            except ValueError:
                factor = math.nan
            if not pattern or not 0 <= factor < math.inf:
                raise InputError(
                    f"rates={text!r}: PATTERN=FACTOR was expected, a factor of at least 0, such as "
                    "fc=10"
                )
            found.append((pattern, factor))
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """The options as JSON holds them."""
        # not what a command adds to them
        values = {field.name: getattr(self, field.name) for field in fields(TrainOptions)}
        absolute = ("data_dir", "weights")  # to be found again from another folder

        def text(name: str, value: Any) -> Any:
            if isinstance(value, Path):
                return str(value.absolute() if name in absolute else value)
            return list(value) if isinstance(value, tuple) else value

        return {name: text(name, value) for name, value in values.items()}

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> TrainOptions:
        """The options `to_dict` gave, maybe of an earlier version. Raises InputError naming the
        field.
        """
        names = {field.name for field in fields(cls)}
        if wrong := (FIRST - given.keys()) | (given.keys() - names):
            name = min(wrong)
            raise InputError(
                f"option {name!r} is missing" if name in names else f"unknown option {name!r}"
            )
        given = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in given.items()
        }
        paths = {
            name: Path(given[name])
            for name in ("data_dir", "plan", "weights", "out")
            if isinstance(given.get(name), str)
        }
        return cls(**{**given, **paths})


def _is(kind: Any, value: Any) -> bool:
    """Whether a value, maybe from a file that was edited by hand, is of the declared kind."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) in (Union, types.UnionType):
        return any(_is(k, value) for k in get_args(kind))
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_is(get_args(kind)[0], one) for one in value)
    if kind is float:
        return (
            isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        )
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _describe(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(repr, get_args(kind)))
    return {int: "a whole number", float: "a finite number", bool: "True or False"}.get(
        kind
    ) or getattr(kind, "__name__", str(kind))
