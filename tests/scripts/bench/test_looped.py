from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest

from jconv import Conv, Repeat, Sequential, with_method
from jconv.scripts.bench.case import Case, draw
from jconv.scripts.bench.looped import Held, InTurn, written_out

pytestmark = pytest.mark.exhaustive  # the benchmark is not in the installed package


@pytest.mark.sweep(1)
@pytest.mark.parametrize("unroll", [False, True])
def test_in_turn_sums_over_the_parts_of_the_batch(unroll, close):
    layer = InTurn(Held(Conv(4, 3, stride=2, padding=1)), parts=3, unroll=unroll)
    given = draw(Case("parts", layer, (5, 7, 2), 6))
    once = lambda params, x: layer.layer.apply(params, {}, x)[0]
    x = jnp.asarray(given.images)
    y = layer.apply(given.params, {}, x)[0]
    close(y, once(given.params, x).reshape(3, 2, 3, 4, 4).sum(axis=0), 1e-6)
    assert layer.out_shape((5, 7, 2)) == y.shape[1:]
    assert layer.apply(given.params, {}, x[:2])[0].shape[0] == 1  # fewer images than parts

    in_params, in_x = jax.grad(lambda params, x: jnp.square(once(params, x)).sum(), (0, 1))(
        given.params, x
    )
    gradients = replace(layer, gradient=True)
    found = gradients.apply(given.params, {}, x)[0]
    close(
        found,
        in_x.reshape(3, 2, 5, 7, 2).sum(axis=0) + sum(a.sum() for a in jax.tree.leaves(in_params)),
        1e-5,
    )
    assert gradients.out_shape((5, 7, 2)) == found.shape[1:]


@pytest.mark.parametrize(
    "layer",
    [
        Repeat(Conv(3, 3, padding=1), 4),
        InTurn(Held(Conv(3, 3))),
        InTurn(Held(Conv(3, 3)), gradient=True),
    ],
)
def test_written_out_holds_no_loop(layer):
    net = Sequential(inner=layer)
    given = draw(Case("scan", net, (5, 7, 3), 4))
    loops = lambda net: (
        jax.jit(lambda x: net.apply(given.params, {}, x)[0])
        .lower(given.images)
        .as_text()
        .count("stablehlo.while")
    )
    assert (loops(net), loops(written_out(net))) == (1, 0)


def test_they_take_a_method_like_any_layer():
    net = Sequential(scan=Repeat(Conv(3, 3, padding=1), 4), parts=InTurn(Held(Conv(3, 3))))
    changed = with_method(net, "lax")
    assert changed["scan"].layer.method == changed["parts"].layer.method == "lax"
