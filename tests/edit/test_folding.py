"""Folding batch norms: the same numbers at test time, and nothing folded that something else
reads.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import (
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    Identity,
    Layer,
    LayerError,
    Local,
    MaxPool,
    Relu,
    Residual,
    Sequential,
    Tap,
    fold_batch_norm,
    split_taps,
    walk,
)
from jconv.compose import Composite

SHAPE = (8, 7, 6)


def norms(net, in_shape=SHAPE):
    """The paths of the batch norms that are left."""
    return [visit.path for visit in walk(net, in_shape) if isinstance(visit.layer, BatchNorm)]


def check_same(net, in_shape, filled, rng, close, left=()):
    """Fold a net filled with random numbers: the same outputs, and arrays such as the folded net's
    own init has.
    """
    params, state = filled(net, in_shape)
    before = jax.tree.map(np.asarray, (params, state))
    folded, p, s = fold_batch_norm(net, params, state)
    assert norms(folded, in_shape) == list(left)
    assert [visit.path for visit in walk(folded, in_shape)] == [
        visit.path for visit in walk(net, in_shape)
    ]
    own = jax.eval_shape(lambda key: folded.init(key, in_shape), jax.random.key(0))
    assert jax.tree.map(lambda a: (a.shape, a.dtype), (p, s)) == jax.tree.map(
        lambda a: (a.shape, a.dtype), own
    )
    x = jnp.asarray(rng.standard_normal((3, *in_shape)), jnp.float32)
    y, t = (
        split_taps(n, n.apply(p, s, x)[1])[1] | {"y": n.apply(p, s, x)[0]}
        for n, p, s in ((folded, p, s), (net, params, state))
    )
    close(y, t, 2e-6)
    close(before, (params, state), 0)  # what was given is left as it is
    assert fold_batch_norm(folded, p, s) == (folded, p, s) if not left else True
    return folded


LAYERS = [
    Conv(4, 3),
    Conv(4, (3, 2), bias=False, stride=2, padding=1),
    Conv(4, 3, groups=2),
    Conv(3, 3, bias=False, mask=((0, 5), (1,), (4, 2, 3))),
    ConvTranspose(5, (3, 2), stride=2),
    ConvTranspose(4, 3, groups=2, bias=False),
    ConvTranspose(6, 2, groups=3),
    Local(4, 3),
    Local(4, (3, 2), bias=False, stride=2),
]


@pytest.mark.sweep(2)
@pytest.mark.parametrize(
    "norm",
    [
        BatchNorm(),
        BatchNorm(scale=False),
        BatchNorm(bias=False, eps=0.1),
        BatchNorm(scale=False, bias=False),
    ],
    ids=str,
)
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_each_kind_of_layer_takes_it_in(layer, norm, filled, rng, close):
    net = check_same(Sequential(main=layer, bn=norm, relu=Relu()), SHAPE, filled, rng, close)
    assert net == Sequential(main=replace(layer, bias=True), bn=Identity(), relu=Relu())


@pytest.mark.exhaustive
@pytest.mark.parametrize("shape", [(9, 6), (5, 4, 6, 6)])
def test_in_one_and_three_dimensions(shape, filled, rng, close):
    for layer in (
        Conv(4, 3, groups=2),
        ConvTranspose(4, 2, groups=2, bias=False),
        Local(4, 3, bias=False),
    ):
        check_same(Sequential(layer, BatchNorm()), shape, filled, rng, close)


def test_dense_layers(filled, rng, close):
    check_same(
        Sequential(Flatten(), Dense(5, bias=False), BatchNorm(), Relu(), Dense(4), BatchNorm()),
        SHAPE,
        filled,
        rng,
        close,
    )


def test_inside_residuals_branches_and_sequences(filled, rng, close):
    def unit():
        return Sequential(conv=Conv(4, 3, padding=1, bias=False), bn=BatchNorm())

    net = Sequential(
        stem=Sequential(only=Conv(6, 1)),
        bn=BatchNorm(),  # after what a Sequential ends in
        block=Residual(
            Sequential(a=unit(), relu=Relu(), b=unit()),
            shortcut=unit(),
            then=Sequential(Identity(), Relu()),
        ),
        split=Concat(a=unit(), b=Sequential(pool=MaxPool(1), unit=unit())),
        twice=Sequential(Conv(4, 1), Identity(), BatchNorm(), BatchNorm()),
    )
    check_same(net, SHAPE, filled, rng, close)


def test_what_has_nothing_to_fold_into_stays(filled, rng, close):
    """A net of pre-activation, norms at the start, after a pool, after a sum, after a branch's
    meeting.
    """
    conv = lambda: Conv(6, 3, padding=1, bias=False)
    net = Sequential(
        first=BatchNorm(),
        block=Residual(Sequential(bn=BatchNorm(), relu=Relu(), conv=conv()), then=Identity()),
        bn=BatchNorm(),
        conv=conv(),
        pool=MaxPool(2),
        last=BatchNorm(),
        both=Concat(a=Conv(2, 1), b=Conv(2, 1)),
        joined=BatchNorm(),
        drop=Dropout(0.5),
    )
    check_same(
        net, SHAPE, filled, rng, close, left=["first", "block/body/bn", "bn", "last", "joined"]
    )


def test_a_layer_that_something_else_reads_is_not_folded(filled, rng, close):
    conv = lambda: Conv(6, 1, bias=False)
    tapped = Sequential(conv=conv(), tap=Tap("seen"), bn=BatchNorm())
    check_same(tapped, SHAPE, filled, rng, close, left=["bn"])
    headed = Sequential(
        conv=conv(),
        aux=Tap("head", Sequential(bn=BatchNorm(), flatten=Flatten()), train_only=True),
        bn=BatchNorm(),
    )
    check_same(headed, SHAPE, filled, rng, close, left=["aux/body/bn", "bn"])
    # the shortcut passes it on as it is
    shared = Sequential(conv=conv(), block=Residual(Sequential(bn=BatchNorm()), then=Identity()))
    check_same(shared, SHAPE, filled, rng, close, left=["block/body/bn"])
    branches = Sequential(conv=conv(), both=Concat(a=BatchNorm(), b=Relu()))
    check_same(branches, SHAPE, filled, rng, close, left=["both/a"])


def test_a_tap_after_the_norm_sees_what_it_saw(filled, rng, close):
    check_same(
        Sequential(conv=Conv(4, 3), bn=BatchNorm(), tap=Tap("seen"), relu=Relu()),
        SHAPE,
        filled,
        rng,
        close,
    )


@dataclass(frozen=True)
class Again(Composite):
    """A convolution and a norm, the one run twice."""

    conv: Layer = Conv(6, 3, padding=1)
    bn: Layer = BatchNorm()

    @property
    def children(self):
        return (("conv", self.conv), ("bn", self.bn))

    def with_children(self, children):
        return replace(self, **children)

    def run(self, call, x):
        return call.child(
            "bn", self.bn, call.child("conv", self.conv, call.child("conv", self.conv, x))
        )


class Wider(Conv):
    """A convolution of one's own."""


