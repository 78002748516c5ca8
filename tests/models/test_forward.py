"""Every architecture, four channels wide, on the smallest image that means something: outputs and
gradients, trained and not.

Left out, as they would compile the same program again: blocks that repeat the one before, so that
ResNets of one kind are one net, and training where nothing tells it from testing.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sweeps import sweep

from jconv import BatchNorm, Dropout, split_taps, walk, with_method
from jconv.models import MODELS, build

CLASSES = 4
CASES = [  # name, variant, side
    ("lenet5_original", None, 32),
    ("caffe_cifar10_quick", None, 16),
    ("caffe_cifar10_full", None, 16),
    ("local_13pct", None, 8),
    ("local_11pct", None, 8),
    ("cifar94", None, 8),
    ("nin", "cuda-convnet", 8),
    ("all_cnn_a", "all", 16),
    ("all_cnn_b", "all", 16),
    ("all_cnn_c", "all", 16),
    ("all_cnn_c", "conv_pool", 16),
    ("alexnet", "bvlc", 67),
    ("alexnet_owt", "benchmark", 63),
    ("overfeat", None, 71),
    ("zfnet", "paper", 63),
    ("zfnet", "caffe", 64),
    *(
        (f"vgg{form}", None, 32)
        for form in ("11", "11_lrn", "11_bn", "13", "13_bn", "16", "16_c", "16_bn", "19", "19_bn")
    ),
    ("googlenet", "caffe", 80),
    ("googlenet", "torchvision", 32),
    ("inception_v4", "timm", 75),
    ("resnet18", "torch", 32),
    ("resnet50", "torch", 32),
    ("resnet50", "msra", 32),
    ("cifar_resnet20", "A", 8),
    ("preact_resnet18", None, 32),
    ("preact_resnet50", None, 32),
    ("preact_resnet20", None, 8),
    ("preact_resnet164", None, 8),
    ("dilated_frontend", None, 380),
    ("context_basic", "dilation8", 5),
    ("context_basic", "dilation10", 5),
    ("context_large", "train", 5),
    ("context_large", "deploy", 5),
]
QUICK = (
    "lenet5_original",
    "alexnet",
    "vgg11",
    "cifar_resnet20",
    "preact_resnet20",
    "resnet50",
    "nin",
    "context_basic",
    "local_13pct",
)
ELSEWHERE = ("lenet5", "caffe_lenet", "convnetjs", "tiny_vgg")  # test_models.py


def random_like(tree, rng):
    """Kernels of mean 1/terms, so that a sum is about its terms' mean and hardly any ReLU is dead;
    others from 0.5 to 1.5.
    """
    kernel = lambda a: rng.uniform(-1, 3, a.shape) * a.shape[-1] / a.size
    return jax.tree.map(
        lambda a: jnp.asarray(kernel(a) if a.ndim > 1 else rng.uniform(0.5, 1.5, a.shape), a.dtype),
        tree,
    )


@pytest.mark.sweep(1)
@pytest.mark.parametrize(("name", "variant", "side"), sweep(CASES, QUICK))
def test_outputs_and_gradients(name, variant, side, rng, compiled, slim):
    net, (*_, channels) = build(name, classes=CLASSES, variant=variant)
    net = slim(net)
    in_shape = (side, side, channels)
    params, state = (
        random_like(tree, rng)
        for tree in jax.eval_shape(lambda key: net.init(key, in_shape), jax.random.key(0))
    )
    x = jnp.asarray(rng.standard_normal((2, *in_shape)), jnp.float32)

    def loss(params, *, train):
        scores, new = net.apply(params, state, x, train=train, key=jax.random.key(1))
        new, heads = split_taps(net, new)
        return sum(jnp.sin(a).sum() for a in (scores, *heads.values())), (scores, new, heads)

    modes = any(isinstance(v.layer, (BatchNorm, Dropout)) for v in walk(net, in_shape))
    for train in (False, True) if modes else (False,):
        (value, (scores, new, heads)), gradient = compiled(
            jax.value_and_grad(partial(loss, train=train), has_aux=True)
        )(params)
        assert np.isfinite(value)
        assert scores.shape == (2, *net.out_shape(in_shape))
        assert scores.shape[-1] == CLASSES
        assert {h.shape for h in heads.values()} == (
            {(2, CLASSES)} if train and name == "googlenet" else set()
        )
        assert jax.tree.structure(new) == jax.tree.structure(state)
        leaves = {
            "/".join(k.key for k in path): g
            for path, g in jax.tree_util.tree_leaves_with_path(gradient)
        }
        assert all(np.isfinite(g).all() for g in leaves.values())
        # the heads of GoogLeNet rest at test time
        live = {path for path in leaves if train or not path.startswith("aux")}
        assert {path for path in live if not np.any(leaves[path])} == set()


@pytest.mark.exhaustive
def test_every_net_of_the_zoo_is_one_of_these_or_repeats_the_blocks_of_one(slim):
    tested = {slim(build(name, variant=variant)[0]) for name, variant, _ in CASES} | {
        slim(build(name)[0]) for name in ELSEWHERE
    }
    assert [name for name in MODELS if slim(build(name)[0]) not in tested] == []


FAMILIES = (
    "caffe_cifar10_quick",
    "local_13pct",
    "nin",
    "alexnet",
    "vgg13_bn",
    "inception_v4",
    "resnet50",
    "preact_resnet20",
    "context_basic",
)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("name", "variant", "side"),
    sweep(
        [case for case in CASES if case[0] in FAMILIES],
        ("alexnet", "preact_resnet20", "context_basic"),
    ),
)
def test_plain_lax_gives_the_same_numbers(name, variant, side, rng, x64, compiled, close, slim):
    net, (*_, channels) = build(name, classes=CLASSES, variant=variant)
    net, in_shape = slim(net), (side, side, channels)
    params, state = (
        random_like(tree, rng)
        for tree in jax.eval_shape(lambda key: net.init(key, in_shape), jax.random.key(0))
    )
    params, state = jax.tree.map(lambda a: a.astype(jnp.float64), (params, state))
    x = jnp.asarray(rng.standard_normal((2, *in_shape)))

    def both(params, x):
        for of in (net, with_method(net, "lax")):
            yield jax.value_and_grad(
                lambda params, x, of=of: jnp.sin(of.apply(params, state, x)[0]).sum(), (0, 1)
            )(params, x)

    close(*compiled(lambda *a: list(both(*a)))(params, x), 1e-9)
