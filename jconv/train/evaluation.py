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
from ..layer import Params, State
from .loss import Loss


class Evaluation(NamedTuple):
    loss: float  # mean over the examples
    accuracy: float  # 0 to 1
    logits: np.ndarray  # (N, classes) float32


def evaluate(
    predict: Callable, params: Params, state: State, split: Split, loss: Loss, batch_size: int
) -> Evaluation:
    """How the net does on a split. `predict` is `make_predict(net)`."""
    logits = all_logits(predict, params, state, split.images, batch_size)
    mean = loss(jnp.asarray(logits), jnp.asarray(split.labels)).mean()
    return Evaluation(float(mean), float((logits.argmax(axis=1) == split.labels).mean()), logits)


def all_logits(
    predict: Callable,
    params: Params,
    state: State,
    images: np.ndarray | StoredImages,
    batch_size: int,
) -> np.ndarray:
    """The logits of every image, (N, classes) float32, in batches of one shape, so that one program
    is compiled.
    """
    parts = [
        (predict(params, state, batch), count)
        for batch, count in padded_batches(images, batch_size)
    ]
    return np.concatenate(
        [np.asarray(logits, np.float32)[:count] for logits, count in jax.device_get(parts)]
    )


def probabilities(logits: np.ndarray) -> np.ndarray:
    """softmax of the logits, (N, classes). After training with the SVM loss they rank classes but
    are not calibrated.
    """
    return np.asarray(jax.nn.softmax(jnp.asarray(logits), axis=1))
