from pathlib import Path

from balanced_html import read

from jconv.train.telling import ROWS, shown, told

FOLDER = Path("runs") / "x<y>"


def epochs(count):
    """Rows of metrics."""
    return [
        {
            "epoch": i,
            "step": 11 * i,
            "train_loss": 2 / i,
            "train_accuracy": i / 20,
            "validation_loss": 3 / i,
            "validation_accuracy": None,
            "learning_rate": 0.1,
            "images_per_second": 1234.5,
            "seconds": 40.0 * i,
        }
        for i in range(1, count + 1)
    ]


def test_a_run_is_told_in_lines():
    assert [*told(FOLDER, epochs(4), 0.8125)] == [
        "81.25% of the test images are right",
        "4 epochs in 2 min 40 s",
        "epoch 4: train loss 0.5000, train accuracy 20.00%, validation loss 0.7500",
        "folder runs/x<y>",
    ]
    assert [*told(FOLDER, epochs(1), None)][0] == "1 epoch in 40.0 s"
    assert [*told(FOLDER, [], None)] == ["no epoch is complete", "folder runs/x<y>"]


def test_a_run_is_shown_with_curves_and_its_last_epochs():
    page = read(shown(FOLDER, epochs(ROWS + 3), 0.5))
    assert "folder runs/x<y>" in page.words and f"The last {ROWS} epochs of 13" in page.words
    assert [svg["aria-label"] for svg in page.named("svg")] == [
        "training and validation loss over epochs",
        "training and validation accuracy over epochs, in percent",
    ]
    assert len(page.named("tr")) == 1 + ROWS
    assert "Epochs" in read(shown(FOLDER, epochs(ROWS), 0.5)).words


def test_a_loss_that_is_not_finite_is_shown_as_well():
    rows = epochs(2)
    rows[-1]["train_loss"] = float("nan")
    assert "train loss nan" in [*told(FOLDER, rows, 0.1)][2]
    assert len(read(shown(FOLDER, rows, 0.1)).named("svg")) == 2
