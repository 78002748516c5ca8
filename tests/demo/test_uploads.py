import io

import jax
import numpy as np
import pytest
from PIL import Image

from jconv import Conv, Dense, Flatten, InputError, Residual, Sequential
from jconv.data import digits
from jconv.demo.uploads import (
    drawn_image,
    json_object,
    read_snapshot,
    uploaded_image,
    write_snapshot,
)
from jconv.weights import Weights


def as_file(array, form="PNG"):
    file = io.BytesIO()
    Image.fromarray(np.asarray(array, np.uint8)).save(file, form)
    return file.getvalue()


def test_an_image_is_cut_and_resized_as_the_net_takes_it(rng):
    pixels = rng.integers(0, 256, (40, 60, 3))
    assert uploaded_image(as_file(pixels), (32, 32, 1)).shape == (32, 32, 1)
    same = uploaded_image(as_file(pixels), (40, 60, 3))
    assert (same == pixels).all()


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "format"),
        (b"%PDF-1.4", "format"),
        (as_file(np.random.default_rng(0).integers(0, 256, (40, 40, 3)))[:900], "readable image"),
        (as_file(np.zeros((8, 8, 3)), "PPM"), "format"),
    ],
    ids=["empty", "svg", "pdf", "cut short", "ppm"],
)
def test_what_is_no_image_is_refused(data, words):
    with pytest.raises(InputError, match=words):
        uploaded_image(data, (32, 32, 3))


def test_fifty_megapixels_are_refused_before_they_are_decoded():
    file = io.BytesIO()
    Image.new("1", (10_000, 5_000)).save(file, "PNG")
    with pytest.raises(InputError, match="10000x5000"):
        uploaded_image(file.getvalue(), (32, 32, 3))


def test_a_drawing_is_brought_to_the_middle():
    canvas = np.zeros((280, 280))
    canvas[10:110, 150:170] = 255  # a stroke in a corner
    drawn = drawn_image(as_file(canvas), (32, 32, 1))[..., 0]
    rows, columns = np.nonzero(drawn > 127)
    assert abs(rows.mean() - 15.5) < 1 and abs(columns.mean() - 15.5) < 1
    assert 22 <= np.ptp(rows) <= 26  # as tall as the digits are


def test_drawings_are_as_large_as_the_digits():
    """So that a net that knows those knows these."""
    images = digits().train.images[..., 0] > 127
    heights = [np.ptp(np.nonzero(image)[0]) for image in images]
    assert 20 <= np.median(heights) <= 31


def test_an_empty_drawing_is_refused():
    with pytest.raises(InputError, match="nothing is drawn"):
        drawn_image(as_file(np.zeros((9, 9))), (32, 32, 1))


@pytest.fixture
def weights():
    net = Sequential(conv=Conv(4, 3), flatten=Flatten(), fc=Dense(3))
    params, state = net.init(jax.random.key(0), (8, 8, 1))
    return Weights(net, (8, 8, 1), ("a", "b", "c"), params, state)


@pytest.mark.parametrize("form", ["jconv", "convnetjs"])
def test_snapshots_come_back(weights, form, close):
    back = read_snapshot(write_snapshot(weights, form))
    x = np.ones((2, 8, 8, 1), np.float32)
    close(
        back.net.apply(back.params, back.state, x)[0],
        weights.net.apply(weights.params, weights.state, x)[0],
        1e-6,
    )
    assert back.class_names == weights.class_names


def test_a_snapshot_may_begin_with_any_length(weights):
    """The first of its bytes may be that of a space, or of a brace."""
    data = write_snapshot(weights, "jconv")
    header = data[8 : 8 + int.from_bytes(data[:8], "little")]
    for low in (0x20, 0x7B):
        padded = header.ljust((len(header) // 256 + 1) * 256 + low)
        changed = len(padded).to_bytes(8, "little") + padded + data[8 + len(header) :]
        assert changed[0] == low
        assert read_snapshot(changed).class_names == weights.class_names


def test_a_net_that_convnetjs_does_not_know_is_refused_in_words(weights):
    net = Sequential(block=Residual(Conv(1, 3, padding=1)), flatten=Flatten(), fc=Dense(3))
    params, state = net.init(jax.random.key(0), (8, 8, 1))
    with pytest.raises(InputError) as error:
        write_snapshot(weights._replace(net=net, params=params, state=state), "convnetjs")
    assert "branches" in str(error.value) and "/tmp" not in str(error.value)


@pytest.mark.parametrize("data", [b"", b"{}", b"nothing", b'{"layers": 3}', b"\x00" * 100])
def test_what_is_no_snapshot_is_refused_without_a_path(data):
    with pytest.raises(InputError) as error:
        read_snapshot(data)
    assert "the snapshot" in str(error.value) and "/tmp" not in str(error.value)


@pytest.mark.parametrize("data", [b"", b"[1]", b"{", b"[" * 100_000, b"\xff"])
def test_what_is_no_object_is_refused(data):
    with pytest.raises(InputError):
        json_object(data)
