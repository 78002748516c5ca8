"""What a picture is of: a net, from wherever it is and with weights, and an image for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jconv import InputError
from jconv.data.pixels import UNIT
from jconv.data.stored import StoredImages
from jconv.data.views import centred
from jconv.errors import near
from jconv.geometry import Shape
from jconv.train.chosen import chosen_images
from jconv.train.options import TrainOptions
from jconv.train.run import open_run, read_config
from jconv.train.step import as_input, draw
from jconv.view.subject import Subject
from jconv.weights import Weights
from jconv.weights.reading import numbered

from . import MODELS, pixel_scale, sized
from .own import is_file, is_pattern
from .trained import load_trained


def looking(weights: Weights, image: np.ndarray) -> Subject:
    """A net and an image (H, W, C) that it looks at."""
    x = as_input(jnp.asarray(image), pixels=weights.pixels)[None]
    return Subject(weights.net, weights.in_shape, weights.params, weights.state, image, x)


def probabilities(subject: Subject) -> np.ndarray:
    """What the net says of the image, (classes,). Raises InputError where it says no classes."""
    scores = jax.jit(subject.net.apply)(*subject.arrays)[0]
    if scores.ndim != 2:
        raise InputError(f"the net gives {scores.shape[1:]}, one score a class was expected")
    return np.asarray(jax.nn.softmax(scores[0]))


def class_of(found: np.ndarray, names: Sequence[str], wanted: str | None) -> tuple[int, str]:
    """The class of a name or a number, else the most probable of those found, and what to say of
    it, such as "7 (98.1%)". Raises InputError.
    """
    label = int(found.argmax())
    if wanted is not None and wanted in names:
        label = list(names).index(wanted)
    elif wanted is not None:
        if not wanted.isdigit() or int(wanted) >= len(names):
            raise InputError(
                f"--class {wanted}: a class's name, or 0 to {len(names) - 1}, was expected; "
                f"{near(wanted, names)}"
            )
        label = int(wanted)
    return label, f"{names[label]} ({found[label]:.1%})"


def net_with_weights(
    source: str, given: Mapping[str, Any], note: Callable[[str], object], needed: bool = True
) -> Weights:
    """The net that `source` names: a run's folder, a file of weights, or a MODEL, as `build` takes
    it, whose weights are drawn, which is said by `note`, or left out where none are `needed`.

    `given` is what `load_trained` takes besides. Raises InputError.
    """
    if source in MODELS or is_pattern(source) or is_file(source):
        net, in_shape = sized(
            source,
            classes=given["classes"],
            variant=given["variant"],
            in_shape=given["in_shape"],
        )
        if not needed:
            return Weights(net, in_shape, (), {}, {})
        note(f"{source} has no weights yet: freshly drawn ones are shown")
        names, pixels = numbered(net, in_shape), pixel_scale(source) or UNIT
        return Weights(net, in_shape, names, *draw(net, in_shape, 0), pixels)
    path = Path(source)
    if not path.exists() and not path.suffix and len(path.parts) == 1:
        raise InputError(f"{source}: is no run, no file and no model; {near(source, MODELS)}")
    return load_trained(path, **given).weights


def images_of(source: str, data: str | None = None, data_dir: Path | None = None) -> TrainOptions:
    """The options that the images follow from: those of a run, or else `data`. Raises InputError
    where there is neither.
    """
    path = Path(source)
    if path.is_dir():
        images, _ = read_config(open_run(path, "weights.safetensors"))
    elif data is None:
        raise InputError(
            f"{source}: has no images of its own; name some: --data folder --data-dir DIR"
        )
    else:
        images = TrainOptions(batch_size=128, resize=True)
    given = {"data": data, "data_dir": data_dir}
    return replace(images, **{name: value for name, value in given.items() if value is not None})


def image_at(images: TrainOptions, index: int, in_shape: Shape) -> np.ndarray:
    """One test image (H, W, C), its middle where it is larger than the net takes. Raises
    InputError.
    """
    stored = chosen_images(images, in_shape).test.images
    if not 0 <= index < len(stored):
        raise InputError(f"index={index}: 0 to {len(stored) - 1} was expected")
    image = stored.read(index) if isinstance(stored, StoredImages) else stored[index]
    return np.asarray(centred(jnp.asarray(image)[None], in_shape)[0])
