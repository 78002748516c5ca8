"""Which operations a network's convolutions come to, against the operations of its traced training
step.
"""

from collections import Counter

import jax
import pytest
from own_layers import Twice

from jconv import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    Normalize,
    Relu,
    Repeat,
    Residual,
    Sequential,
    Subsampling,
)
from jconv.ops.shapes import k_shape, x_shape, y_shape
from jconv.tuning.passes import passes

SAME = Conv(4, 3, padding=1)
NETS = {
    "plain": Sequential(
        conv1=Conv(4, 3), relu1=Relu(), conv2=Conv(5, 2, stride=2), fl=Flatten(), fc=Dense(3)
    ),
    "equal": Sequential(
        stem=SAME, block1=Residual(SAME), block2=Residual(SAME), fl=Flatten(), fc=Dense(3)
    ),
    "transposed": Sequential(
        conv1=Conv(4, 3, groups=1),
        up=ConvTranspose(6, 3, stride=2, groups=2, extra=1),
        fl=Flatten(),
        fc=Dense(3),
    ),
    "untrained first": Sequential(
        norm=Normalize((0.5,) * 3, (0.2,) * 3), conv1=Conv(4, 3), fl=Flatten(), fc=Dense(3)
    ),
    "trained first": Sequential(sub=Subsampling(2), conv1=Conv(4, 3), fl=Flatten(), fc=Dense(3)),
    "masked": Sequential(
        conv1=SAME, conv2=Conv(2, 3, mask=((0, 3), (1, 2, 3))), fl=Flatten(), fc=Dense(3)
    ),
    "branches": Sequential(
        a=SAME,
        res=Residual(Sequential(c=Conv(4, 1), bn=BatchNorm()), Conv(4, 1)),
        fl=Flatten(),
        fc=Dense(3),
    ),
}


def traced(net, in_shape, batch):
    """How often a training step has each operation, by name, shapes and geometry."""
    params, state = jax.eval_shape(lambda key: net.init(key, in_shape), jax.random.key(0))
    x = jax.ShapeDtypeStruct((batch, *in_shape), "float32")
    loss = lambda params, state, x: net.apply(params, state, x, train=True)[0].sum()
    equations = jax.make_jaxpr(jax.grad(loss))(params, state, x).eqns
    found = Counter()
    for e in equations:
        operation = e.primitive.name.removeprefix("jconv_")
        if operation not in RESULTS:
            continue
        geometry, (a, b) = e.params["geometry"], [v.aval.shape for v in e.invars]
        first, second, _, shape = RESULTS[operation]
        shapes = {first: a, second: b, RESULTS[operation][2]: shape(a, b, geometry)}
        found[operation, shapes["x"], shapes["k"], geometry] += 1
    return found


RESULTS = {
    "forward": ("x", "k", "y", y_shape),
    "input_gradient": ("y", "k", "x", x_shape),
    "kernel_gradient": ("x", "y", "k", k_shape),
}


@pytest.mark.parametrize("name", NETS)
def test_they_are_those_of_a_training_step(name):
    net, in_shape = NETS[name], (8, 6, 4 if name in ("equal", "branches", "masked") else 3)
    counted = Counter()
    for one in passes(net, in_shape, 2):
        counted[one.work.operation, one.work.x, one.work.k, one.work.geometry] += len(one.paths)
    # without the dense layers' products
    of_axes = Counter(
        {work: n for work, n in traced(net, in_shape, 2).items() if work[3].window.rank}
    )
    assert counted == of_axes


def test_equal_layers_are_one_pass_each_and_titled_so():
    titles = [one.title for one in passes(NETS["equal"], (8, 6, 4), 2)]
    assert titles == [
        "stem and 2 more, forward",
        "stem and 2 more, kernel gradient",
        "block1/body and 1 more, input gradient",
    ]


def test_a_precision_of_its_own_is_a_pass_of_its_own():
    net = Sequential(a=Conv(3, 3), b=Conv(3, 1, precision="highest"), c=Conv(3, 1))
    found = {one.paths: one.precision for one in passes(net, (5, 5, 3), 1) if one.name == "forward"}
    assert found == {("a",): None, ("b",): "highest", ("c",): None}


def test_a_transposed_convolution_names_its_passes_as_a_layer_does():
    found = {
        one.name: one.work.operation
        for one in passes(NETS["transposed"], (8, 6, 3), 2)
        if one.paths == ("up",)
    }
    assert found == {
        "forward": "input_gradient",
        "input gradient": "forward",
        "kernel gradient": "kernel_gradient",
    }


def test_a_net_of_one_layer_has_a_name():
    assert passes(Conv(4, 3), (5, 5, 3), 1)[0].title == "the net forward"


def test_a_layer_gone_through_again_stands_as_often():
    again = sorted((one.name, one.paths) for one in passes(Repeat(SAME, 3), (8, 6, 4), 2))
    assert again == [
        (name, ("layer",) * 3) for name in ("forward", "input gradient", "kernel gradient")
    ]
    twice = {one.name: len(one.paths) for one in passes(Twice(SAME), (8, 6, 4), 2)}
    assert twice == {"forward": 2, "input gradient": 1, "kernel gradient": 2}


def test_an_image_that_is_padded_with_pixels_comes_padded():
    net, in_shape = Sequential(Conv(4, 3, padding=2, padding_mode="reflect")), (7, 5, 3)
    jobs = [one.work for one in passes(net, in_shape, 2)]
    assert jobs and all(
        work.x == (2, 11, 9, 3) and not any(map(any, work.geometry.window.padding)) for work in jobs
    )
