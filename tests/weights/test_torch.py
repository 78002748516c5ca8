"""PyTorch's checkpoints, read without torch."""

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny_torch import FILES, IMAGES, IN_SHAPE, NET, SCORES

from jconv import Conv, Dense, GlobalAvgPool, InputError, Sequential, Tap
from jconv.weights import About, read_weights
from jconv.weights.matching import explained, read_torch
from jconv.weights.stored import Storage, StoredArray, row_major
from jconv.weights.tensors import Tensors, natural, read_tensors


def read(name, net=NET):
    return read_weights(FILES / name, About(net=net, in_shape=IN_SHAPE))


def scores(weights):
    return weights.net.apply(weights.params, weights.state, jnp.asarray(IMAGES, jnp.float32))[0]


@pytest.mark.parametrize("name", ["tiny.pth", "tiny_legacy.th"])
def test_the_scores_are_those_of_torch(name, close):
    reading = read(name)
    close(scores(reading.weights), SCORES, 1e-6)
    assert reading.format == "PyTorch"
    how = {origin.path: (origin.source, origin.came, origin.how) for origin in reading.origins}
    assert how["conv1/kernel"] == ("conv1.weight", (4, 3, 3, 3), "OIHW to HWIO")
    assert how["fc/kernel"] == (
        "fc.weight",
        (5, 24),
        "transposed, inputs from (C, H, W) to (H, W, C)",
    )
    assert how["bn1/mean"] == ("bn1.running_mean", (4,), "")


def test_half_precision_is_read_as_float32(close):
    weights = read("tiny_bfloat16.pt").weights
    assert weights.params["fc"]["kernel"].dtype == jnp.float32
    close(scores(weights), SCORES, 2e-3)  # the parameters are exact, the fc's inputs as well


def test_what_wraps_the_parameters_is_said():
    notes = read("tiny_legacy.th").notes
    assert (
        "the parameters are under 'state_dict'; beside them are epoch, best_prec1, arch, "
        in (notes[0])
    )
    assert notes[1] == "every name begins with 'module.', which is left out"


def test_nothing_that_a_file_names_is_run(capfd):
    with pytest.raises(InputError, match=r"its pickle names (posix|nt|os)\.system, which is no"):
        read("tiny_hostile.pth")
    assert "broken" not in capfd.readouterr().out


def arrays():
    """The tiny file's arrays in memory."""
    return {name: a.read() for name, a in read_tensors(FILES / "tiny.pth").arrays.items()}


def written(tmp_path, found):
    path = tmp_path / "w.safetensors"
    save_file({name: np.ascontiguousarray(a) for name, a in found.items()}, path)
    return path


def test_safetensors_by_name_and_number(tmp_path, close):
    reading = read_weights(written(tmp_path, arrays()), About(net=NET, in_shape=IN_SHAPE))
    close(scores(reading.weights), SCORES, 1e-6)


def test_names_are_sorted_by_their_numbers():
    assert sorted(["a10", "a9", "b", "a"], key=natural) == ["a", "a9", "a10", "b"]


def test_a_net_that_is_not_given_is_asked_for():
    with pytest.raises(InputError, match="says nothing of a net; give the one that they are of"):
        read_weights(FILES / "tiny.pth")


def test_what_is_missing_and_left_over_is_listed(tmp_path):
    found = arrays()
    found.pop("fc.bias")
    with pytest.raises(InputError, match=r"dense layers of the net without a module: fc \("):
        read_weights(written(tmp_path, found), About(net=NET, in_shape=IN_SHAPE))
    found = arrays() | {"more.weight": np.zeros((2, 2), np.float32)}
    with pytest.raises(InputError, match=r"dense layers of the file without a layer: more \("):
        read_weights(written(tmp_path, found), About(net=NET, in_shape=IN_SHAPE))


TWICE = Sequential(a=Conv(3, 3, padding=1), b=Conv(3, 3, padding=1), c=Conv(2, 3, padding=1))


def tensors(tmp_path, shapes):
    rng = np.random.default_rng(0)
    path = tmp_path / "w.safetensors"
    save_file({name: rng.standard_normal(s).astype(np.float32) for name, s in shapes.items()}, path)
    kept = read_tensors(path).arrays
    return Tensors("file", {name: kept[name] for name in shapes})  # in this order


