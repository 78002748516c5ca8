import numpy as np
from PIL import Image

from jconv.scripts import dense, predict


def test_the_map_of_a_larger_image(run, tmp_path, rng, capsys):
    Image.fromarray(rng.integers(0, 256, (44, 40), np.uint8)).save(tmp_path / "page.png")
    out = tmp_path / "map.png"
    assert dense.main([str(run), str(tmp_path / "page.png"), "--out", str(out)]) == 0
    assert "3x4 positions, 4 pixels apart" in capsys.readouterr().out.replace("\n", " ")
    with Image.open(out) as drawn:
        assert drawn.size[0] > 500
    assert [f.name for f in tmp_path.iterdir() if "unfinished" in f.name] == []
    assert dense.main([str(run), str(tmp_path / "page.png"), "--stride", "2", "--out", str(out)]) == 0
    assert "5x7 positions, 2 pixels apart" in capsys.readouterr().out


def test_at_the_nets_own_size_it_says_what_predict_says(run, images, tmp_path, capsys):
    file = str(images / "test" / "light" / "0.png")
    assert predict.main([str(run), file]) == 0
    expected = [line.split()[-1] for line in capsys.readouterr().out.splitlines() if "%" in line]
    assert dense.main([str(run), file, "--out", str(tmp_path / "map.png")]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if "%" in line] == expected


def test_a_colour_image_is_changed_to_the_nets_gray(run, tmp_path, rng):
    Image.fromarray(rng.integers(0, 256, (33, 35, 3), np.uint8)).save(tmp_path / "photo.png")
    assert dense.main([str(run), str(tmp_path / "photo.png"), "--out", str(tmp_path / "map.png")]) == 0


def test_what_is_wrong_is_said(run, tmp_path, rng, capsys):
    Image.fromarray(rng.integers(0, 256, (31, 64), np.uint8)).save(tmp_path / "small.png")
    for arguments, words in (
        ([str(tmp_path / "small.png")], "small.png: is 64x31, at least 32x32 was expected"),
        ([str(tmp_path / "none.png")], "none.png: there is no such file"),
    ):
        assert dense.main([str(run), *arguments]) == 2
        assert words in capsys.readouterr().err
    Image.fromarray(rng.integers(0, 256, (40, 40), np.uint8)).save(tmp_path / "page.png")
    assert dense.main([str(run), str(tmp_path / "page.png"), "--stride", "3"]) == 2
    assert "stride=3 does not divide the net's total stride (4, 4)" in capsys.readouterr().err
    assert dense.main([str(run), str(tmp_path / "page.png"), "--out", str(tmp_path / "absent" / "map.png")]) == 2
    assert "cannot be written" in capsys.readouterr().err
