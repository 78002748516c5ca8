"""What a finished training leaves: its weights and a report."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from .. import __version__ as jconv_version
from ..analysis import summary
from ..data.stored import StoredImages
from ..data.views import centred
from ..geometry import Shape
from ..layer import Layer, Params, State
from ..view.filters import kernels_of
from ..view.report import write_report
from ..view.subject import Subject
from ..weights import save_weights
from .epochs import measured, weights_of, write_quietly
from .evaluation import Evaluation, probabilities
from .loop import Carried
from .run import Run, read_rows
from .setup import Training, tested
from .step import as_input


@dataclass(frozen=True)
class Pictures:
    """Test images as a report shows them, in [0, 1]: each read and scaled when it is asked for."""

    images: np.ndarray | StoredImages  # uint8, or float32 as it is
    dtype = np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.images.shape

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> np.ndarray:
        images = self.images
        image = images.read(index) if isinstance(images, StoredImages) else images[index]
        return image.astype(np.float32) / (255 if image.dtype == np.uint8 else 1)


def write_results(training: Training, run: Run, carried: Carried) -> Evaluation:
    """Write weights.safetensors and report.html; return how the test images came out."""
    options, data, in_shape = training.options, training.data, training.in_shape
    save_weights(run.weights, weights_of(training, carried))
    result = measured(training, carried, data.test)
    rows = read_rows(run)
    if rows and "test_loss" not in rows[-1]:
        rows[-1] |= {"test_loss": result.loss, "test_accuracy": result.accuracy}
        write_quietly(run, rows)
    write_report(
        run.report,
        title=f"{options.model} on {options.data}",
        config={**options.to_dict(), "pixels": str(training.pixels), **made_with()},
        history=rows,
        table=str(summary(training.net, in_shape)),
        filters=first_filters(training.net, in_shape, tested(carried.train)[0]),
        images=Pictures(data.test.images),
        labels=data.test.labels,
        probabilities=probabilities(result.logits),
        class_names=data.class_names,
        subject=first_image(training, *tested(carried.train)),
    )
    return result


def first_image(training: Training, params: Params, state: State) -> Subject:
    """The net, and the middle of the first test image, which it looks at."""
    in_shape, images = training.in_shape, training.data.test.images
    raw = images.read(0) if isinstance(images, StoredImages) else images[0]
    shown, taken = (
        centred(jnp.asarray(image)[None], in_shape) for image in (Pictures(images)[0], raw)
    )
    x = as_input(taken, pixels=training.pixels)
    return Subject(training.net, in_shape, params, state, np.asarray(shown[0]), x)


def first_filters(net: Layer, in_shape: Shape, params: Params) -> np.ndarray | None:
    """The kernel of the first 2-D convolution, HWIO."""
    return next(iter(kernels_of(net, in_shape, params).values()), None)


def made_with() -> dict[str, str]:
    """Versions and the device, for config.json."""
    return {
        "jconv": jconv_version,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
    }
