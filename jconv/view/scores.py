"""What a classifier got right and wrong, counted: pure functions of labels and probabilities, no
pictures.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Verdict(NamedTuple):
    """One test image and what the network said of it. The probabilities are those of the two
    classes.
    """

    image: int
    truth: int
    guess: int
    p_truth: float
    p_guess: float


class Confused(NamedTuple):
    """How many images of the class `truth` were taken for `guess`."""

    truth: int
    guess: int
    images: int


def confusion_counts(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """counts[i, j] = images of class i whose largest probability is that of class j (the first of
    equals).

    Shapes: labels (N,), probabilities (N, K) -> (K, K).
    """
    classes = probabilities.shape[1]
    pairs = labels.astype(np.int64) * classes + probabilities.argmax(1)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def confused_pairs(counts: np.ndarray, limit: int) -> list[Confused]:
    """The pairs of classes mixed up most often, most first."""
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    truths, guesses = np.unravel_index(order, wrong.shape)
    return [
        Confused(int(i), int(j), int(wrong[i, j]))
        for i, j in zip(truths, guesses, strict=True)
        if wrong[i, j]
    ]


def strengths(counts: np.ndarray) -> np.ndarray:
    """How strongly to colour each cell of a confusion matrix, in [0, 1]: by its share of the row,
    mistakes raised so that one is seen.
    """
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    raised = np.where(counts > 0, 0.12 + 0.88 * np.sqrt(shares), 0.0)
    return np.where(np.eye(len(counts), dtype=bool), shares, raised)


def worst_mistakes(labels: np.ndarray, probabilities: np.ndarray, limit: int) -> list[Verdict]:
    """The wrong answers, the surest first."""
    guesses, sure = probabilities.argmax(1), probabilities.max(1)
    wrong = np.flatnonzero(guesses != labels)
    return _verdicts(labels, probabilities, wrong[np.argsort(-sure[wrong], kind="stable")][:limit])


def least_sure(labels: np.ndarray, probabilities: np.ndarray, limit: int) -> list[Verdict]:
    """The right answers, the least sure first."""
    guesses, sure = probabilities.argmax(1), probabilities.max(1)
    right = np.flatnonzero(guesses == labels)
    return _verdicts(labels, probabilities, right[np.argsort(sure[right], kind="stable")][:limit])


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """The 95% confidence interval of an accuracy of right/total. Source: Wilson, JASA 22 (1927);
    unlike p ± 2σ it holds near 1.
    """
    z, p = 1.959964, right / total
    centre = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * np.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def _verdicts(labels: np.ndarray, probabilities: np.ndarray, images: np.ndarray) -> list[Verdict]:
    verdict = lambda i, t, g: Verdict(
        int(i), int(t), int(g), float(probabilities[i, t]), float(probabilities[i, g])
    )
    return [verdict(i, labels[i], probabilities[i].argmax()) for i in images]
