"""The page around a program: its numbers, images to begin with, and the scores that JAX gives of
them, which the page compares its own with.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from markupsafe import Markup

from ...data.pixels import scaled
from ...edit import fold_batch_norm
from ...errors import InputError, LayerError
from ...files import write_text
from ...geometry import Shape, volume
from ...weights import Weights
from ..templates import browser_file, render
from .program import Program, compile_net

LARGEST = 16_000_000  # numbers: 85 MB of text, which browsers still open
MODULES = ("columns.js", "engine.js", "maps.js", "resizing.js", "sources.js")


class Example(NamedTuple):
    """An image to begin with: pixels (H, W, C) of 0 to 255, and the class that it is of."""

    pixels: np.ndarray
    name: str


def write_standalone(
    path: Path, weights: Weights, examples: Sequence[tuple[np.ndarray, str]] = (), title: str = ""
) -> None:
    """Write the page, whole or not at all.

    Raises InputError with the path of a layer that has no counterpart, for a net that does not take
    gray or colour images or gives no score a class, and for one too large for a page.
    """
    program = _program(path, weights)
    noise = np.random.default_rng(0).integers(0, 256, (2, *weights.in_shape), dtype=np.uint8)
    shown = [Example(*one) for one in examples] or [Example(pixels, "") for pixels in noise]
    operations, numbers = _flat(program)
    about = {
        "title": title or path.stem,
        "shape": weights.in_shape,
        "classes": weights.class_names,
        "pixels": {"mean": weights.pixels.mean, "std": weights.pixels.std},
        "drawing": drawing_like([pixels for pixels, _ in examples], weights.in_shape),
        "examples": _with_scores(weights, shown),
        "operations": operations,
        "numbers": _base64(numbers),
    }
    text = render(
        "standalone.html",
        title=about["title"],
        program=_json(about),
        modules=_json({"imports": {f"jconv/{name}": _data_url(name) for name in MODULES}}),
    )
    write_text(path, text)


def _program(path: Path, weights: Weights) -> Program:
    net, params, state, shape = weights.net, weights.params, weights.state, weights.in_shape
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise InputError(
            f"{path}: the network takes {shape}; a page shows gray or colour images, (height, "
            "width, 1 or 3)"
        )
    try:
        net, params, state = fold_batch_norm(net, params, state)
    except LayerError:
        pass  # of a composite that asks for shapes: its batch norms are computed as they are
    try:
        program = compile_net(net, params, state, shape)
    except LayerError as error:
        raise InputError(f"{path}: {error}") from None
    classes = len(weights.class_names)
    if (volume(program.out_shape), program.out_shape[-1]) != (classes, classes):
        raise InputError(
            f"{path}: the network gives {program.out_shape}; {classes} scores, one "
            "a class, were expected"
        )
    if program.size > LARGEST:
        raise InputError(
            f"{path}: the network has {program.size:,} numbers, a page holds {LARGEST:,}; write a "
            "format for programs instead, such as --to onnx"
        )
    return program


def _flat(program: Program) -> tuple[list[dict[str, Any]], np.ndarray]:
    """The operations as JSON holds them, each array as [where it begins, its shape] among the
    numbers.
    """
    operations, parts, at = [], [], 0
    for operation in program.operations:
        step, arrays = operation.step, {}
        for name, array in step.arrays.items():
            arrays[name] = [at, array.shape]
            parts.append(np.asarray(array, "<f4").ravel())
            at += array.size
        operations.append(
            {
                "kind": step.kind,
                "path": operation.path,
                "layer": operation.layer,
                "inputs": operation.inputs,
                "shape": step.shape,
                "settings": step.settings,
                "arrays": arrays,
            }
        )
    return operations, np.concatenate([np.zeros(0, "<f4"), *parts])


def _with_scores(weights: Weights, examples: Sequence[Example]) -> list[dict[str, Any]]:
    """The images with what JAX makes of them."""
    images = np.stack([example.pixels for example in examples]).astype(np.uint8)
    with jax.default_matmul_precision("highest"):
        x = scaled(jnp.asarray(images), weights.pixels)
        scores = jax.jit(weights.net.apply)(weights.params, weights.state, x)[0]
    rows = np.asarray(scores, np.float64).reshape(len(images), -1)
    return [
        {"name": example.name, "pixels": _base64(pixels), "scores": row.tolist()}
        for example, pixels, row in zip(examples, images, rows, strict=True)
    ]


def drawing_like(images: Sequence[np.ndarray], in_shape: Shape) -> dict[str, Any]:
    """How a drawing becomes like these images, (H, W, C) of 0 to 255: whether its ground is dark,
    and which share of the longer side its ink takes, null where the images are no ink on a plain
    ground.
    """
    if not images:
        return {"dark": in_shape[-1] == 1, "share": None}
    gray = np.stack(images).astype(np.float64).mean(axis=-1) / 255
    corners = gray[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    dark = bool(corners.mean() < 0.5)
    ink = (gray if dark else 1 - gray) > 0.3
    plain = (corners < 0.3).mean() if dark else (corners > 0.7).mean()
    if in_shape[-1] != 1 or plain < 0.8 or not ink.any(axis=(1, 2)).all():
        return {"dark": dark, "share": None}
    spans = [
        np.ptp(np.nonzero(ink.any(axis=axis)[i])) + 1 for axis in (1, 2) for i in range(len(ink))
    ]
    longer = np.reshape(spans, (2, -1)).max(axis=0)
    return {"dark": dark, "share": float(longer.mean() / max(in_shape[:2]))}


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def _data_url(name: str) -> str:
    """A module of the page as an address that needs no file beside it."""
    text = base64.b64encode(browser_file(name).encode("utf-8")).decode("ascii")
    return f"data:text/javascript;base64,{text}"


def _json(value: Any) -> Markup:
    """JSON that cannot end the element that holds it."""
    return Markup(json.dumps(value, separators=(",", ":")).replace("<", "\\u003c"))
