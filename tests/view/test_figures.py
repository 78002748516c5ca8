"""Pictures of filters, switches, fields, heat and confusion, by what they draw."""

import jax
import numpy as np
import pytest
from matplotlib.colors import to_rgba

from jconv import Conv, Flatten, LayerError, MaxPool, Repeat, Sequential
from jconv.geometry import ReceptiveField
from jconv.view.attribution import heat_picture, smooth
from jconv.view.field import field_picture, seen_by
from jconv.view.filters import filter_picture, kernels_of
from jconv.view.frame import SERIES
from jconv.view.maps import score_map
from jconv.view.pictures import confusion
from jconv.view.switches import max_pools, switch_picture, switches_of


def test_switches_are_where_the_windows_largest_values_are(rng):
    net = Sequential(conv=Conv(3, 2), pool=MaxPool(3, 2, padding=1), more=MaxPool(2))
    x = rng.normal(size=(1, 8, 7, 2)).astype(np.float32)
    found = max_pools(net, *net.init(jax.random.key(0), x.shape[1:]), x)
    assert list(found) == ["pool", "more"]
    pool, given = found["pool"]
    switches = switches_of(pool, given)
    padded = np.pad(switches.maps, ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    rows, columns, channels = switches.rows.shape
    for i, j, c in np.ndindex(rows, columns, channels):
        window = padded[2 * i : 2 * i + 3, 2 * j : 2 * j + 3, c]
        assert switches.maps[switches.rows[i, j, c], switches.columns[i, j, c], c] == window.max()
    figure = switch_picture(switches, "pool")
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    np.testing.assert_array_equal(dots[0].get_xdata(), switches.columns[..., 0].ravel())


def test_a_pool_in_a_loop_is_found_with_its_first_input():
    net = Sequential(loop=Repeat(MaxPool(3, 1, padding=1), 2))
    x = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(max_pools(net, {}, {}, x)["loop/layer"][1], x)


def test_padding_that_holds_pixels_has_no_switches():
    pool = MaxPool(3, padding=1, padding_mode="reflect")
    with pytest.raises(LayerError, match="padding_mode='reflect'"):
        switches_of(pool, np.zeros((1, 4, 4, 1), np.float32))


def test_a_field_begins_where_arithmetic_says():
    fields = ReceptiveField(5, 2, -1), ReceptiveField(3, 4, 0)
    assert seen_by(fields, (3, 2)) == [(5, 5), (8, 3)]
    axes = field_picture(np.zeros((9, 13, 1)), fields, (3, 2), "conv").axes[0]
    box = axes.patches[0]
    assert (box.get_x(), box.get_y(), box.get_width(), box.get_height()) == (7.5, 4.5, 3, 5)
    assert axes.get_ylim()[0] >= 9.5  # what lies in the padding is to be seen


@pytest.mark.parametrize("channels, drawn", [(1, 7), (3, 7), (2, 14)])
def test_filters_are_one_picture_each_or_one_a_slice(rng, channels, drawn):
    figure = filter_picture(rng.normal(size=(3, 2, channels, 7)), "$conv$")
    assert len(figure.axes[0].images) == drawn
    assert figure.axes[0].texts[0].get_text() == f"$conv$: 7 filters of 3×2×{channels}"


def test_kernels_are_found_in_the_order_in_which_they_run():
    net = Sequential(zeta=Conv(3, 2), body=Sequential(alpha=Conv(4, 1)), flat=Flatten())
    params, _ = net.init(jax.random.key(0), (5, 5, 2))
    found = kernels_of(net, (5, 5, 2), params)
    assert {path: kernel.shape for path, kernel in found.items()} == {
        "zeta": (2, 2, 2, 3),
        "body/alpha": (1, 1, 3, 4),
    }
    assert list(found) == ["zeta", "body/alpha"]
    assert list(kernels_of(net["zeta"], (5, 5, 2), params["zeta"])) == [""]


def test_many_filters_say_what_is_left_out(rng):
    texts = filter_picture(rng.normal(size=(1, 1, 30, 40)), "conv").axes[0].texts
    assert "The first 24 of 40 filters, 24 of 30 channels." in texts[1].get_text()


def test_heat_lies_at_its_box_and_between_its_limits():
    image, heat = np.zeros((8, 6, 1)), np.array([[0.0, 0.5], [0.25, 1.0]])
    figure = heat_picture(image, heat, "$p$", box=(1, 2, 4, 4), limits=(0, 1), scale="p")
    drawn = figure.axes[1].images[0]
    assert tuple(drawn.get_extent()) == (0.5, 4.5, 5.5, 1.5)
    assert drawn.get_array()[0, 0, 0] < drawn.get_array()[1, 1, 0]
    assert figure.axes[1].get_title(loc="left") == "$p$"


def test_heat_over_an_image_has_its_size_and_leaves_what_is_cold_gray():
    heat = np.array([[0.0, 0.0], [0.0, 3.0]])
    assert smooth(heat, (8, 6)).shape == (8, 6)
    drawn = heat_picture(np.ones((8, 6, 3)), heat, "", over=True).axes[1].images[0].get_array()
    np.testing.assert_allclose(drawn[0, 0], [0.85] * 3, rtol=1e-6)
    assert np.ptp(drawn[-1, -1]) > 0.05


def test_no_heat_at_all_is_drawn():
    assert heat_picture(np.ones((4, 4, 1)), np.zeros((4, 4)), "").axes


def test_a_score_map_colours_the_classes_that_occur_and_names_them():
    probabilities = np.full((2, 3, 4), 0.0)
    probabilities[0, :, 2], probabilities[1, :, 1] = 1.0, 0.25
    probabilities[0, 0] = [0.25, 0.25, 0.3, 0.2]
    probabilities[1, 0] = [0.7, 0.1, 0.1, 0.1]
    figure = score_map(np.zeros((8, 9, 1)), probabilities, ("a", "b", "$c$", "d"))
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["$c$  50%", "b  33%", "a  17%"]
    pixels = figure.axes[1].images[0].get_array()
    np.testing.assert_allclose(pixels[0, 2], to_rgba(SERIES[0]), rtol=1e-6)
    assert pixels[0, 0, 3] < 0.25 < pixels[1, 0, 3] < 1


def test_beyond_ten_classes_the_rarer_ones_share_a_colour():
    probabilities = np.eye(14)[None]
    figure = score_map(np.zeros((3, 40, 3)), probabilities, [f"class {i}" for i in range(14)])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(texts) == 11 and texts[-1] == "4 further classes  29%"


def test_a_confusion_matrix_with_names_has_its_counts_written_in():
    counts = np.array([[5, 1], [0, 7]])
    axes = confusion(counts, ("$ant$", "bee")).axes[0]
    assert [text.get_text() for text in axes.texts] == ["5", "1", "7"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["$ant$", "bee"]
    assert not axes.get_yticklabels()[0].get_parse_math()
    assert not confusion(counts).axes[0].texts


def test_a_net_without_a_max_pool_has_no_switches():
    assert max_pools(Sequential(flat=Flatten()), {}, {}, np.zeros((1, 2, 2, 1))) == {}
    assert max_pools(Flatten(), {}, {}, np.zeros((1, 2, 2, 1))) == {}
