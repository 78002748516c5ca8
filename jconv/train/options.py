"""The options of a training run: the command line of scripts/train.py, and the config.json of its
folder.
"""

from __future__ import annotations

import math
import types
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from .. import seeds
from ..cli.backend import Backend
from ..data import SOURCES
from ..errors import InputError
from ..optimizer import Optimizer
from .loss import LOSSES
from .schedule import SCHEDULES

# the words of the lists that the library keeps
if TYPE_CHECKING:
    Source = Schedule = LossWord = str
else:
    Source, Schedule, LossWord = Literal[tuple(SOURCES)], Literal[SCHEDULES], Literal[tuple(LOSSES)]

LEAST = {
    "epochs": 1,
    "batch_size": 1,
    "shift": 0,
    "seed": 0,
    "warmup_epochs": 0,
    "weight_decay": 0,
    "momentum": 0,
}
MOST = {"momentum": 1, "seed": seeds.MOST}
# a config.json of before they existed means their defaults
LATER = {"backend", "deterministic", "dtype", "plan", "precision", "weights"}


@dataclass(frozen=True)
class TrainOptions:
    """What determines a run, and where it is written."""

    model: str = "lenet5"
    """The net: a name of jconv.models, a pattern ("INPUT32x32x1 -> CONV5-6 -> RELU -> POOL ->
    FC-10"), or FILE.py:FUNCTION.
    """
    data: Source = "digits"
    """The images: scikit-learn's handwritten digits, or a folder with train/CLASS/* and
    test/CLASS/*.
    """
    data_dir: Path | None = None
    """That folder (for data folder)."""
    resize: bool = False
    """Fit images to the net's input: crop about the centre, resize, change gray to colour or back.
    """
    shift: int = 2
    """Move each training image by up to this many pixels, anew in every epoch; 0 leaves them."""
    epochs: int = 16
    """Passes over the training images."""
    batch_size: int = 32
    """Images in a step."""
    optimizer: Optimizer = "adam"
    """The rule that turns gradients into updates."""
    learning_rate: float = 0.004
    """Step size at its highest."""
    momentum: float = 0.9
    """Part of the last update kept in the next, 0 to 1 (momentum and nesterov)."""
    schedule: Schedule = "cosine"
    """The learning rate over the run: constant, down to 0 along a cosine, or a tenth at 1/2 and a
    hundredth at 3/4.
    """
    warmup_epochs: float = 1.0
    """Epochs over which the rate rises from 0 (cosine)."""
    weight_decay: float = 1e-4
    """Pull of the kernels towards 0; biases and norms have none."""
    loss: LossWord = "softmax"
    """Cross-entropy, or the multiclass hinge with margin 1."""
    seed: int = 0
    """Of the initial parameters, the order of the images, and dropout."""
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
        for name, least in LEAST.items():
            if not getattr(self, name) >= least:
                raise InputError(f"{name}={getattr(self, name)}: {least} or more was expected")
        for name, most in MOST.items():
            if not getattr(self, name) <= most:
                raise InputError(f"{name}={getattr(self, name)}: {most} or less was expected")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate={self.learning_rate}: more than 0 was expected")

    def to_dict(self) -> dict[str, Any]:
        """The options as JSON holds them."""
        # not what a command adds to them
        values = {field.name: getattr(self, field.name) for field in fields(TrainOptions)}
        absolute = ("data_dir", "weights")  # to be found again from another folder
        text = lambda name, value: (
            str(value.absolute() if name in absolute else value)
            if isinstance(value, Path)
            else value
        )
        return {name: text(name, value) for name, value in values.items()}

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> TrainOptions:
        """The options `to_dict` gave, maybe of an earlier version. Raises InputError naming the
        field.
        """
        names = {field.name for field in fields(cls)}
        if wrong := (names - LATER - given.keys()) | (given.keys() - names):
            name = min(wrong)
            raise InputError(
                f"option {name!r} is missing" if name in names else f"unknown option {name!r}"
            )
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
