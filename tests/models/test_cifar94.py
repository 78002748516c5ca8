"""The net of the CIFAR-10 speed runs."""

import jax
import jax.numpy as jnp
import numpy as np

from jconv import BatchNorm, summary, walk
from jconv.models import build


def test_parameters():
    table = summary(*build("cifar94"))
    assert [row.params for row in table.rows if row.params] == [
        312,
        *(13_824, 64, 36_864, 64),
        *(147_456, 256, 589_824, 256),
        *(589_824, 256, 589_824, 256),
        2_560,
    ]
    assert table.totals.params == 1_971_640


def test_sizes():
    shapes = {v.path: v.out_shape for v in walk(*build("cifar94"))}
    pooled = [shape for path, shape in shapes.items() if "pool" in path]
    assert shapes["whiten"] == (31, 31, 24)
    assert pooled == [(15, 15, 64), (7, 7, 256), (3, 3, 256), (1, 1, 256)]


def test_the_norms_settings():
    norms = {v.layer for v in walk(*build("cifar94")) if isinstance(v.layer, BatchNorm)}
    assert norms == {BatchNorm(decay=0.6, eps=1e-12, scale=False)}


def test_a_block_begins_by_passing_its_channels_on(rng, compiled):
    """The first convolution and pool of block 1: the 24 channels that came are the first 24 that
    go.
    """
    net, _ = build("cifar94")
    conv, pool = net["block1"]["conv1"], net["block1"]["pool"]
    params, _ = conv.init(jax.random.key(0), (7, 7, 24))
    x = jnp.asarray(rng.standard_normal((2, 7, 7, 24)), jnp.float32)
    y = compiled(lambda x: pool.apply({}, {}, conv.apply(params, {}, x)[0])[0])(x)
    np.testing.assert_allclose(y[..., :24], pool.apply({}, {}, x)[0], rtol=1e-5)
    assert y.shape == (2, 3, 3, 64) and np.abs(y[..., 24:]).max() > 0


def test_scores_are_a_ninth(filled, rng):
    net, in_shape = build("cifar94")
    head = dict(net.layers)["ninth"]
    x = jnp.asarray(rng.standard_normal((2, 10)), jnp.float32)
    np.testing.assert_allclose(head.apply({}, {}, x)[0], np.asarray(x) / 9, rtol=1e-6)
