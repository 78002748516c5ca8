import numpy as np
import pytest
from PIL import Image

from jconv import InputError
from jconv.view.frame import canvas, pixels, shown, words, write_figure


def picture():
    figure, axes = canvas(2, 1)
    words(axes, 0.1, 0.5, "a $b$ <c>")
    pixels(axes, np.eye(3)[..., None].repeat(3, -1), (1, 0.2, 0.5, 0.5))
    return figure


def test_the_suffix_says_the_format(tmp_path):
    write_figure(picture(), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as drawn:
        assert drawn.size == (240, 120)
    write_figure(picture(), tmp_path / "b.SVG")
    text = (tmp_path / "b.SVG").read_text()
    assert "<svg" in text and "a $b$ &lt;c&gt;" in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.SVG"]


def test_the_same_picture_is_the_same_file(tmp_path):
    for name in ("a.svg", "b.svg"):
        write_figure(picture(), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_what_cannot_be_written_is_said_and_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="a name that ends in .png or .svg was expected"):
        write_figure(picture(), tmp_path / "a.jpg")
    with pytest.raises(InputError, match="cannot be written"):
        write_figure(picture(), tmp_path / "none" / "a.png")
    assert not list(tmp_path.iterdir())


def test_images_are_shown_in_gray_or_colour():
    assert shown(np.full((2, 2, 1), 255, np.uint8)).tolist() == [[[1, 1, 1]] * 2] * 2
    colour = np.array([[[0.2, 0.4, 3.0]]])
    np.testing.assert_allclose(shown(colour), [[[0.2, 0.4, 1.0]]])


def test_pixels_lie_in_their_box_and_leave_the_axes_alone():
    axes = picture().axes[0]
    assert tuple(axes.images[0].get_extent()) == (1, 1.5, 0.7, 0.2)
    assert axes.get_xlim() == (0, 2) and axes.get_ylim() == (1, 0)
