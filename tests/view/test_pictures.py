import subprocess
import sys

import numpy as np
import pytest

from jconv.view.palette import PIXEL_RED
from jconv.view.pictures import accuracy_curve, confusion, loss_curve


def lines(figure):
    return {line.get_label().split()[0]: line for line in figure.axes[0].lines}


def test_loss_curve_draws_what_the_history_says(row):
    history = [row(epoch) for epoch in (1, 2, 3, 5)]
    drawn = lines(loss_curve(history))
    assert list(drawn["train"].get_xdata()) == [1, 2, 3, 5]
    assert list(drawn["test"].get_ydata()) == [r["test_loss"] for r in history]
    assert drawn["train"].get_label() == "train 0.4000"


def test_accuracy_curve_is_in_percent_and_has_no_tick_above_100(row):
    figure = accuracy_curve([row(1, test_accuracy=0.93), row(2, test_accuracy=1.0)])
    assert lines(figure)["test"].get_ydata() == pytest.approx([93, 100])
    assert max(figure.axes[0].get_yticks()) <= 100


@pytest.mark.parametrize("largest, scale", [(9.0, "linear"), (11.0, "log")])
def test_the_loss_axis_is_logarithmic_beyond_a_factor_of_ten(row, largest, scale):
    history = [row(1, train_loss=largest, test_loss=2.0), row(2, train_loss=1.0, test_loss=2.0)]
    assert loss_curve(history).axes[0].get_yscale() == scale


def test_a_loss_of_zero_keeps_the_axis_linear(row):
    assert (
        loss_curve([row(1, train_loss=5.0), row(2, train_loss=0.0)]).axes[0].get_yscale()
        == "linear"
    )


def test_numbers_that_are_missing_or_not_finite_are_left_out(row):
    losses = [2.0, None, float("nan"), float("inf"), 1.0]
    drawn = lines(loss_curve([row(epoch, test_loss=loss) for epoch, loss in enumerate(losses, 1)]))
    assert list(drawn["test"].get_xdata()) == [1, 5]


def test_a_curve_without_any_number_is_only_named(row):
    assert (
        lines(loss_curve([row(1, test_loss=None), row(2, test_loss=None)]))["test"].get_label()
        == "test"
    )


def test_confusion_pixels_show_true_classes_as_rows():
    counts = np.zeros((29, 29), int)
    counts[np.arange(29), np.arange(29)] = 3
    counts[7, 11] = 1
    counts[13] = 0  # a class without images
    pixels = confusion(counts).axes[0].images[0].get_array()
    assert pixels.shape == (29, 29, 4)
    np.testing.assert_allclose(pixels[7, 11], [*(c / 255 for c in PIXEL_RED), 0.12 + 0.88 * 0.5])
    assert pixels[11, 7, 3] == 0
    assert pixels[5, 5, 3] == 1
    assert (pixels[13, :, 3] == 0).all()


@pytest.mark.exhaustive
def test_matplotlib_waits_for_the_report_and_pyplot_for_ever():
    code = (
        "import sys, jconv, jconv.view\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import jconv.view.report\n"
        "assert 'matplotlib.figure' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
