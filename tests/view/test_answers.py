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
from jconv.view.templates import render


def names(count: int) -> list[str]:
    return [f"kind {k}" for k in range(count)]


def test_few_classes_give_a_table_of_counts():
    counts = np.array([[31, 2, 0], [0, 0, 0], [1234, 0, 7]])
    found = confusion_matrix(counts, names(3))
    texts = [[cell.text for cell in row] for row in found.rows]
    assert texts == [["31", "2", ""], ["", "", ""], ["1,234", "", "7"]]
    assert found.rows[0][1].title == "2 of 33 images of kind 0 were taken for kind 1"
    assert (found.rows[0][0].kind, found.rows[0][1].kind) == ("right strong", "wrong")
    text = render("confusion.html", confusion=found)
    assert text.count(" title=") == 3 + 3 + 9
    assert 'title="2 of 33 images of kind 0 were taken for kind 1">2</td>' in text


def test_many_classes_give_a_picture_and_the_pairs_mixed_up_most():
    counts = np.diag(np.full(MOST_IN_TABLE + 1, 5))
    counts[3, 17] = 2
    found = confusion_matrix(counts, names(MOST_IN_TABLE + 1))
    assert found.pairs == [("kind 3", "kind 17", "2")] and not found.rows
    text = render("confusion.html", confusion=found)
    assert "<svg" in text and "<tbody>" not in text
    assert "<details open>" in text and "<td>kind 3</td><td>kind 17</td><td>2</td>" in text


def test_without_mistakes_nothing_is_called_mixed_up():
    found = confusion_matrix(np.diag([3, 5]), names(2))
    assert "mixed up" not in render("confusion.html", confusion=found)


def test_class_accuracy_puts_the_worst_first_and_untested_classes_last():
    counts = np.array([[9, 1, 0, 0], [0, 0, 0, 0], [0, 3, 1, 0], [0, 0, 0, 7]])
    found = class_accuracy(counts, names(4))
    assert found.bars == [
        ("kind 2", "25.0%", "1/4"),
        ("kind 0", "90.0%", "9/10"),
        ("kind 3", "100.0%", "7/7"),
        ("kind 1", "", "0/0"),
    ]
    text = render("accuracy.html", accuracy=found)
    assert text.count("width: ") == 3 and text.count("<span>untested</span>") == 1


def test_a_thousand_classes_say_what_is_not_shown():
    found = class_accuracy(np.diag(np.arange(1000)), names(1000))
    assert "The 120 worst of 1,000 classes are shown." in found.hint and len(found.bars) == 120


def test_mistakes_are_shown_surest_first(run):
    found = mistakes(run["images"], run["labels"], run["probabilities"], run["class_names"])
    assert "All 3 wrong answers" in found.hint
    assert [(tile.truth, tile.guess, tile.right, tile.sure) for tile in found.tiles] == [
        ("cow", "elk", False, "90.0%"),
        ("dog", "ant", False, "70.0%"),
        ("bee", "dog", False, "60.0%"),
    ]
    text = render("mistakes.html", mistakes=found)
    assert 'alt="test image 2: true cow (2.5%), predicted elk (90.0%)"' in text
    assert 'true <b>cow</b></div><div>said <b class="wrong">elk</b></div><div>90.0% sure' in text


def test_one_mistake_is_not_called_all(run):
    probabilities = run["probabilities"].copy()
    probabilities[[2, 5]] = probabilities[[6, 9]]
    found = mistakes(run["images"], run["labels"], probabilities, run["class_names"])
    assert "The only wrong answer, with" in found.hint


def test_without_mistakes_the_least_sure_right_answers_are_shown(run):
    probabilities = run["probabilities"].copy()
    probabilities[[2, 5, 11]] = probabilities[[6, 9, 7]]  # right answers of the same classes
    probabilities[13] = [0.1, 0.45, 0.15, 0.15, 0.15]
    found = mistakes(run["images"], run["labels"], probabilities, run["class_names"])
    assert "There is no mistake among the test images" in found.hint
    assert all(tile.right for tile in found.tiles)
    assert [(tile.guess, tile.sure) for tile in found.tiles][:2] == [
        ("bee", "45.0%"),
        ("ant", "80.0%"),
    ]


def test_more_mistakes_than_fit_are_counted(rng):
    labels, probabilities = np.zeros(53, int), np.tile([0.1, 0.9], (53, 1))
    found = mistakes(rng.random((53, 3, 2, 1)), labels, probabilities, names(2))
    assert f"{MOST_IMAGES} of the 53 wrong answers" in found.hint
    assert len(found.tiles) == MOST_IMAGES


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '" onload="alert(1)', "$x_$", "猫", "a" * 300]
)
@pytest.mark.parametrize("classes", [5, MOST_IN_TABLE + 5])
def test_no_class_name_can_break_the_page(run, name, classes):
    probabilities = np.concatenate([run["probabilities"], np.zeros((17, classes - 5))], 1)
    counts = confusion_counts(run["labels"], probabilities)
    called = [name] * classes
    sections = [
        render("confusion.html", confusion=confusion_matrix(counts, called)),
        render("accuracy.html", accuracy=class_accuracy(counts, called)),
        render(
            "mistakes.html",
            mistakes=mistakes(run["images"], run["labels"], probabilities, called),
        ),
    ]
    for text in sections:
        assert "<script" not in text and ' onload="' not in text
