"""ONNX's own evaluator, the reference that nets are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun


class LRN(OpRun):
    """y = x / (bias + alpha/size * sum of x^2 over neighbouring channels)^beta. (That of onnx 1.23
    sums at as many channels as the batch has images.)
    """

    op_domain = ""

    def _run(self, x, alpha=1e-4, beta=0.75, bias=1.0, size=1):
        below, above = (size - 1) // 2, size // 2 + 1
        squares = np.stack(
            [np.square(x[:, max(0, c - below) : c + above]).sum(axis=1) for c in range(x.shape[1])],
            axis=1,
        )
        return ((x / (bias + alpha / size * squares) ** beta).astype(x.dtype),)


def evaluate(model: Path | onnx.ModelProto, images: np.ndarray) -> list[np.ndarray]:
    """The outputs for images (N, C, *S)."""
    found = onnx.load(model) if isinstance(model, Path) else model
    known = {t.name for t in found.graph.initializer}
    (name,) = (value.name for value in found.graph.input if value.name not in known)
    outputs: Any = ReferenceEvaluator(found, new_ops=[LRN]).run(None, {name: images})
    return list(outputs)
