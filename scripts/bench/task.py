"""What a contestant makes of a case: something to call, and what of its result all must agree
on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jconv.errors import JconvError


class Unable(JconvError):
    """A contestant cannot do a case; the text says why."""


class Task(NamedTuple):
    """A case as one contestant does it."""

    run: Callable[[], Any]  # once; returns what to wait for
    shown: Callable[[Any], Sequence[np.ndarray]]  # of the first result, in jconv's layout and order
    parameters: int


class Stepper:
    """A training: step(carried, *batch) -> (carried, loss), with what is carried donated from call
    to call.
    """

    def __init__(self, step: Callable, carried: Any, *batch: Any):
        self.step, self.carried, self.batch = step, carried, batch

    def __call__(self) -> tuple[Any, Any]:
        self.carried, loss = self.step(self.carried, *self.batch)
        return self.carried, loss


def wait(result: Any) -> Any:
    """Until it is computed. PyTorch computes before it returns, but on an accelerator."""
    if (torch := sys.modules.get("torch")) and torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return jax.block_until_ready(result)


def loss_shown(result: tuple[Any, Any]) -> list[np.ndarray]:
    """Of (anything, loss): the loss."""
    return [np.asarray(result[1], np.float64)]


def largest_error(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> float:
    """max|a - b| / max(1, max|b|), over the arrays in pairs; infinite for other shapes or not a
    number.

    Some gradients are zero but for rounding (batch norm's of its squares): they are held against 1.
    """
    if [x.shape for x in a] != [y.shape for y in b]:
        return np.inf
    errors = [
        float(np.abs(x - y).max(initial=0) / max(np.abs(y).max(initial=0), 1.0))
        for x, y in zip(a, b, strict=True)
    ]
    return float(np.nan_to_num(np.max(errors, initial=0), nan=np.inf))
