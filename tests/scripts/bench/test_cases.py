"""The cases as data: each can be traced in every form without computing it, and is what its name
says.
"""

import jax
import pytest

from jconv import walk
from jconv.layers import Dropout
from jconv.scripts.bench import nets, ops

NETS = nets.SMALL + nets.LARGE + nets.TABLE + nets.PER_EXAMPLE + nets.GPU
PARAMETERS = {  # the CS231n notes; the others are counted by hand
    "LeNet": 5 * 5 * 32 + 32 + 5 * 5 * 32 * 64 + 64 + 7 * 7 * 64 * 256 + 256 + 256 * 10 + 10,
    "ResNet-20": 269_722,
    "AlexNet (groups)": 60_965_224,
    "ResNet-50": 25_557_032,
    "AlexNet-OWT": 61_100_840,
    "OverFeat": 145_920_872,
    "VGG-A": 132_863_336,
    "GoogLeNet": 6_998_552,
    "VGG-16": 138_357_544,
}


@pytest.mark.sweep(2)
@pytest.mark.parametrize("case", NETS, ids=lambda case: f"{case.name} {case.batch}")
def test_a_net_has_the_published_parameters_and_draws_nothing(case):
    assert case.parameters == PARAMETERS.get(case.name, case.parameters)
    assert not [
        visit for visit in walk(case.net, case.in_shape) if isinstance(visit.layer, Dropout)
    ]


def test_googlenet_is_the_benchmarks():
    sizes = [
        v.out_shape[0]
        for v in walk(nets.TABLE[3].net, nets.TABLE[3].in_shape)
        if v.path in ("pool1", "pool2", "pool3", "pool4")
    ]
    assert sizes == [56, 28, 14, 7]
    assert {v.path: v.layer for v in walk(nets.TABLE[3].net, nets.TABLE[3].in_shape)}[
        "pool1"
    ].padding == 1


@pytest.mark.parametrize("case", ops.OPS, ids=lambda case: case.name)
def test_an_operation_has_a_gradient(case):
    params, state = jax.eval_shape(lambda key: case.net.init(key, case.in_shape), jax.random.key(0))
    x = jax.ShapeDtypeStruct((2, *case.in_shape), "float32")
    value = lambda params, x, state: case.net.apply(params, state, x, train=True)[0].sum()
    into = jax.eval_shape(jax.grad(value, argnums=1), params, x, state)
    assert into.shape == x.shape


def test_names_tell_the_operations_apart():
    assert len({case.name for case in ops.OPS}) == len(ops.OPS)
