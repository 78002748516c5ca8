import re

import numpy as np
import pytest

from jconv.data import load
from jconv.scripts import prepare


def test_a_folder_is_packed_and_read_again(images, tmp_path, capsys):
    out = tmp_path / "new" / "records"
    assert prepare.main([str(images), "--out", str(out), "--shards", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"train: 11 images, 32x32x1; 2 files, [\d.]+ MiB", lines[0])
    assert re.fullmatch(r"test: 6 images, 32x32x1; 2 files, [\d.]+ MiB", lines[1])
    assert lines[2] == f"written: {out}/dataset.json and the files it counts"
    expected, data = load("folder", images), load("arrayrecord", out)
    for split in ("train", "test"):
        for a, b in zip(getattr(data, split), getattr(expected, split), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_share_is_held_out(images, tmp_path, capsys):
    words = ["--validation", "0.4", "--size", "20"]
    assert prepare.main([str(images), "--out", str(tmp_path / "out"), *words]) == 0
    data = load("arrayrecord", tmp_path / "out")
    assert len(data.train.labels) + len(data.validation.labels) == 11
    assert data.train.images.shape[1:] == (20, 20, 1)
    assert "validation: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--size", "0"], "--size 0: at least 1 was expected"),
        (["--shard-mib", "0"], "--shard-mib 0: at least 1 was expected"),
        (["--quality", "96"], "--quality 96: at most 95 was expected"),
        (["--validation", "1.5"], "--validation 1.5: at least 0 and less than 1 was expected"),
    ],
)
def test_wrong_options_are_named(words, error, images, tmp_path, capsys):
    assert prepare.main([str(images), "--out", str(tmp_path / "out"), *words]) == 2
    assert capsys.readouterr().err.startswith(f"error: {error}")
    assert not (tmp_path / "out").exists()


def test_damaged_images_are_named_by_flags(images, tmp_path, capsys):
    folder = tmp_path / "copy"
    for file in images.glob("*/*/*"):
        path = folder / file.relative_to(images)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.read_bytes())
    (folder / "train" / "dark" / "0.png").write_bytes(b"")
    words = [str(folder), "--out", str(tmp_path / "out")]
    assert prepare.main(words) == 2
    error = capsys.readouterr().err
    assert "dark/0.png: not a readable image" in error
    assert "1 of 17 images cannot be read; --skip-corrupt leaves them out" in error
    assert not (tmp_path / "out").exists()
    with pytest.warns(UserWarning, match="1 of 17 images cannot be read and are left out"):
        assert prepare.main([*words, "--skip-corrupt"]) == 0
    assert "train: 10 images" in capsys.readouterr().out


def test_what_is_there_is_not_overwritten(images, tmp_path, capsys):
    (tmp_path / "mine").write_text("")
    assert prepare.main([str(images), "--out", str(tmp_path)]) == 2
    assert "already exists and is not empty; choose another --out" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
