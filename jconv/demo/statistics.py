"""What a training has come to so far, as a page shows it: means over the last steps, and the graph
of the loss.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np

WINDOW = 100  # steps that the means are over
LEAST = 20  # steps from which on there is a mean, as in ConvNetJS's demo
POINTS = 400  # of the graph; beyond, two neighbours become one


class Means(NamedTuple):
    """Over the last WINDOW steps; None before there were LEAST of them."""

    loss: float | None
    decay_loss: float | None
    accuracy: float | None


class Window:
    """The last steps."""

    def __init__(self) -> None:
        self.steps: deque[tuple[float, float, float]] = deque(maxlen=WINDOW)

    def add(self, loss: float, decay_loss: float, accuracy: float) -> None:
        self.steps.append((loss, decay_loss, accuracy))

    def means(self) -> Means:
        if len(self.steps) < LEAST:
            return Means(None, None, None)
        return Means(*map(finite, np.mean(self.steps, axis=0)))


class Graph:
    """The loss over the examples seen, in at most POINTS points, each the mean over its steps."""

    def __init__(self) -> None:
        self.every = 1  # steps a point
        self.points: list[tuple[int, float]] = []
        self.pending: list[float] = []

    def add(self, examples: int, loss: float) -> None:
        """A step's loss, after so many examples."""
        self.pending.append(loss)
        if len(self.pending) < self.every:
            return
        self.points.append((examples, float(np.mean(self.pending))))
        self.pending = []
        if len(self.points) == POINTS:
            first, second = self.points[::2], self.points[1::2]
            self.points = [(b[0], (a[1] + b[1]) / 2) for a, b in zip(first, second, strict=True)]
            self.every *= 2

    def message(self) -> list[list[float]]:
        """Points of a finite loss, as JSON has them."""
        kept = [(x, y) for x, y in self.points if np.isfinite(y)]
        return [[x, float(f"{y:.4g}")] for x, y in kept]


class Share:
    """How many of the last `most` were right."""

    def __init__(self, most: int) -> None:
        self.right: deque[bool] = deque(maxlen=most)

    def add(self, right: Any) -> None:
        self.right.extend(map(bool, right))

    def message(self) -> dict[str, Any]:
        count = len(self.right)
        return {"of": count, "accuracy": sum(self.right) / count if count else None}


def finite(value: Any) -> float | None:
    """A number as JSON has it; None for what is not finite."""
    return float(value) if np.isfinite(value) else None
