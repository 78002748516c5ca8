import json

import pytest
from balanced_html import read

from jconv.errors import InputError
from jconv.train.options import TrainOptions
from jconv.train.run import (
    Run,
    keep_rows,
    open_run,
    read_config,
    read_rows,
    write_config,
    write_rows,
)

CONFIG = {"options": TrainOptions(epochs=7).to_dict(), "made_with": {"jax": "0"}}


def new_run(folder, config):
    folder.mkdir(parents=True, exist_ok=True)
    write_config(Run(folder), config)
    return Run(folder)


def test_a_run_is_opened_again(tmp_path):
    run = new_run(tmp_path / "runs" / "one", CONFIG)
    again = open_run(tmp_path / "runs" / "one")
    assert again == run
    assert read_config(again) == (TrainOptions(epochs=7), CONFIG)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match="absent: there is no such run folder"):
        open_run(tmp_path / "absent")
    with pytest.raises(InputError, match="has no config.json"):
        open_run(tmp_path)
    new_run(tmp_path / "run", CONFIG)
    with pytest.raises(
        InputError,
        match="has no weights.safetensors; was the training stopped.*jconv train --resume .*run",
    ):
        open_run(tmp_path / "run", "weights.safetensors")


@pytest.mark.parametrize(
    "text, words",
    [
        ("{", "config.json: is not the configuration of a run"),
        ("[]", "config.json: is not the configuration of a run"),
        ("{}", "config.json: is not the configuration of a run"),
        (
            json.dumps({"options": {**CONFIG["options"], "epochs": "x"}}),
            "config.json: epochs='x': a whole number was expected",
        ),
    ],
)
def test_a_wrong_config_is_named(tmp_path, text, words):
    run = new_run(tmp_path, CONFIG)
    run.config.write_text(text)
    with pytest.raises(InputError, match=words):
        read_config(run)


def test_rows_are_written_and_later_ones_dropped(tmp_path):
    run = new_run(tmp_path, CONFIG)
    assert read_rows(run) == []
    rows = [{"epoch": epoch, "step": 10 * epoch, "loss": 1 / epoch} for epoch in (1, 2, 3)]
    write_rows(run, rows)
    assert read_rows(run) == rows
    assert keep_rows(run, 29) == read_rows(run) == rows[:2]


def test_a_line_cut_short_does_not_count(tmp_path):
    run = new_run(tmp_path, CONFIG)
    row = {"epoch": 1, "step": 10}
    write_rows(run, [row])
    with run.metrics.open("a") as file:
        file.write('{"epoch": 2, "st')
    assert keep_rows(run, 50) == [row] == read_rows(run)


def test_metrics_that_are_no_json_are_named(tmp_path):
    run = new_run(tmp_path, CONFIG)
    run.metrics.write_text("epoch 1\n")
    with pytest.raises(InputError, match="metrics.jsonl: is not a file of metrics"):
        read_rows(run)


def test_a_notebook_shows_how_far_a_run_has_come(tmp_path):
    run = Run(tmp_path / "x<y>")
    run.folder.mkdir()
    assert read(run._repr_html_()).words == ["no epoch is complete", f"folder {run.folder}"]
    losses = {"train_loss": 0.75, "test_loss": 0.5, "test_accuracy": 0.875}
    write_rows(run, [{"epoch": 1, "step": 7, **losses, "seconds": 3.25}])
    page = read(run._repr_html_())
    assert page.words[0] == "87.50% of the test images are right" and len(page.named("svg")) == 2
    run.metrics.write_text("{'\n")
    (said,) = read(run._repr_html_()).words
    assert said.startswith(f"{run.metrics}: is not a file of metrics")
