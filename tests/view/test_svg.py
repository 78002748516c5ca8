import matplotlib

from jconv.view.palette import LIGHT
from jconv.view.pictures import confusion, loss_curve
from jconv.view.svg import inline


def test_the_picture_is_a_part_of_the_page(row):
    svg = inline(loss_curve([row(1), row(2)]), 'loss & "epochs"')
    assert svg.startswith('<svg class="chart" role="img" aria-label="loss &amp; &#34;epochs&#34;"')
    assert svg.rstrip().endswith("</svg>")
    assert "http" not in svg and "<style" not in svg and "xmlns" not in svg
    assert 'viewBox="0 0 ' in svg and 'width="' not in svg.partition(">")[0]


def test_colours_follow_the_page(row):
    svg = inline(loss_curve([row(1), row(2)]), "")
    assert "var(--train)" in svg and "var(--right)" in svg and "var(--ink)" in svg
    assert not [colour for colour in LIGHT.values() if colour in svg]


def test_letters_stay_letters(row):
    assert ">train 1.0000</text>" in inline(loss_curve([row(1), row(2)]), "")


def test_the_same_history_gives_the_same_bytes(row):
    history = [row(1), row(2)]
    assert inline(loss_curve(history), "") == inline(loss_curve(history), "")


def test_pixels_keep_their_number(rng):
    svg = inline(confusion(rng.integers(0, 9, (31, 31))), "")
    assert 'width="31"' in svg and 'height="31"' in svg and "data:image/png;base64," in svg


def test_settings_of_matplotlib_are_left_as_they_were(row):
    before = dict(matplotlib.rcParams)
    inline(loss_curve([row(1)]), "")
    assert dict(matplotlib.rcParams) == before
