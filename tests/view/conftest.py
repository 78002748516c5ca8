import numpy as np
import pytest


@pytest.fixture
def row():
    """One epoch of a history, as the training writes it."""

    def make(epoch: int, **changed):
        loss = 2.0 / epoch
        numbers = {
            "train_loss": loss,
            "test_loss": loss + 0.1,
            "train_accuracy": 1 - loss / 5,
            "test_accuracy": 0.9 - loss / 5,
        }
        return {
            "epoch": epoch,
            "step": 23 * epoch,
            **numbers,
            "learning_rate": 0.05,
            "images_per_second": 1709.0,
            "seconds": 1.25 * epoch,
        } | changed

    return make


@pytest.fixture
def run(rng, row):
    """What write_report takes: 17 test images of 5 classes; the last class has none; three answers
    are wrong.
    """
    labels = np.array([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0])
    probabilities = np.full((17, 5), 0.05)
    probabilities[np.arange(17), labels] = 0.8
    for image, guess, sure in ((5, 3, 0.6), (2, 4, 0.9), (11, 0, 0.7)):  # truths 1, 2, 3
        probabilities[image] = (1 - sure) / 4
        probabilities[image, guess] = sure
    return {
        "title": "lenet5 on digits",
        "config": {"model": "lenet5", "schedule": {"kind": "cosine", "steps": 97}},
        "history": [row(epoch) for epoch in (1, 2, 3)],
        "table": "conv1  Conv  28×28×6\nfc1    Dense 120",
        "filters": rng.normal(size=(5, 3, 1, 7)).astype(np.float32),
        "images": rng.random((17, 11, 7, 1)),
        "labels": labels,
        "probabilities": probabilities,
        "class_names": ("ant", "bee", "cow", "dog", "elk"),
    }
