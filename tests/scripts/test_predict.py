import jax.numpy as jnp
import numpy as np
from PIL import Image

from jconv.scripts import predict
from jconv.train import make_predict, probabilities
from jconv.weights import load_weights


def test_it_prints_the_classes_of_each_image_best_first(run, images, capsys):
    files = [images / "test" / "dark" / "0.png", images / "test" / "light" / "1.png"]
    assert predict.main([str(run), *map(str, files)]) == 0
    weights = load_weights(run / "weights.safetensors")
    pixels = np.stack([np.asarray(Image.open(file))[:, :, None] for file in files])
    expected = probabilities(
        np.asarray(make_predict(weights.net)(weights.params, weights.state, jnp.asarray(pixels)))
    )
    lines = [line for line in capsys.readouterr().out.splitlines() if "%" in line]
    ranked = [
        (weights.class_names[label], f"{row[label]:.2%}")
        for row in expected
        for label in np.argsort(-row)
    ]
    assert [tuple(line.split()[-2:]) for line in lines] == ranked


def test_any_image_is_made_to_fit(run, tmp_path, rng, capsys):
    Image.fromarray(rng.integers(0, 256, (41, 67, 3), np.uint8)).save(tmp_path / "photo.jpg")
    Image.fromarray(rng.integers(0, 2, (11, 7), np.uint8).astype(bool)).save(tmp_path / "bits.png")
    assert predict.main([str(run), str(tmp_path / "photo.jpg"), str(tmp_path / "bits.png")]) == 0
    assert capsys.readouterr().out.count("light") == 2


def test_wrong_files_are_named(run, tmp_path, capsys):
    (tmp_path / "text.png").write_text("no image")
    for path, words in (
        (tmp_path / "text.png", "text.png: not a readable image"),
        (tmp_path / "no.png", "no.png: there is no such file"),
    ):
        assert predict.main([str(run), str(path)]) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1


def test_no_images_and_no_run(run, tmp_path, capsys):
    assert predict.main([str(run)]) == 2
    assert "no images given; name some after the run folder" in capsys.readouterr().err
    assert predict.main([str(tmp_path / "absent"), "a.png"]) == 2
    assert "absent: there is no such run folder" in capsys.readouterr().err


def test_a_backend_that_is_not_there_is_one_line(run, capsys):
    assert predict.main([str(run), "a.png", "--backend", "gpu"]) == 2
    error = capsys.readouterr().err
    assert (
        error.startswith("error: --backend gpu: jax finds only cpu here") and error.count("\n") == 1
    )
