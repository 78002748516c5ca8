import re

import numpy as np
import pytest
from PIL import Image

from jconv.scripts import visualize

NET = "INPUT12x10x3 -> CONV3-4 -> RELU -> POOL2 -> FC-3"


@pytest.fixture
def image(tmp_path, rng):
    path = tmp_path / "image.png"
    Image.fromarray(rng.integers(0, 256, (12, 10, 3), np.uint8)).save(path)
    return str(path)


def size_of(path) -> tuple[int, int]:
    with Image.open(path) as drawn:
        return drawn.size


@pytest.mark.sweep(2)
@pytest.mark.parametrize("what", ["filters", "confusion", "curves", "diagram", "bars"])
def test_pictures_of_a_run(run, tmp_path, capsys, what):
    out = tmp_path / "new" / f"{what}.png"
    assert visualize.main([what, str(run), "--out", str(out)]) == 0
    assert f"{what}: {out}" in capsys.readouterr().out.replace("\n", "")
    assert min(size_of(out)) > 150 and [p.name for p in out.parent.iterdir()] == [out.name]


@pytest.mark.sweep(2)
@pytest.mark.parametrize("what", sorted(visualize.OF_IMAGES - {"dense"}))
def test_pictures_of_an_image(image, tmp_path, capsys, what):
    out = tmp_path / f"{what}.svg"
    assert visualize.main([what, NET, image, "--out", str(out)]) == 0
    assert "<svg" in out.read_text()
    drawn = "freshly drawn ones are shown" in capsys.readouterr().out
    assert drawn == (what != "field")  # which needs none


@pytest.mark.exhaustive
@pytest.mark.parametrize("what", sorted(visualize.OF_IMAGES))
def test_a_run_has_images_of_its_own(run, tmp_path, what):
    out = tmp_path / f"{what}.png"
    assert visualize.main([what, str(run), "--index", "3", "--out", str(out)]) == 0
    assert min(size_of(out)) > 150


def test_a_run_shows_the_test_image_that_is_asked_for(run, images):
    options = visualize.Options(what="saliency", given=(str(run),), index=4)
    with Image.open(images / "test" / "light" / "1.png") as file:
        expected = np.asarray(file)
    np.testing.assert_array_equal(visualize.look(options)[1].image[..., 0], expected)


def test_a_class_is_asked_about_by_name_or_number(run):
    weights, subject = visualize.look(visualize.Options(what="saliency", given=(str(run),)))
    found = visualize.probabilities(subject)
    about = lambda wanted: visualize.class_of(found, weights.class_names, wanted)
    assert about("light")[0] == about("1")[0] == 1 and about("dark")[0] == 0
    assert about(None)[0] == int(found.argmax())
    assert about("light")[1] == f"light ({found[1]:.1%})"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["filtres", NET], "WHAT 'filtres': one of filters, activations, .* did you mean filters"),
        (["filters"], "no net given; name one: jconv visualize filters RUN, WEIGHTS or MODEL"),
        (["filters", "lenet6"], "lenet6: is no run, no file and no model; did you mean lenet5"),
        (["filters", "none/run"], "none/run: there is no such run folder"),
        (["filters", NET, "--layer", "conv9"], r"--layer conv9: no layer with filters .*\(conv1\)"),
        (["filters", "INPUT4x4x1 -> FC-2"], "this net has no 2-D convolution"),
        (["switches", "INPUT4x4x1 -> FC-2", "IMAGE"], "this net has no max pool"),
        (["field", "INPUT4x4x1 -> FC-2", "IMAGE"], "no layer of this net gives maps"),
        (["saliency", NET], "no image given; name one: jconv visualize saliency .* IMAGE"),
        (["saliency", NET, "none.png"], "none.png: there is no such file"),
        (["saliency", NET, "IMAGE", "--class", "3"], "--class 3: .* 0 to 2, was expected"),
        (["gradcam", NET, "IMAGE", "--layer", "nope"], "there is no layer 'nope'"),
        (["occlusion", NET, "IMAGE", "--size", "11"], "--size 11: at most 10"),
        (["field", NET, "IMAGE", "--layer", "conv1", "--position", "12", "0"], "12×10 positions"),
        (["diagram", NET, "IMAGE"], "diagram takes no image"),
        (["diagram", NET, "--out", "a.jpg"], "--out a.jpg: a name that ends in .png or .svg"),
        (["confusion", NET], "has no images of its own; name some: --data folder"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    image, tmp_path, monkeypatch, capsys, arguments, words
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    given = [image if word == "IMAGE" else word for word in arguments]
    assert visualize.main(given) == 2
    error = capsys.readouterr().err
    assert re.search(words, error.replace("\n", " ")), error
    assert not list((tmp_path / "here").iterdir())


def test_an_index_beyond_the_test_images_is_refused(run, capsys):
    assert visualize.main(["saliency", str(run), "--index", "6"]) == 2
    assert "--index 6: 0 to 5 was expected" in capsys.readouterr().err
