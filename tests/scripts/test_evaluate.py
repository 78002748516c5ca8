import json
import shutil

import pytest

from jconv.scripts import evaluate


@pytest.fixture
def copied(run, tmp_path):
    return shutil.copytree(run, tmp_path / "run")


def test_it_measures_what_training_measured(run, capsys):
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert evaluate.main([str(run)]) == 0
    out = capsys.readouterr().out
    assert (
        f"6 test images: softmax loss {last['test_loss']:.4f}, accuracy {last['test_accuracy']:.2%}"
        in out
    )
    assert "dark" in out and "light" in out


def test_the_training_images_of_a_folder_that_moved(copied, images, tmp_path, capsys):
    moved = shutil.copytree(images, tmp_path / "moved")
    config = copied / "config.json"
    config.write_text(config.read_text().replace(str(images), "/where/it/was"))
    assert evaluate.main([str(copied)]) == 2
    assert "/where/it/was/train: there is no such folder" in capsys.readouterr().err
    assert evaluate.main([str(copied), "--split", "train", "--data-dir", str(moved)]) == 0
    assert "11 train images" in capsys.readouterr().out


def test_other_classes_are_refused(copied, images, tmp_path, capsys):
    moved = shutil.copytree(images, tmp_path / "moved")
    for split in ("train", "test"):
        (moved / split / "light").rename(moved / split / "bright")
    assert evaluate.main([str(copied), "--data-dir", str(moved)]) == 2
    assert (
        "knows the 2 classes dark, light, the images have the 2 classes bright, dark"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "name, words",
    [("weights.safetensors", "has no weights.safetensors"), ("config.json", "has no config.json")],
)
def test_a_missing_file_is_named(copied, name, words, capsys):
    (copied / name).unlink()
    assert evaluate.main([str(copied)]) == 2
    assert words in capsys.readouterr().err


def test_damaged_weights_are_named(copied, capsys):
    (copied / "weights.safetensors").write_bytes(b"123")
    assert evaluate.main([str(copied)]) == 2
    assert "weights.safetensors: not a whole safetensors file" in capsys.readouterr().err


def test_a_missing_run_is_named(capsys):
    assert evaluate.main(["nowhere"]) == 2
    assert (
        capsys.readouterr().err
        == "error: nowhere: there is no such run folder; `jconv train` writes one under runs/\n"
    )


def test_images_that_a_program_gave_are_to_be_named(copied, images, capsys):
    config = copied / "config.json"
    config.write_text(config.read_text().replace('"data": "folder"', '"data": "given"'))
    assert evaluate.main([str(copied)]) == 2
    assert "these images were given by a program" in capsys.readouterr().err
    assert evaluate.main([str(copied), "--data", "folder", "--data-dir", str(images)]) == 0
    assert "6 test images" in capsys.readouterr().out


def test_a_split_that_there_is_not(run, capsys):
    assert evaluate.main([str(run), "--split", "validation"]) == 2
    assert "--split validation: this run held out no images" in capsys.readouterr().err
