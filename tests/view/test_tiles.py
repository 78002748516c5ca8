import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from jconv.view.answers import Mistakes, Tile
from jconv.view.palette import PIXEL_BLUE, PIXEL_RED
from jconv.view.templates import render
from jconv.view.tiles import Picture, filter_tiles, image_tile


def pixels(tile: Picture) -> np.ndarray:
    """The picture, as the browser would see it."""
    data = re.fullmatch(r"data:image/\w+;base64,(.+)", tile.src).group(1)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_a_small_colour_image_is_kept_exactly(rng):
    image = rng.integers(0, 256, (7, 5, 3)).astype(np.uint8)
    np.testing.assert_array_equal(pixels(image_tile(image / 255, "")), image)


def test_other_channel_counts_become_gray(rng):
    image = rng.random((7, 5, 2))
    np.testing.assert_array_equal(pixels(image_tile(image, "")), np.rint(255 * image.mean(-1)))
    assert pixels(image_tile(image[..., :1], "")).shape == (7, 5)


def test_values_out_of_range_are_clipped():
    assert pixels(image_tile(np.array([-3.0, 0.2, 7.0, np.nan]).reshape(2, 2, 1), "")).tolist() == [
        [0, 51],
        [255, 0],
    ]


def test_a_large_image_is_reduced_and_stays_small_in_bytes(rng):
    tile = image_tile(rng.random((331, 499, 3)), "")  # noise: the worst case
    assert pixels(tile).shape == (85, 128, 3)
    assert len(tile.src) < 30_000
    assert tile.kind == "photo"


def test_words_are_escaped_in_the_page(rng):
    tile = Tile(image_tile(rng.random((3, 2, 1)), '"><b>'), "ant", "bee", False, "50%")
    text = render("mistakes.html", mistakes=Mistakes("", "", [tile]))
    assert text.count("&#34;&gt;&lt;b&gt;") == 3 and '"><b>"' not in text


def test_colour_filters_are_scaled_by_their_own_largest_weight(rng):
    kernel = rng.normal(size=(5, 3, 3, 2))
    for o, tile in enumerate(filter_tiles(kernel, 11)):
        weights = kernel[..., o] / np.abs(kernel[..., o]).max()
        np.testing.assert_array_equal(pixels(tile), np.rint(255 * (0.5 + 0.5 * weights)))


def test_gray_filters_are_blue_above_zero_and_red_below():
    kernel = np.array([[2.0, -1.0, 0.0]]).reshape(1, 3, 1, 1)
    (tile,) = filter_tiles(kernel, 11)
    above, below, zero = pixels(tile)[0].tolist()
    assert (above, below, zero[3]) == ([*PIXEL_BLUE, 255], [*PIXEL_RED, 128], 0)
    assert tile.title == "filter 0: weights up to ±2"


def test_other_input_channels_become_one_tile_a_slice(rng):
    tiles = filter_tiles(rng.normal(size=(3, 3, 2, 5)), 7)
    assert [tile.alt for tile in tiles[:3]] == [
        "filter 0, input channel 0",
        "filter 0, input channel 1",
        "filter 1, input channel 0",
    ]
    assert len(tiles) == 7


@pytest.mark.parametrize("channels, expected", [(1, 0), (3, 128)])
def test_a_filter_of_zeros_has_a_picture(channels, expected):
    (tile,) = filter_tiles(np.zeros((3, 3, channels, 1)), 5)
    assert (pixels(tile)[..., -1] == expected).all()


def test_a_filter_larger_than_any_thumbnail_keeps_its_transparency(rng):
    (tile,) = filter_tiles(rng.normal(size=(71, 67, 1, 1)), 5)
    assert pixels(tile).shape == (71, 67, 4)
