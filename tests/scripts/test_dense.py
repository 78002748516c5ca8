import jax
import numpy as np
import pytest
from PIL import Image

from jconv import Conv, Dense, Flatten, Sequential
from jconv.scripts import dense, predict
from jconv.weights import Weights, save_weights


@pytest.mark.exhaustive
def test_the_map_of_a_larger_image(run, tmp_path, rng, capsys):
    Image.fromarray(rng.integers(0, 256, (44, 40), np.uint8)).save(tmp_path / "page.png")
    out = tmp_path / "map.png"
    assert dense.main([str(run), str(tmp_path / "page.png"), "--out", str(out)]) == 0
    assert "3x4 positions, 4 pixels apart" in capsys.readouterr().out.replace("\n", " ")
    with Image.open(out) as drawn:
        assert drawn.size[0] > 500
    assert [f.name for f in tmp_path.iterdir() if "unfinished" in f.name] == []
    assert (
        dense.main([str(run), str(tmp_path / "page.png"), "--stride", "2", "--out", str(out)]) == 0
    )
    assert "5x7 positions, 2 pixels apart" in capsys.readouterr().out


def test_at_the_nets_own_size_it_says_what_predict_says(run, images, tmp_path, capsys):
    file = str(images / "test" / "light" / "0.png")
    assert predict.main([str(run), file]) == 0
    expected = [line.split()[-1] for line in capsys.readouterr().out.splitlines() if "%" in line]
    assert dense.main([str(run), file, "--out", str(tmp_path / "map.png")]) == 0
    assert [
        line.split()[0] for line in capsys.readouterr().out.splitlines() if "%" in line
    ] == expected


@pytest.mark.exhaustive
def test_compare_counts_and_times_the_crops_too(run, tmp_path, rng, capsys, monkeypatch):
    monkeypatch.setattr(dense, "AT_ONCE", 5)  # some batches whole, the last one not
    Image.fromarray(rng.integers(0, 256, (44, 43), np.uint8)).save(tmp_path / "page.png")
    arguments = [
        str(run),
        str(tmp_path / "page.png"),
        "--compare",
        "--out",
        str(tmp_path / "map.png"),
    ]
    for stride, crops, macs in ((), 4 * 3, 1_508_976), (("--stride", "2"), 7 * 6, 5_493_216):
        assert dense.main([*arguments, *stride]) == 0
        counts, rest = capsys.readouterr().out.splitlines()[-3:-1]
        whole = crops * 415_848  # LeNet-5's multiply-adds with two classes
        assert (
            f"dense: {macs:,} multiply-adds, " in counts
            and f"; {crops} crops: {whole:,}, " in counts
        )
        assert f"that is {whole / macs:.2f} times fewer and " in rest
        assert float(rest.split("scores differ by ")[1].split()[0]) < 1e-5  # LeNet-5 pads nothing


@pytest.mark.exhaustive
def test_compare_says_why_a_padded_net_differs(tmp_path, rng, capsys):
    net, in_shape = (
        Sequential(conv=Conv(3, 3, padding=1), flatten=Flatten(), fc=Dense(2)),
        (8, 8, 1),
    )
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    save_weights(
        folder / "weights.safetensors",
        Weights(net, in_shape, ("a", "b"), *net.init(jax.random.key(0), in_shape)),
    )
    Image.fromarray(rng.integers(0, 256, (11, 10), np.uint8)).save(tmp_path / "page.png")
    assert (
        dense.main(
            [
                str(folder),
                str(tmp_path / "page.png"),
                "--compare",
                "--out",
                str(tmp_path / "map.png"),
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "12 crops" in out and out.splitlines()[-2].endswith(
        ", as padding shows a crop zeros where the image goes on"
    )


def test_a_colour_image_is_changed_to_the_nets_gray(run, tmp_path, rng):
    Image.fromarray(rng.integers(0, 256, (33, 35, 3), np.uint8)).save(tmp_path / "photo.png")
    assert (
        dense.main([str(run), str(tmp_path / "photo.png"), "--out", str(tmp_path / "map.png")]) == 0
    )


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
    assert "--stride 3 does not divide the net's total stride (4, 4)" in capsys.readouterr().err
    assert (
        dense.main(
            [str(run), str(tmp_path / "page.png"), "--out", str(tmp_path / "page.png" / "map.png")]
        )
        == 2
    )
    printed = capsys.readouterr()
    assert "cannot be written" in printed.err and not printed.out  # before anything is computed


def test_the_folder_of_the_map_is_made(run, tmp_path, rng):
    Image.fromarray(rng.integers(0, 256, (40, 40), np.uint8)).save(tmp_path / "page.png")
    assert (
        dense.main(
            [str(run), str(tmp_path / "page.png"), "--out", str(tmp_path / "new" / "map.png")]
        )
        == 0
    )
    assert (tmp_path / "new" / "map.png").is_file()
