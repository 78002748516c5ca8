import dataclasses
import json
import re

import jax
import numpy as np
import pytest
from standalone_nets import CLASSES, NETS, SHAPE

from jconv import (
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    InputError,
    Lambda,
    LayerError,
    Relu,
    Repeat,
    Residual,
    Sequential,
    Tanh,
    Tap,
)
from jconv.data.pixels import PixelScale, scaled
from jconv.layers import BatchNorm, ContrastNorm, Scale
from jconv.view.standalone import compile_net, evaluate, page, write_standalone
from jconv.view.standalone.evaluation import KINDS
from jconv.view.standalone.page import drawing_like
from jconv.view.standalone.steps import STEPS
from jconv.view.templates import browser_file
from jconv.weights import Weights

PIXELS = PixelScale((0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
SMALL = Sequential(pool=GlobalAvgPool(), fc=Dense(4))


@pytest.fixture
def weights(filled):
    def make(net, shape=SHAPE, classes=CLASSES):
        return Weights(net, shape, classes, *filled(net, shape), PIXELS)

    return make


def read(path):
    return json.loads(re.search(r'id="program">(.*?)</script>', path.read_text("utf-8"))[1])


@pytest.mark.parametrize("name", NETS)
def test_what_is_written_computes_what_the_net_does(name, weights, rng, tmp_path, close):
    given = weights(NETS[name])
    write_standalone(tmp_path / "net.html", given)
    images = rng.integers(0, 256, (3, *SHAPE), dtype=np.uint8)
    x = scaled(jax.numpy.asarray(images), PIXELS)
    y, _ = jax.jit(given.net.apply)(given.params, given.state, x)
    close(evaluate(tmp_path / "net.html", images), np.reshape(y, (3, -1)), 1e-5)


def test_the_nets_tried_have_every_kind_of_layer_and_operation(weights, tmp_path):
    layers, kinds = set(), set()
    for net in NETS.values():
        given = weights(net)
        program = compile_net(given.net, given.params, given.state, SHAPE)
        layers |= {operation.layer for operation in program.operations}
        kinds |= {operation.step.kind for operation in program.operations}
    silent = {"Flatten", "Identity", "Dropout", "DropPath"}
    assert layers == {kind.__name__ for kind in STEPS} - silent | {"Sum", "Concat", ""}
    assert kinds == set(KINDS)


def test_the_browser_knows_the_kinds_that_numpy_does():
    text = browser_file("engine.js").split("export const KINDS = {")[1]
    assert set(re.findall(r"^  (\w+)[,:]", text, re.M)) == set(KINDS)


def test_batch_norms_are_folded_and_what_is_not_read_is_left_out(weights):
    net = Sequential(
        conv=Conv(4, 3), bn=BatchNorm(), tap=Tap("t", Conv(2, 1)), pool=GlobalAvgPool()
    )
    given = weights(net)
    plain = compile_net(given.net, given.params, given.state, SHAPE)
    assert [o.path for o in plain.operations] == ["conv", "bn", "pool"]
    assert [o.inputs for o in plain.operations] == [(0,), (1,), (2,)]
    folded = page._program("p", given)
    assert [o.path for o in folded.operations] == ["conv", "pool"]
    assert folded.size == 3 * 3 * 3 * 4 + 4 + 1


@pytest.mark.parametrize(
    "layer, words",
    [
        (ContrastNorm(), "block/body: a page cannot compute ContrastNorm; layers that it can are"),
        (Lambda(lambda x: x), "block/body: a page cannot compute Lambda"),
        (Repeat(Relu(), 2), "block/body: a page cannot compute a loop"),
    ],
)
def test_a_layer_without_a_counterpart_is_named(layer, words, weights, tmp_path):
    net = Sequential(block=Residual(layer), pool=GlobalAvgPool(), fc=Dense(4))
    with pytest.raises(InputError, match=words):
        write_standalone(tmp_path / "net.html", weights(net))
    assert not list(tmp_path.iterdir())


def test_an_unknown_layer_derived_from_a_known_one_is_refused(weights, tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Twice(Tanh):
        def function(self, x):
            return 2 * x

    given = weights(Sequential(f=Twice(), pool=GlobalAvgPool(), fc=Dense(4)))
    with pytest.raises(LayerError, match="f: a page cannot compute Twice"):
        compile_net(given.net, given.params, given.state, SHAPE)


def test_nets_that_a_page_cannot_show_are_refused(weights, tmp_path, monkeypatch):
    path = tmp_path / "net.html"
    with pytest.raises(InputError, match=r"takes \(5, 3\); a page shows gray or colour images"):
        write_standalone(path, weights(Sequential(Flatten(), Dense(4)), (5, 3)))
    with pytest.raises(InputError, match=r"gives \(11, 9, 4\); 4 scores, one a class"):
        write_standalone(path, weights(Conv(4, 1)))
    monkeypatch.setattr(page, "LARGEST", 15)
    with pytest.raises(InputError, match="has 17 numbers, a page holds 15"):
        write_standalone(path, weights(SMALL))
    assert not list(tmp_path.iterdir())


def test_the_page_is_one_file_whose_text_is_no_markup(weights, tmp_path, rng):
    names = ("</script><b>", "<!--", "é & ü", "dog")
    image = rng.integers(0, 256, SHAPE, dtype=np.uint8)
    write_standalone(tmp_path / "net.html", weights(SMALL, classes=names), [(image, names[0])])
    text = (tmp_path / "net.html").read_text("utf-8")
    assert "</script><b>" not in text and "<!--" not in text
    assert not re.search(r"""(src|href)=["']?(?!data:)""", text) and "://" not in text
    about = read(tmp_path / "net.html")
    assert tuple(about["classes"]) == names
    (example,) = about["examples"]
    assert example["name"] == names[0] and len(example["scores"]) == 4


def test_without_images_noise_is_what_is_compared(weights, tmp_path):
    write_standalone(tmp_path / "net.html", weights(SMALL))
    assert [example["name"] for example in read(tmp_path / "net.html")["examples"]] == ["", ""]


def test_what_is_no_such_page_is_said(tmp_path):
    (tmp_path / "a.html").write_text("<p>")
    with pytest.raises(InputError, match="holds no program"):
        evaluate(tmp_path / "a.html", np.zeros((1, *SHAPE)))


def test_a_drawing_is_cut_out_as_the_images_are():
    image = np.zeros((20, 20, 1), np.uint8)
    image[5:15, 8:12] = 255  # ink of 10 of 20 rows
    assert drawing_like([image, image], (20, 20, 1)) == {"dark": True, "share": 0.5}
    assert drawing_like([255 - image], (20, 20, 1)) == {"dark": False, "share": 0.5}
    photo = np.full((20, 20, 1), 128, np.uint8)
    assert drawing_like([photo], (20, 20, 1))["share"] is None
    assert drawing_like([], (20, 20, 1)) == {"dark": True, "share": None}
    assert drawing_like([], (20, 20, 3)) == {"dark": False, "share": None}


def test_scale_alone_is_the_step_of_a_norm(weights):
    given = weights(Sequential(s=Scale(bias=False), pool=GlobalAvgPool(), fc=Dense(4)))
    step = compile_net(given.net, given.params, given.state, SHAPE).operations[0].step
    assert step.kind == "scale" and not step.arrays["bias"].any()
