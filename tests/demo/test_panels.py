from base64 import b64decode

import jax
import numpy as np
import pytest

from jconv import (
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    MaxPool,
    Relu,
    Residual,
    Sequential,
    walk,
)
from jconv.analysis import backward
from jconv.demo.panels import (
    as_filters,
    as_gradient,
    as_image,
    as_maps,
    layer_maps,
    layer_rows,
    packed,
    parameters_in_words,
    settings_in_words,
)

NET = Sequential(
    conv1=Conv(8, 5, stride=2, padding=1),
    block=Residual(Sequential(conv=Conv(8, 3, padding=1, bias=False), norm=BatchNorm())),
    pool=MaxPool(3, 2),
    flatten=Flatten(),
    fc=Dense(10),
)
SHAPE = (16, 12, 3)


def unpacked(maps, dtype=np.int8):
    """The values that a page makes of them, in units of the largest."""
    shape = (maps["shown"], maps["height"], maps["width"])
    values = np.frombuffer(b64decode(maps["data"]), dtype)
    return values.reshape(*shape, 3) if maps["colour"] else values.reshape(shape)


def test_maps_come_back_to_a_byte(rng):
    values = rng.normal(size=(5, 7, 3)).astype(np.float32)
    maps = as_maps(values)
    back = unpacked(maps) * (maps["largest"] / 127)
    assert np.abs(back - values.transpose(2, 0, 1)).max() <= maps["largest"] / 254 + 1e-6
    assert maps["count"] == 3
    assert maps["min"] == pytest.approx(values.min()) and maps["max"] == pytest.approx(values.max())


def test_features_are_maps_of_a_pixel_and_matrices_one_map(rng):
    assert unpacked(as_maps(np.arange(4.0))).tolist() == [[[0]], [[42]], [[85]], [[127]]]
    kernel = rng.normal(size=(6, 4))
    assert (as_filters(kernel)["height"], as_filters(kernel)["width"]) == (4, 6)


def test_filters_of_colours_are_colours_and_others_slices(rng):
    kernel = rng.normal(size=(3, 3, 3, 5))
    first = as_filters(kernel)
    assert first["colour"] and unpacked(first, np.uint8).shape == (5, 3, 3, 3)
    where = np.unravel_index(np.abs(kernel).argmax(), kernel.shape)
    strongest = unpacked(first, np.uint8)[where[3], where[0], where[1], where[2]]
    assert strongest == (255 if kernel[where] > 0 else 0)
    deeper = as_filters(kernel[:, :, :2])
    assert not deeper["colour"] and deeper["count"] == 10
    expected = kernel[:, :, 1, 3] * 127 / deeper["largest"]
    assert np.abs(unpacked(deeper)[3 * 2 + 1] - expected).max() <= 0.51


def test_large_layers_are_shown_in_part_and_counted_in_whole():
    maps = packed(np.ones((512, 200, 150), np.float32))
    assert maps["count"] == 512
    assert maps["shown"] * maps["height"] * maps["width"] <= 2**15
    assert max(maps["height"], maps["width"]) <= 64
    wide = packed(np.ones((1, 4096, 9216), np.float32))
    assert wide["shown"] * wide["height"] * wide["width"] <= 2**15


def test_numbers_that_are_none_do_not_break_a_message():
    maps = packed(np.array([[[np.nan, np.inf, 1.0]]]))
    assert maps["min"] is None and maps["max"] is None
    assert packed(np.zeros((2, 3, 3)))["largest"] == 0


def test_images_are_bytes_of_colour(rng):
    gray = rng.integers(0, 256, (5, 7, 1), dtype=np.uint8)
    data = np.frombuffer(b64decode(as_image(gray)["data"]), np.uint8).reshape(5, 7, 3)
    assert (data == gray).all()
    assert as_image(np.zeros((224, 224, 3), np.uint8))["height"] == 56
    assert as_gradient(rng.normal(size=(5, 7, 3)))["colour"]
    assert not as_gradient(rng.normal(size=(5, 7, 1)))["colour"]


def test_rows_say_what_each_layer_is():
    rows = {row["path"]: row for row in layer_rows(NET, SHAPE)}
    assert rows["conv1"]["settings"] == "filters 5×5×3, stride 2, padding 1"
    assert rows["conv1"]["parameters"] == "8×5×5×3 + 8 = 608"
    assert rows["block/body/conv"]["parameters"] == "8×3×3×8 = 576"
    assert rows["block/body/norm"]["parameters"] == "8 + 8 = 16"
    assert rows["pool"]["settings"] == "windows 3×3, stride 2"
    assert rows["fc"]["parameters"] == "10×48 + 10 = 490"
    assert rows["flatten"]["parameters"] == ""


def test_words_of_unusual_windows():
    assert settings_in_words(AvgPool((2, 3), (1, 2)), (8, 8, 1)) == "windows 2×3, stride 1×2"
    conv = Conv(4, 3, dilation=2, groups=2, padding=((0, 1), (2, 2)))
    assert settings_in_words(conv, (9, 9, 4)) == (
        "filters 3×3×2, stride 1, padding 0/1/2, dilation 2×2"
    )
    assert parameters_in_words(next(iter(walk(Relu(), (3,))))) == ""


def test_every_layer_shows_what_its_row_leaves_room_for():
    params, state = NET.init(jax.random.key(0), SHAPE)
    x = jax.random.normal(jax.random.key(1), (1, *SHAPE))
    seen = jax.device_get(backward(NET, params, state, x, lambda y: y.sum()))
    rows = layer_rows(NET, SHAPE)
    for row, maps in zip(rows, layer_maps(NET, SHAPE, params, seen), strict=True):
        assert maps.keys() == row["sizes"].keys()
        for name, size in row["sizes"].items():
            assert {key: maps[name][key] for key in size} == size
