"""Every net of the zoo with batch norm gives the same with its norms folded. Nets that differ in
depth alone are tested once.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import BatchNorm, ShapeError, fold_batch_norm, walk
from jconv.models import MODELS, build

RESTING = ("preact", "cifar94")  # some of whose norms read a sum or a pool
FORMS = [(name, None) for name in MODELS] + [
    ("googlenet", "torchvision"),
    ("resnet50", "msra"),
    ("cifar_resnet20", "B"),
]


def count(net, in_shape):
    return sum(isinstance(visit.layer, BatchNorm) for visit in walk(net, in_shape))


BUILT = {f"{name} {variant or ''}".strip(): build(name, variant=variant) for name, variant in FORMS}
NETS = {name: pair for name, pair in BUILT.items() if count(*pair)}


def smallest(net, channels):
    """The smallest square image that the net takes, of those tried."""
    for side in (8, 16, 32, 64, 75, 96):
        try:
            net.out_shape((side, side, channels))
            return side, side, channels
        except ShapeError:
            continue
    raise AssertionError("no image tried is large enough")


def random_like(tree, rng):
    """Kernels that keep the spread of what passes, biases above and means about 0, so that hardly
    any ReLU is dead.
    """
    draws = {
        "kernel": lambda shape: rng.standard_normal(shape) * np.sqrt(shape[-1] / np.prod(shape)),
        "mean": lambda shape: rng.uniform(-0.5, 0.5, shape),
    }
    draw = lambda path, a: draws.get(path[-1].key, lambda shape: rng.uniform(0.5, 1.5, shape))(
        a.shape
    )
    return jax.tree_util.tree_map_with_path(
        lambda path, a: jnp.asarray(draw(path, a), a.dtype), tree
    )


@pytest.fixture(scope="module")
def seen():
    return set()


@pytest.mark.sweep(2)
@pytest.mark.parametrize("name", NETS)
def test_folding_changes_nothing_but_rounding(name, seen, slim, compiled, rng, close):
    net, in_shape = NETS[name]
    net = slim(net)
    if net in seen:
        return
    seen.add(net)
    in_shape = smallest(net, in_shape[-1])
    shapes = jax.eval_shape(lambda key: net.init(key, in_shape), jax.random.key(0))
    params, state = (random_like(tree, rng) for tree in shapes)
    folded, p, s = fold_batch_norm(net, params, state)
    left, before = count(folded, in_shape), count(net, in_shape)
    assert left < before and (left == 0 or name.startswith(RESTING))
    own = jax.eval_shape(lambda key: folded.init(key, in_shape), jax.random.key(0))
    assert jax.tree.map(jnp.shape, (p, s)) == jax.tree.map(jnp.shape, own)
    x = jnp.asarray(rng.standard_normal((2, *in_shape)), jnp.float32)
    run = lambda net: compiled(lambda p, s, x: net.apply(p, s, x)[0])
    y, expected = run(folded)(p, s, x), run(net)(params, state, x)
    # the image arrives
    assert np.abs(expected[0] - expected[1]).max() > 1e-3 * np.abs(expected).max()
    close(y, expected, 2e-6)
