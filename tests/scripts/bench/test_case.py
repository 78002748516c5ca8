import jax
import numpy as np
import pytest

from jconv import BatchNorm, Conv
from jconv.scripts.bench.case import Case, draw, shapes, toy
from jconv.scripts.bench.nets import LARGE


def test_what_is_drawn_has_the_shapes_of_init_and_follows_from_the_seed(small_net):
    given, again, other = draw(small_net), draw(small_net), draw(small_net, seed=1)
    params, state = shapes(small_net)
    assert (
        jax.tree.map(np.shape, given.params) == jax.tree.map(np.shape, params)
        and state == given.state == {}
    )
    assert (
        given.images.shape == (3, 6, 8, 2) and given.labels.shape == (3,) and given.labels.max() < 5
    )
    same = jax.tree.map(np.array_equal, given.params, again.params)
    assert all(jax.tree.leaves(same)) and not np.array_equal(given.images, other.images)
    assert {a.dtype for a in jax.tree.leaves(given.params)} == {np.dtype("float32")}
    assert (
        small_net.parameters
        == sum(a.size for a in jax.tree.leaves(given.params))
        == 3 * 3 * 2 * 4 + 4 + 4 * 3 * 4 * 5 + 5
    )


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
