"""Plans written and read: used, used with a word, ignored with a line, or refused."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from jconv import (
    Conv,
    Dense,
    Flatten,
    Lambda,
    LayerError,
    MaxPool,
    Relu,
    Residual,
    Sequential,
    load_plan,
    save_plan,
    tune,
    with_method,
)
from jconv.errors import InputError
from jconv.tuning.timing import Timing

NET = Sequential(
    conv1=Conv(4, 3, padding=1),
    relu1=Relu(),
    block1=Residual(Sequential(conv=Conv(4, 1)), then=Relu()),
    fl=Flatten(),
    fc=Dense(3),
)
SHAPE = (5, 4, 3)


def timer(runs, **settings):
    return {word: Timing(1.0, np.full(5, 1.0 if word == "auto" else 0.5)) for word in runs}


@pytest.fixture
def tuning():
    return tune(NET, SHAPE, 2, measure=timer)


@pytest.fixture
def plan(tuning, tmp_path):
    save_plan(tmp_path / "plan.json", tuning)
    return tmp_path / "plan.json"


def edit(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_plan_comes_back(plan, tuning):
    net, line = load_plan(plan, NET, SHAPE, batch=2, dtype="float32")
    assert net == tuning.net != NET and line is None
    assert load_plan(str(plan), with_method(NET, ("im2col",) * 3), list(SHAPE)) == (
        tuning.net,
        None,
    )
    assert not list(plan.parent.glob("*.unfinished"))


def test_what_it_was_measured_on_stands_beside_it(plan, tuning):
    about = json.loads(plan.read_text())
    assert (
        about["backend"] == "cpu"
        and about["device"] == jax.devices()[0].device_kind
        and about["jax"] == jax.__version__
    )
    assert (about["batch"], about["dtype"], about["in_shape"], about["format"]) == (
        2,
        "float32",
        [5, 4, 3],
        1,
    )
    assert len(about["measurements"]) == len(tuning.measurements)
    row = about["measurements"][0]
    assert (
        row["paths"] == ["conv1"]
        and row["name"] == "forward"
        and row["x"] == [2, 5, 4, 3]
        and row["k"] == [3, 3, 3, 4]
    )
    assert row["seconds"]["auto"] == 1.0 and row["gain"] == [2.0, 2.0, 2.0]


def test_settings_that_are_no_methods_of_convolutions_are_the_nets_own(tmp_path):
    pooled = Sequential(conv1=Conv(4, 3), pool=MaxPool(2), fl=Flatten(), fc=Dense(3))
    save_plan(tmp_path / "plan.json", tune(pooled, (6, 6, 3), 2, measure=timer))
    net, _ = load_plan(tmp_path / "plan.json", with_method(pooled, "im2col"), (6, 6, 3))
    assert dict(net.layers)["pool"].method == "im2col" and dict(net.layers)["conv1"].method == (
        "direct",
        "auto",
        "derived",
    )


@pytest.mark.parametrize(
    "fields, net, in_shape, words",
    [
        (
            {"backend": "tpu"},
            NET,
            SHAPE,
            "ignored, it was made for the backend tpu and this is cpu; `jconv tune` measures anew",
        ),
        (
            {},
            NET,
            (4, 5, 3),
            "ignored, it was made for images of (5, 4, 3) and these are (4, 5, 3); `jconv tune` "
            "measures anew",
        ),
        (
            {},
            Sequential(conv1=Conv(4, 3), fl=Flatten(), fc=Dense(3)),
            SHAPE,
            "ignored, it was made for another net; `jconv tune`",
        ),
        (
            {},
            Sequential(f=Lambda(abs), c=Conv(4, 3)),
            SHAPE,
            "ignored, it was made for another net; `jconv tune`",
        ),
    ],
    ids=["backend", "in_shape", "net", "a net that JSON cannot hold"],
)
def test_a_plan_of_something_else_is_ignored_with_a_line(plan, fields, net, in_shape, words):
    edit(plan, **fields)
    same, line = load_plan(plan, net, in_shape)
    assert same is net and line.startswith(f"{plan}: {words}") and "\n" not in line


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"jax": "0.1.2"}, f"jax 0.1.2, not {jax.__version__}"),
        ({"jaxlib": "0.1.2", "device": "abacus"}, "device abacus, not cpu; jaxlib 0.1.2, not "),
        ({"batch": 64}, "batch 64, not 2"),
        ({"dtype": "bfloat16"}, "dtype bfloat16, not float32"),
    ],
)
def test_a_plan_of_nearly_the_same_is_used_and_it_is_said(plan, tuning, fields, words):
    edit(plan, **fields)
    net, line = load_plan(plan, NET, SHAPE, batch=2, dtype="float32")
    assert (
        net == tuning.net
        and line.startswith(f"{plan}: used, but made with {words}")
        and "\n" not in line
    )
    assert line.endswith(": right in any case, maybe not the fastest; `jconv tune` measures anew")


def test_batch_and_dtype_do_not_matter_where_they_are_not_known(plan, tuning):
    edit(plan, batch=64, dtype="bfloat16")
    assert load_plan(plan, NET, SHAPE) == (tuning.net, None)


FIELDS = (
    "format",
    "net",
    "in_shape",
    "batch",
    "dtype",
    "backend",
    "device",
    "jax",
    "jaxlib",
    "measurements",
)


@pytest.mark.parametrize("name", FIELDS)
def test_a_missing_field_is_named(plan, name):
    about = json.loads(plan.read_text())
    assert set(about) == set(FIELDS)
    del about[name]
    plan.write_text(json.dumps(about))
    with pytest.raises(InputError) as caught:
        load_plan(plan, NET, SHAPE)
    assert str(caught.value) == f"{plan}: {name} is missing; `jconv tune` measures anew"


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"format": 2}, "format is 2, 1 was expected"),
        ({"format": True}, "format is true, 1 was expected"),
        (
            {"in_shape": [5, 4.0, 3]},
            "in_shape is [5, 4.0, 3], a list of whole numbers was expected",
        ),
        ({"in_shape": []}, "in_shape is [], a list of whole numbers was expected"),
        ({"batch": "2"}, 'batch is "2", a whole number was expected'),
        ({"batch": 0}, "batch is 0, a whole number was expected"),
        ({"backend": None}, "backend is null, a word was expected"),
        ({"jax": 10}, "jax is 10, a word was expected"),
        ({"net": "lenet5"}, 'net is "lenet5", the JSON of a net was expected'),
        ({"measurements": {}}, "measurements is {}, a list of objects was expected"),
        ({"measurements": [1]}, "measurements is [1], a list of objects was expected"),
        ({"net": {"class": "Conf"}}, "net: the net: unknown layer 'Conf'"),
        (
            {"net": {"class": "Conv", "features": 3}},
            "net: the net: Conv does not take these settings",
        ),
        ({"in_shape": [5, 5, 5, 5, 3]}, "net: conv1: "),
    ],
)
def test_an_ill_typed_field_is_named(plan, fields, words):
    edit(plan, **fields)
    with pytest.raises(InputError) as caught:
        load_plan(plan, NET, SHAPE)
    assert str(caught.value).startswith(f"{plan}: {words}") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "setting, words",
    [
        (
            {"method": "gemm"},
            "net: conv1: Conv does not take these settings: Conv: unknown method 'gemm'; use "
            "'auto', 'lax', 'im2col'",
        ),
        (
            {"method": ["auto", "auto"]},
            "net: conv1: Conv does not take these settings: Conv: method ('auto', 'auto') has 2 "
            "entries",
        ),
        (
            {"method": ["auto", "auto", "matmul"]},
            "net: conv1: method 'matmul' needs a window of one position and one group",
        ),
        ({"kernel": None}, "net: "),
    ],
)
def test_a_method_that_cannot_be_is_named_with_its_layer(plan, setting, words):
    about = json.loads(plan.read_text())
    about["net"]["layers"]["conv1"] |= setting
    plan.write_text(json.dumps(about))
    with pytest.raises(InputError) as caught:
        load_plan(plan, NET, SHAPE)
    assert str(caught.value).startswith(f"{plan}: {words}")


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "is not JSON"),
        ("plan", "is not JSON"),
        ("[1]", "holds a JSON list, a plan is an object"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path, text, words):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(InputError, match=f"plan.json: {words}"):
        load_plan(tmp_path / "plan.json", NET, SHAPE)


def test_a_file_cut_short_anywhere_is_refused(plan):
    text = plan.read_bytes().rstrip()
    for cut in range(0, len(text), 97):
        plan.write_bytes(text[:cut])
        with pytest.raises(
            InputError, match="plan.json: is not JSON .*it was cut short or damaged"
        ):
            load_plan(plan, NET, SHAPE)
    plan.write_bytes(text[:50] + b"\xff" + text[50:])
    with pytest.raises(InputError, match="plan.json: is not JSON"):
        load_plan(plan, NET, SHAPE)


def test_no_file_and_a_folder(tmp_path):
    for path in (tmp_path, tmp_path / "absent.json"):
        with pytest.raises(InputError, match="there is no such file; `jconv tune` writes one"):
            load_plan(path, NET, SHAPE)


def test_a_net_that_cannot_be_saved_leaves_no_file(tmp_path):
    net = Sequential(conv1=Conv(4, 3), f=Lambda(abs))
    with pytest.raises(LayerError, match="f: a Lambda holds a function and cannot be saved"):
        save_plan(tmp_path / "plan.json", tune(net, SHAPE, 2, measure=timer))
    assert not list(tmp_path.iterdir())


def test_layers_of_ones_own_are_read_back(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Twice(Conv):
        pass

    net = Sequential(twice=Twice(4, 3))
    tuning = tune(net, SHAPE, 2, measure=timer)
    save_plan(tmp_path / "plan.json", tuning)
    assert load_plan(tmp_path / "plan.json", net, SHAPE) == (tuning.net, None) and tuning.net != net
