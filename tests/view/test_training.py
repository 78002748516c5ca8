import numpy as np
import pytest

from jconv.view.training import configuration, curves, duration, headline, history_keys

COUNTS = np.array([[30, 2], [1, 964]])


def test_the_headline_counts_the_answers(row):
    text = headline(
        COUNTS, [row(1), row(2, images_per_second=1000.0), row(3, images_per_second=9000.0)]
    )
    assert "<b>99.70%</b>" in text  # 994 of 997
    assert "<b>3</b>" in text and "wrong of 997 test images" in text
    assert "<b>99.1–99.9%</b>" in text
    assert "<b>3.8 s</b>" in text and "for 3 epochs" in text  # 3 × 1.25
    assert "<b>1,709</b>" in text  # the median


def test_without_history_the_headline_tells_no_time():
    text = headline(COUNTS, [])
    assert "99.70%" in text and "images/s" not in text and "epoch" not in text


def test_curves_hold_every_number(row):
    text = curves([row(1), row(2, test_loss=None, test_accuracy=float("nan"))])
    assert text.count("<svg") == 2
    assert text.count("<th>") == len(history_keys([row(1)])) == 9
    assert "<td>2.1000</td>" in text and "<td>50.00%</td>" in text and text.count("<td>–</td>") == 2


def test_one_epoch_is_a_point(row):
    assert "for 1 epoch<" in headline(COUNTS, [row(1)])
    assert "<svg" in curves([row(1)])


def test_no_history_is_said():
    text = curves([])
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
    text = configuration(
        {"model": "lenet5", "schedule": {"kind": "cosine", "warm up": {"steps": 97}}, "out": None}
    )
    assert (
        "<dt>schedule.warm up.steps</dt><dd>97</dd>" in text and "<dt>out</dt><dd>None</dd>" in text
    )
