import numpy as np
import pytest

from jconv.view.scores import (
    confused_pairs,
    confusion_counts,
    least_sure,
    strengths,
    wilson_interval,
    worst_mistakes,
)


def test_confusion_counts_equal_a_loop(rng):
    labels, probabilities = rng.integers(0, 6, 101), rng.random((101, 7))  # class 6 has no image
    expected = np.zeros((7, 7), int)
    for label, row in zip(labels, probabilities, strict=True):
        expected[label, row.argmax()] += 1
    np.testing.assert_array_equal(confusion_counts(labels, probabilities), expected)


def test_small_label_types_do_not_overflow():
    labels, probabilities = np.full(3, 99, np.uint8), np.eye(101)[[100, 99, 99]]
    counts = confusion_counts(labels, probabilities)
    assert (counts[99, 100], counts[99, 99], counts.sum()) == (1, 2, 3)


def test_confused_pairs_leave_out_right_answers_and_zeros():
    counts = np.array([[9, 0, 2], [5, 8, 1], [0, 0, 7]])
    assert confused_pairs(counts, 10) == [(1, 0, 5), (0, 2, 2), (1, 2, 1)]
    assert confused_pairs(counts, 2) == [(1, 0, 5), (0, 2, 2)]
    assert confused_pairs(np.diag([3, 4]), 10) == []


def test_worst_mistakes_come_surest_first(run):
    mistakes = worst_mistakes(run["labels"], run["probabilities"], 10)
    assert [(m.image, m.truth, m.guess) for m in mistakes] == [(2, 2, 4), (11, 3, 0), (5, 1, 3)]
    assert (mistakes[0].p_guess, mistakes[0].p_truth) == pytest.approx((0.9, 0.025))
    assert [m.image for m in worst_mistakes(run["labels"], run["probabilities"], 2)] == [2, 11]


def test_least_sure_are_right_answers_only():
    labels, probabilities = (
        np.array([0, 1, 1, 0]),
        np.array([[0.9, 0.1], [0.4, 0.6], [0.6, 0.4], [0.7, 0.3]]),
    )
    assert [v.image for v in least_sure(labels, probabilities, 10)] == [1, 3, 0]


def test_strengths_raise_mistakes_and_survive_a_class_without_images():
    given = strengths(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 5]]))
    np.testing.assert_allclose(given, [[0.75, 0.12 + 0.88 * 0.5, 0], [0, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize(
    "right, total, low, high",
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_wilson_interval_equals_the_published_examples(right, total, low, high):
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (the last is its mirror of
    0/29).
    """
    assert wilson_interval(right, total) == pytest.approx((low, high), abs=5e-5)