def test_layers_run_twice_and_layers_of_ones_own_stay(filled):
    for net in (Again(), Sequential(Wider(6, 3), BatchNorm())):
        params, state = filled(net, SHAPE)
        assert fold_batch_norm(net, params, state) == (net, params, state)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_arrays_keep_their_dtype(dtype, filled, rng, close):
    net = Sequential(
        conv=Conv(4, 3, bias=False),
        bn=BatchNorm(),
        dense=Sequential(Flatten(), Dense(3), BatchNorm()),
    )
    params, state = filled(net, SHAPE)
    half = jax.tree.map(lambda a: a.astype(dtype), params)
    folded, p, s = fold_batch_norm(net, half, state)
    assert {a.dtype for a in jax.tree.leaves(p)} == {jnp.dtype(dtype)}
    x = jnp.asarray(rng.standard_normal((3, *SHAPE)), jnp.float32)
    close(
        folded.apply(p, s, x)[0],
        net.apply(half, state, x)[0],
        {"bfloat16": 3e-2, "float16": 3e-3}[dtype],
    )


def test_float64_stays_float64(x64, filled, rng, close):
    net = Sequential(conv=Conv(4, 3, groups=2), bn=BatchNorm(), relu=Relu())
    params, state = filled(net, SHAPE, np.float64)
    folded, p, s = fold_batch_norm(net, params, state)
    x = jnp.asarray(rng.standard_normal((3, *SHAPE)))
    close(folded.apply(p, s, x)[0], net.apply(params, state, x)[0], 1e-14)


NET = Sequential(
    block1=Residual(Sequential(conv1=Conv(6, 3, padding=1, bias=False), bn1=BatchNorm())),
    conv2=Conv(4, 3),
)


def put(tree, value, *path):
    name, *rest = path
    return {**tree, name: put(tree[name], value, *rest) if rest else value}


def without(tree, *path):
    name, *rest = path
    return (
        put(tree, without(tree[name], *rest), name)
        if rest
        else {k: v for k, v in tree.items() if k != name}
    )


WHERE = ("block1", "body", "bn1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p, s: (without(p, *WHERE, "scale"), s),
            "^block1/body/bn1: params has no scale; pass what init"),
        (lambda p, s: (p, without(s, *WHERE)),
            "^block1/body/bn1: state has no mean and no var; pass"),
        (lambda p, s: (p, {}), "^block1/body/bn1: state has no mean"),
        (lambda p, s: (put(p, {"kernel": 1}, "block1", "body", "conv3"), s),
            "^block1/body: params has conv3, which the net has not"),
        (lambda p, s: (p, put(s, {}, "conv7")), "^state has conv7, which the net has not"),
        (lambda p, s: (put(p, jnp.ones(6), "block1", "body", "conv1", "bias"), s),
            "^block1/body/conv1: params has bias, which"),
        (lambda p, s: (without(p, "conv2", "bias"), s), "^conv2: params has no bias"),
        (lambda p, s: (put(p, jnp.ones((3, 3, 6, 5)), "conv2", "kernel"), s),
            r"^conv2: the kernel has the shape \(3, 3, 6, 5\), which is none of 4 features"),
        (lambda p, s: (p, put(s, jnp.ones(5), *WHERE, "var")),
            r"^block1/body/bn1: its arrays have the shapes \(5,\), \(6,\)"),
        (
            lambda p, s: (
                put(p, {n: jnp.ones(5) for n in ("scale", "bias")}, *WHERE),
                put(s, {n: jnp.ones(5) for n in ("mean", "var")}, *WHERE),
            ),
         r"^block1/body/bn1: mean and var have the shape \(5,\), \(6,\) was expected after "
         r"block1/body/conv1"),
        (lambda p, s: (put(p, jnp.ones(5), "block1"), s),
            "^block1: params is of type .*Array.* here, a dict was expected"),
    ],
)  # fmt: skip
def test_arrays_that_are_not_the_nets_are_refused_by_path(change, words, filled):
    with pytest.raises(LayerError, match=words):
        fold_batch_norm(NET, *change(*filled(NET, SHAPE)))


def test_it_can_be_traced(filled, close):
    params, state = filled(NET, SHAPE)
    traced = jax.jit(lambda params, state: fold_batch_norm(NET, params, state)[1])(params, state)
    close(traced, fold_batch_norm(NET, params, state)[1], 1e-6)
