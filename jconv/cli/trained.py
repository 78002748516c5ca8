"""The options of commands that take a trained net: where it is, and what its file leaves open."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import tyro

from ..errors import InputError


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """What a file of weights that others wrote leaves open."""

    net: str | None = None
    """The net that a file of PyTorch is of: a name of the zoo, a pattern, or FILE.py:FUNCTION; of a
    .caffemodel its .prototxt.
    """
    variant: str | None = None
    """Which published form of that net."""
    classes: int | None = None
    """How many classes that net has, where they are not the published ones."""
    in_shape: tuple[int, ...] = ()
    """Height, width and channels of the images, where the file leaves them open."""
    channels: Literal["bgr", "rgb"] = "bgr"
    """The order in which a net of Caffe was given colours."""
    pixel_mean: tuple[float, ...] | None = None
    """A net takes (value/255 - mean) / std, one number or one per channel. By default as the file,
    or else the published net, has it.
    """
    pixel_std: tuple[float, ...] | None = None
    """See --pixel-mean."""
    modules: tuple[str, ...] = ()
    """MODULE=LAYER: which layer a module of a PyTorch file is, where order and shape leave it
    open.
    """

    def __post_init__(self):
        if (self.pixel_mean is None) != (self.pixel_std is None):
            raise InputError(
                f"pixel_mean={self.pixel_mean}: pixel_std={self.pixel_std}; both or neither were "
                "expected"
            )

    def source(self) -> dict[str, Any]:
        """What `load_trained` takes of these."""
        pairs = [text.partition("=") for text in self.modules]
        if wrong := ["".join(pair) for pair in pairs if not pair[1]]:
            raise InputError(f"modules={wrong[0]}: MODULE=LAYER was expected")
        names = [field.name for field in fields(SourceOptions) if field.name != "modules"]
        given: dict[str, Any] = {name: getattr(self, name) for name in names}
        return given | {"modules": {module: layer for module, _, layer in pairs}}


@dataclass(frozen=True, kw_only=True)
class TrainedOptions(SourceOptions):
    """A trained net, for commands that take one as it is."""

    weights: tyro.conf.Positional[Path]
    """The folder of a training, or a file of weights: jconv's, PyTorch's (.pth, .pt, .th,
    .safetensors), Caffe's (.caffemodel), ONNX's (.onnx) or ConvNetJS's (.json).
    """
    labels: Path | None = None
    """A text file with the name of a class on each line."""

    def trained(self) -> dict[str, Any]:
        """What `load_trained` takes of these."""
        return self.source() | {"labels": self.labels}
