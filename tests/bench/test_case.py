from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import BatchNorm, Conv, Sequential, with_method
from jconv.bench.case import Case, InTurn, Scanned, draw, shapes, toy, written_out
from jconv.bench.nets import LARGE


def test_what_is_drawn_has_the_shapes_of_init_and_follows_from_the_seed(small_net):
    given, again, other = draw(small_net), draw(small_net), draw(small_net, seed=1)
    params, state = shapes(small_net)
    assert jax.tree.map(np.shape, given.params) == jax.tree.map(np.shape, params) and state == given.state == {}
    assert given.images.shape == (3, 6, 8, 2) and given.labels.shape == (3,) and given.labels.max() < 5
    same = jax.tree.map(np.array_equal, given.params, again.params)
    assert all(jax.tree.leaves(same)) and not np.array_equal(given.images, other.images)
    assert {a.dtype for a in jax.tree.leaves(given.params)} == {np.dtype("float32")}
    assert small_net.parameters == sum(a.size for a in jax.tree.leaves(given.params)) == 3 * 3 * 2 * 4 + 4 + 4 * 3 * 4 * 5 + 5


def test_kernels_keep_the_variance():
    kernel = draw(Case("wide", Conv(64, 3, bias=False), (8, 8, 50), 1)).params["kernel"]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 50)), rel=0.02)


def test_statistics_begin_at_nothing_seen():
    state = draw(Case("norm", BatchNorm(), (4, 4, 3), 2)).state
    assert state["mean"].tolist() == [0, 0, 0] and state["var"].tolist() == [1, 1, 1]


def test_a_toy_has_two_images_and_an_eighth_of_the_channels_but_an_operation_stays(small_net):
    assert toy(small_net).batch == 2
    thin = toy(LARGE[0])
    assert thin.net["conv1"].features == 12 and thin.classes == 1000
    operation = Case("op", Conv(64, 3), (8, 8, 3), 16, images=True)
    assert toy(operation).net == operation.net


@pytest.mark.parametrize("written_out", [False, True])
def test_scanned_is_the_layers_one_after_another(written_out, close):
    layer = Scanned(Conv(3, 3, padding=1, bias=False), 4, written_out)
    case = Case("scan", layer, (5, 7, 3), 2)
    given = draw(case)
    assert given.params["kernel"].shape == (4, 3, 3, 3, 3)
    expected = given.images
    for kernel in given.params["kernel"]:
        expected = layer.layer.apply({"kernel": kernel}, {}, jax.numpy.asarray(expected))[0]
    close(layer.apply(given.params, {}, jax.numpy.asarray(given.images))[0], expected, 1e-6)


@pytest.mark.parametrize("written_out", [False, True])
def test_in_turn_sums_over_the_parts_of_the_batch(written_out, close):
    layer = InTurn(Conv(4, 3, stride=2, padding=1), False, 3, written_out)
    given = draw(Case("parts", layer, (5, 7, 2), 6))
    once = lambda params, x: layer.layer.apply(params, {}, x)[0]
    x = jnp.asarray(given.images)
    y = layer.apply(given.params, {}, x)[0]
    close(y, once(given.params, x).reshape(3, 2, 3, 4, 4).sum(axis=0), 1e-6)
    assert layer.out_shape((5, 7, 2)) == y.shape[1:]
    assert layer.apply(given.params, {}, x[:2])[0].shape[0] == 1  # fewer images than parts

    in_params, in_x = jax.grad(lambda params, x: jnp.square(once(params, x)).sum(), (0, 1))(given.params, x)
    gradients = replace(layer, gradient=True)
    found = gradients.apply(given.params, {}, x)[0]
    close(found, in_x.reshape(3, 2, 5, 7, 2).sum(axis=0) + sum(a.sum() for a in jax.tree.leaves(in_params)), 1e-5)
    assert gradients.out_shape((5, 7, 2)) == found.shape[1:]


@pytest.mark.parametrize("layer", [Scanned(Conv(3, 3, padding=1)), InTurn(Conv(3, 3)), InTurn(Conv(3, 3), gradient=True)])
def test_written_out_holds_no_loop(layer):
    def loops(case):
        given = draw(case)
        return jax.jit(lambda x: case.net.apply(given.params, {}, x)[0]).lower(given.images).as_text().count("stablehlo.while")

    case = Case("scan", Sequential(inner=layer), (5, 7, 3), 4)
    assert (loops(case), loops(written_out(case))) == (1, 0)


def test_scanned_takes_a_method_like_any_layer():
    net = Sequential(scan=Scanned(Conv(3, 3, padding=1)))
    assert with_method(net, "lax")["scan"].layer.method == "lax"
