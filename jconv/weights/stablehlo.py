"""A trained net as one compiled-ahead function, which jax runs without jconv: from pixels to
scores, the batch, and where the net allows it the size of images, open.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from ..data.pixels import scaled
from ..errors import InputError, JconvError
from ..files import write_text
from .native import Weights

PLATFORMS = ("cpu", "cuda", "tpu")


def write_stablehlo(path: Path, weights: Weights) -> str:
    """Write the function of uint8 images (N, H, W, C) to scores (N, classes), as
    `jax.export.deserialize` reads it, and beside it PATH.json with the classes and the pixel scale,
    which it applies itself. Which sizes are open is returned. Raises InputError.
    """
    try:
        import flatbuffers  # noqa: F401  (jax.export serializes by it)
    except ModuleNotFoundError:
        raise InputError(
            "flatbuffers is needed to write this: pip install 'jconv[export]'"
        ) from None
    params, state = jax.device_get((weights.params, weights.state))

    def scores(images: jax.Array) -> jax.Array:
        x = scaled(images, weights.pixels)
        return weights.net.apply(params, state, x)[0]

    exported, open_sizes = _exported(scores, weights)
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        unfinished.write_bytes(exported.serialize())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    about = {
        "in_shape": weights.in_shape,
        "class_names": weights.class_names,
        "pixel_mean": weights.pixels.mean,
        "pixel_std": weights.pixels.std,
    }
    write_text(path.with_name(path.name + ".json"), json.dumps(about))
    return open_sizes


def _exported(scores: Any, weights: Weights) -> tuple[Any, str]:
    """With every size open where that can be, else the batch alone."""
    export = jax.export.export(jax.jit(scores), platforms=PLATFORMS)
    *sizes, channels = weights.in_shape
    letters = ", ".join(f"s{i}" for i in range(len(sizes)))
    tries = [(f"n, {letters}, {channels}", "the batch and the size of images")] if sizes else []
    fixed = ", ".join(str(n) for n in weights.in_shape)
    tries.append((f"n, {fixed}", "the batch"))
    for text, words in tries[:-1]:
        try:
            shape = jax.export.symbolic_shape(text, constraints=_constraints(weights))
            return export(jax.ShapeDtypeStruct(shape, jnp.uint8)), words
        # a flattened image, or a window that must know the size: whatever the trace meets first
        except (JconvError, ValueError, TypeError, NotImplementedError):
            continue
        except Exception as error:
            if "Inconclusive" not in type(error).__name__:
                raise
    text, words = tries[-1]
    return export(jax.ShapeDtypeStruct(jax.export.symbolic_shape(text), jnp.uint8)), words


def _constraints(weights: Weights) -> list[str]:
    """Images are as large as the net was made for, or larger: what can be said of open sizes."""
    return [f"s{i} >= {n}" for i, n in enumerate(weights.in_shape[:-1])]
