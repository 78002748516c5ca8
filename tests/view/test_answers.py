import re

import numpy as np
import pytest

from jconv.view.answers import (
    MOST_IMAGES,
    MOST_IN_TABLE,
    class_accuracy,
    confusion_matrix,
    mistakes,
)
from jconv.view.scores import confusion_counts


def cells(text: str) -> list[list[str]]:
    """The numbers of the table of counts, row by row."""
    body = re.search("<tbody>(.*?)</tbody>", text, re.DOTALL).group(1)
    return [re.findall("<td[^>]*>([^<]*)</td>", row) for row in body.split("<tr>")[1:]]


def names(count: int) -> list[str]:
    return [f"kind {k}" for k in range(count)]


def test_few_classes_give_a_table_of_counts():
    counts = np.array([[31, 2, 0], [0, 0, 0], [1234, 0, 7]])
    text = confusion_matrix(counts, names(3))
    assert cells(text) == [["31", "2", ""], ["", "", ""], ["1,234", "", "7"]]
    assert 'title="2 of 33 images of kind 0 were taken for kind 1"' in text


def test_many_classes_give_a_picture_and_the_pairs_mixed_up_most():
    counts = np.diag(np.full(MOST_IN_TABLE + 1, 5))
    counts[3, 17] = 2
    text = confusion_matrix(counts, names(MOST_IN_TABLE + 1))
    assert "<svg" in text and "<tbody>" not in text
    assert '<details open="">' in text and "<td>kind 3</td><td>kind 17</td><td>2</td>" in text


def test_without_mistakes_nothing_is_called_mixed_up():
    assert "mixed up" not in confusion_matrix(np.diag([3, 5]), names(2))


def test_class_accuracy_puts_the_worst_first_and_untested_classes_last():
    counts = np.array([[9, 1, 0, 0], [0, 0, 0, 0], [0, 3, 1, 0], [0, 0, 0, 7]])
    text = class_accuracy(counts, names(4))
    assert re.findall("<small>([^<]*)</small>", text) == ["1/4", "9/10", "7/7", "0/0"]
    assert re.findall(r"width: ([\d.]+%)", text) == ["25.0%", "90.0%", "100.0%"]
    assert text.index("kind 3") < text.index("kind 1</span>") and "<span>untested</span>" in text


def test_a_thousand_classes_say_what_is_not_shown():
    text = class_accuracy(np.diag(np.arange(1000)), names(1000))
    assert "The 120 worst of 1,000 classes are shown." in text and text.count("<small>") == 120


def test_mistakes_are_shown_surest_first(run):
    text = mistakes(run["images"], run["labels"], run["probabilities"], run["class_names"])
    assert "All 3 wrong answers" in text
    assert re.findall(
        r"true <b>(\w+)</b></div><div>said <b class=\"wrong\">(\w+)</b></div><div>([\d.]+%) sure",
        text,
    ) == [
        ("cow", "elk", "90.0%"),
        ("dog", "ant", "70.0%"),
        ("bee", "dog", "60.0%"),
    ]
    assert "test image 2: true cow (2.5%), predicted elk (90.0%)" in text


def test_one_mistake_is_not_called_all(run):
    probabilities = run["probabilities"].copy()
    probabilities[[2, 5]] = probabilities[[6, 9]]
    assert "The only wrong answer, with" in mistakes(
        run["images"], run["labels"], probabilities, run["class_names"]
    )


def test_without_mistakes_the_least_sure_right_answers_are_shown(run):
    probabilities = run["probabilities"].copy()
    probabilities[[2, 5, 11]] = probabilities[[6, 9, 7]]  # right answers of the same classes
    probabilities[13] = [0.1, 0.45, 0.15, 0.15, 0.15]
    text = mistakes(run["images"], run["labels"], probabilities, run["class_names"])
    assert "There is no mistake among the test images" in text and 'class="wrong"' not in text
    assert re.search(
        r'said <b class="right">bee</b></div><div>45\.0% sure', text
    ).start() < text.index("80.0% sure")


def test_more_mistakes_than_fit_are_counted(rng):
    labels, probabilities = np.zeros(53, int), np.tile([0.1, 0.9], (53, 1))
    text = mistakes(rng.random((53, 3, 2, 1)), labels, probabilities, names(2))
    assert (
        f"{MOST_IMAGES} of the 53 wrong answers" in text and text.count("<figure>") == MOST_IMAGES
    )


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '" onload="alert(1)', "$x_$", "猫", "a" * 300]
)
@pytest.mark.parametrize("classes", [5, MOST_IN_TABLE + 5])
def test_no_class_name_can_break_the_page(run, name, classes):
    probabilities = np.concatenate([run["probabilities"], np.zeros((17, classes - 5))], 1)
    counts = confusion_counts(run["labels"], probabilities)
    called = [name] * classes
    sections = [
        confusion_matrix(counts, called),
        class_accuracy(counts, called),
        mistakes(run["images"], run["labels"], probabilities, called),
    ]
    for text in sections:
        assert "<script" not in text and ' onload="' not in text