def test_what_order_leaves_open_is_not_guessed(tmp_path):
    one, last = (3, 3, 3, 3), (2, 3, 3, 3)
    shapes = {"z.weight": last, "z.bias": (2,)} | {
        f"{name}.{leaf}": shape
        for name in ("x", "y")
        for leaf, shape in (("weight", one), ("bias", (3,)))
    }
    found = tensors(tmp_path, shapes)
    with pytest.raises(InputError, match="several have one shape and stand in another order"):
        read_torch(found, TWICE, (5, 5, 3))
    reading = read_torch(found, TWICE, (5, 5, 3), {"y": "a", "x": "b"})
    sources = {origin.path: origin.source for origin in reading.origins}
    assert sources["a/kernel"] == "y.weight" and sources["c/bias"] == "z.bias"
    with pytest.raises(InputError, match=r"there is no 'q'; did you mean"):
        read_torch(found, TWICE, (5, 5, 3), {"q": "a"})


@pytest.mark.parametrize(
    "came, wanted, words",
    [
        ((10, 5), (5, 10), "; transposed it would fit"),
        ((3, 8, 5, 5), (8, 3, 5, 5), "; transposed it would fit"),
        ((3, 3, 4, 8), (8, 4, 3, 3), "; it lies as HWIO"),
        ((10, 800), (10, 1250), "; it takes 800 features"),
        ((7, 4, 3, 3), (8, 4, 3, 3), "; it has 7 classes or filters"),
        ((2,), (3,), ""),
    ],
)
def test_what_would_explain_another_shape(came, wanted, words):
    assert explained(came, wanted).startswith(words)


def test_arrays_that_reach_beyond_their_storage(tmp_path):
    path = tmp_path / "numbers"
    np.arange(6, dtype="<f4").tofile(path)
    storage = Storage(path, "it", 0, 24)
    assert row_major((2, 3)) == (3, 1)
    np.testing.assert_array_equal(
        StoredArray(storage, "<f4", (2, 2), 1, (3, 1)).read(), [[1, 2], [4, 5]]
    )
    with pytest.raises(InputError, match="reaches element 7 of it, which has 6"):
        StoredArray(storage, "<f4", (2, 3), 1, (3, 1)).check()
    with pytest.raises(InputError, match="repeats the 6 elements"):
        StoredArray(storage, "<f4", (9, 2), 0, (0, 1)).check()
    with pytest.raises(InputError, match="its checksum is another"):
        StoredArray(storage._replace(crc=1), "<f4", (6,), 0, (1,)).read()


@pytest.mark.parametrize("text", [b"", b"PK\x03\x04", b"\x80\x02K\x01.", b"no weights", b"\x80"])
def test_files_that_are_none(text, tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(text)
    with pytest.raises(InputError, match=r"w\.pth: "):
        read_weights(path, About(net=NET, in_shape=IN_SHAPE))


def test_heads_that_a_file_was_saved_without_are_drawn(tmp_path, close):
    head = Sequential(pool=GlobalAvgPool(), fc=Dense(9))
    net = Sequential(
        **{
            name: layer
            for n, layer_ in NET.children
            for name, layer in ((n, layer_), *([("aux", Tap("a", head, True))] * (n == "relu")))
        }
    )
    reading = read_weights(FILES / "tiny.pth", About(net=net, in_shape=IN_SHAPE))
    close(scores(reading.weights), SCORES, 1e-6)
    assert "has no auxiliary heads: those of the net are drawn" in reading.notes
    drawn = [origin.path for origin in reading.origins if origin.source == "drawn"]
    assert drawn == ["aux/body/fc/kernel", "aux/body/fc/bias"]


def test_names_that_a_known_family_has_too(tmp_path):
    net = Sequential(conv1=Conv(2, 1), conv2=Conv(3, 1), conv3=Conv(4, 1), fc=Conv(5, 1))
    shapes = {
        f"{name}.{leaf}": shape
        for name, (i, o) in {"conv1": (1, 2), "x": (2, 3), "bn1": (3, 4), "fc": (4, 5)}.items()
        for leaf, shape in (("weight", (o, i, 1, 1)), ("bias", (o,)))
    }
    reading = read_torch(tensors(tmp_path, shapes), net, (3, 3, 1))
    sources = {origin.path: origin.source for origin in reading.origins}
    assert sources["conv2/kernel"] == "x.weight" and sources["conv3/bias"] == "bn1.bias"
