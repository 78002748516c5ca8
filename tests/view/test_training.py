import numpy as np
import pytest

from jconv.view.templates import render
from jconv.view.training import curves, duration, headline, history_keys, settings

COUNTS = np.array([[30, 2], [1, 964]])


def test_the_headline_counts_the_answers(row):
    facts = headline(
        COUNTS, [row(1), row(2, images_per_second=1000.0), row(3, images_per_second=9000.0)]
    )
    assert facts == [
        ("99.70%", "test accuracy"),  # 994 of 997
        ("3", "wrong of 997 test images"),
        ("99.1–99.9%", "likely range (95% interval)"),
        ("3.8 s", "for 3 epochs"),  # 3 × 1.25
        ("1,709", "training images/s"),  # the median
    ]
    text = render("headline.html", headline=facts)
    assert '<div class="hero"><b>99.70%</b><span>test accuracy</span></div>' in text
    assert text.count("hero") == 1


def test_without_history_the_headline_tells_no_time():
    words = " ".join(fact.what for fact in headline(COUNTS, []))
    assert "images/s" not in words and "epoch" not in words


def test_curves_hold_every_number(row):
    found = curves([row(1), row(2, test_loss=None, test_accuracy=float("nan"))])
    text = render("training.html", training=found)
    assert text.count("<svg") == 2 and "; test numbers are of images" in text
    assert text.count("<th>") == len(history_keys([row(1)])) == 9
    assert "<td>2.1000</td>" in text and "<td>50.00%</td>" in text and text.count("<td>–</td>") == 2


def test_one_epoch_is_a_point(row):
    assert headline(COUNTS, [row(1)])[3].what == "for 1 epoch"
    assert "<svg" in curves([row(1)]).loss


def test_no_history_is_said():
    text = render("training.html", training=curves([]))
    assert "not one epoch was trained" in text and "<svg" not in text


@pytest.mark.parametrize(
    "seconds, words",
    [
        (0.04, "0.0 s"),
        (17.26, "17.3 s"),
        (99.94, "99.9 s"),
        (99.96, "1 min 40 s"),
        (3599.6, "1 h 00 min"),
        (245, "4 min 05 s"),
        (11579, "3 h 12 min"),
    ],
)
def test_duration(seconds, words):
    assert duration(seconds) == words


def test_nested_settings_have_dotted_names():
    config = {"model": "lenet5", "schedule": {"kind": "cosine", "warm up": {"steps": 97}}}
    assert list(settings(config | {"out": None})) == [
        ("model", "lenet5"),
        ("schedule.kind", "cosine"),
        ("schedule.warm up.steps", "97"),
        ("out", "None"),
    ]
