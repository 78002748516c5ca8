"""Loss, accuracy and logits over every example of a split."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..data.dataset import Split
from ..data.feed import padded_batches
from ..data.stored import StoredImages
from ..errors import JconvError
from ..layer import Params, State
from .loss import Loss


class Evaluation(NamedTuple):
    loss: float  # mean over the examples
    accuracy: float  # 0 to 1
    logits: np.ndarray  # (N, classes) float32


class Interrupted(JconvError):
    """An evaluation was asked to stop, by the signal of that number."""

    def __init__(self, signal_number: int):
        super().__init__(signal_number)
        self.signal_number = signal_number


def evaluate(
    predict: Callable,
    params: Params,
    state: State,
    split: Split,
    loss: Loss,
    batch_size: int,
    stop: Callable[[], int] = lambda: 0,
) -> Evaluation:
    """How the net does on a split. `predict` is `make_predict(net)`; once `stop()` gives anything
    but 0, asked before each batch, Interrupted is raised.
    """
    logits = all_logits(predict, params, state, split.images, batch_size, stop)
    mean = loss(jnp.asarray(logits), jnp.asarray(split.labels)).mean()
    return Evaluation(float(mean), float((logits.argmax(axis=1) == split.labels).mean()), logits)


def all_logits(
    predict: Callable,
    params: Params,
    state: State,
    images: np.ndarray | StoredImages,
    batch_size: int,
    stop: Callable[[], int] = lambda: 0,
) -> np.ndarray:
    """The logits of every image, (N, classes) float32, in batches of one shape, so that one program
    is compiled. `stop` as in `evaluate`.
    """
    parts = []
    for batch, count in padded_batches(images, batch_size):
        if number := stop():
            raise Interrupted(number)
        parts.append((predict(params, state, batch), count))
    return np.concatenate(
        [np.asarray(logits, np.float32)[:count] for logits, count in jax.device_get(parts)]
    )


def probabilities(logits: np.ndarray) -> np.ndarray:
    """softmax of the logits, (N, classes). After training with the SVM loss they rank classes but
    are not calibrated.
    """
    return np.asarray(jax.nn.softmax(jnp.asarray(logits), axis=1))
