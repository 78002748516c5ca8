import pytest

from jconv.view.palette import DARK, LIGHT, css_variables


def test_every_colour_has_a_light_and_a_dark_value():
    assert LIGHT.keys() == DARK.keys()


def test_light_colours_differ_so_that_a_picture_can_be_recoloured():
    assert len(set(LIGHT.values())) == len(LIGHT)


def test_css_variables():
    text = css_variables({"ink": "#123456", "line": "#abcdef"})
    assert (
        text.startswith("--ink: #123456; --line: #abcdef;") and "--pixel-blue: 58 116 222;" in text
    )


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "muted", "right", "wrong"])
def test_text_colours_can_be_read_on_a_card(colours, name):
    """WCAG 2.2, success criterion 1.4.3: a contrast of at least 4.5."""
    bright, dim = sorted((luminance(colours[name]), luminance(colours["card"])), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= 4.5


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
