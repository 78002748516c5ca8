import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from jconv.view.palette import PIXEL_BLUE, PIXEL_RED
from jconv.view.tiles import filter_tiles, image_tile


def pixels(tile: str) -> np.ndarray:
    """The picture in an <img>, as the browser would see it."""
    data = re.search(r'src="data:image/\w+;base64,([^"]+)"', tile).group(1)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_a_small_colour_image_is_kept_exactly(rng):
    image = rng.integers(0, 256, (7, 5, 3)).astype(np.uint8)
    np.testing.assert_array_equal(pixels(image_tile(image / 255)), image)


def test_other_channel_counts_become_gray(rng):
    image = rng.random((7, 5, 2))
    np.testing.assert_array_equal(pixels(image_tile(image)), np.rint(255 * image.mean(-1)))
    assert pixels(image_tile(image[..., :1])).shape == (7, 5)


def test_values_out_of_range_are_clipped():
    assert pixels(image_tile(np.array([-3.0, 0.2, 7.0, np.nan]).reshape(2, 2, 1))).tolist() == [
        [0, 51],
        [255, 0],
    ]


def test_a_large_image_is_reduced_and_stays_small_in_bytes(rng):
    tile = image_tile(rng.random((331, 499, 3)))  # noise: the worst case
    assert pixels(tile).shape == (85, 128, 3)
    assert len(tile) < 30_000
    assert 'class="photo"' in tile


def test_attributes_are_escaped(rng):
    assert "<b>" not in image_tile(rng.random((3, 2, 1)), alt='"><b>', title="<b>")


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
    assert "filter 0: weights up to ±2" in tile


def test_other_input_channels_become_one_tile_a_slice(rng):
    tiles = filter_tiles(rng.normal(size=(3, 3, 2, 5)), 7)
    assert [re.search('alt="([^"]+)"', tile).group(1) for tile in tiles[:3]] == [
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
