"""Tap and split_taps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import (
    BatchNorm,
    Concat,
    Conv,
    Dense,
    GlobalAvgPool,
    Identity,
    LayerError,
    Relu,
    Residual,
    Scale,
    Sequential,
    ShapeError,
    Tap,
    split_taps,
    summary,
    walk,
)

IMAGE = (7, 5, 3)
HEAD = Sequential(pool=GlobalAvgPool(), fc=Dense(2))
NET = Sequential(
    conv=Conv(4, 3, padding=1),
    block=Residual(Sequential(bn=BatchNorm(), tap=Tap("inside"))),
    aux=Tap("aux", HEAD, train_only=True),
    out=Tap("out"),
)


@pytest.fixture
def x(rng):
    return jnp.asarray(rng.standard_normal((2, *IMAGE)), jnp.float32)


@pytest.mark.parametrize("train", [False, True])
def test_taps_record_what_passes_and_change_nothing(filled, x, train):
    params, state = filled(NET, IMAGE)
    y, new = NET.apply(params, state, x, train=train)
    rest, taps = split_taps(NET, new)
    assert set(taps) == ({"inside", "out", "aux"} if train else {"inside", "out"})
    np.testing.assert_array_equal(taps["out"], y)
    conv, _ = Conv(4, 3, padding=1).apply(params["conv"], {}, x)
    bn, _ = BatchNorm().apply(
        params["block"]["body"]["bn"], state["block"]["body"]["bn"], conv, train=train
    )
    np.testing.assert_array_equal(taps["inside"], bn)
    if train:
        np.testing.assert_allclose(
            taps["aux"], HEAD.apply(params["aux"]["body"], {}, y)[0], rtol=1e-5
        )
    assert jax.tree.structure(rest) == jax.tree.structure(state)  # what is left is what init made


def test_a_tap_is_found_wherever_it_lies(x):
    inner = Tap("deep")
    net = Concat(
        a=Sequential(b=Residual(Identity(), shortcut=Tap("shortcut"), then=Tap("then"))),
        c=Tap("outer", Sequential(d=inner)),
    )
    _, taps = split_taps(net, net.apply({}, {}, x)[1])
    assert set(taps) == {"shortcut", "then", "outer", "deep"}
    np.testing.assert_array_equal(taps["then"], 2 * x)
    np.testing.assert_array_equal(taps["deep"], x)


def test_a_tap_can_be_the_whole_net(x):
    net = Tap("seen")
    y, new = net.apply({}, {}, x)
    assert y is x
    assert split_taps(net, new) == ({}, {"seen": x})


def test_a_body_has_a_state_of_its_own(filled, x):
    net = Tap("seen", BatchNorm())
    params, state = filled(net, IMAGE)
    _, new = net.apply(params, state, x, train=True)
    rest, taps = split_taps(net, new)
    assert set(rest["body"]) == {"mean", "var"}
    assert (rest["body"]["mean"] != state["body"]["mean"]).all()
    assert taps["seen"].shape == x.shape


def test_two_taps_of_one_name_are_refused(x):
    net = Sequential(a=Tap("same"), b=Residual(Tap("same")))
    _, state = net.apply({}, {}, x)
    with pytest.raises(LayerError, match="^2 taps are called 'same'; give each its own name$"):
        split_taps(net, state)
    twice = Tap("same", Sequential(inner=Tap("same")))
    with pytest.raises(LayerError, match="^2 taps are called 'same'"):
        split_taps(twice, twice.apply({}, {}, x)[1])


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (
            lambda: Tap("body"),
            ValueError,
            '^Tap: the name "body" is taken by its own child; choose another$',
        ),
        (lambda: Tap("a/b"), ValueError, "^Tap: the name 'a/b' may not be empty or hold '/'"),
        (lambda: Tap(""), ValueError, "^Tap: the name '' may not be empty"),
        (lambda: Tap("a", 3), TypeError, "^Tap: body is 3, a layer was expected"),
    ],
)
def test_names_and_bodies_that_cannot_be(build, error, words):
    with pytest.raises(error, match=words):
        build()


def test_a_tap_keeps_the_shape_and_checks_its_body():
    net = Sequential(aux=Tap("aux", Dense(3)))
    with pytest.raises(ShapeError, match=r"^aux/body: the input shape \(7, 5, 3\) has 3 axes"):
        net.out_shape(IMAGE)
    assert Tap("aux", HEAD).out_shape(IMAGE) == IMAGE
    assert [visit.path for visit in walk(NET, IMAGE)][-4:] == [
        "block/then",
        "aux/body/pool",
        "aux/body/fc",
        "out/body",
    ]
    assert summary(NET, IMAGE).totals.params == 4 * 28 + 8 + 10


def test_an_auxiliary_head_trains_with_the_net(filled, x):
    params, state = filled(NET, IMAGE)

    def loss(params, share):
        y, new = NET.apply(params, state, x, train=True)
        _, taps = split_taps(NET, new)
        return (y**2).sum() + share * (taps["aux"] ** 2).sum()

    gradient = jax.jit(jax.grad(loss))
    alone, both = gradient(params, 0.0), gradient(params, 0.3)
    assert not alone["aux"]["body"]["fc"]["kernel"].any()
    assert both["aux"]["body"]["fc"]["kernel"].all()
    # and the layers before it feel it
    assert (alone["conv"]["kernel"] != both["conv"]["kernel"]).all()


def test_the_state_without_taps_goes_through_scan(filled, rng):
    net = Sequential(bn=BatchNorm(), tap=Tap("seen", Scale()), relu=Relu())
    params, state = filled(net, IMAGE)
    batches = jnp.asarray(rng.standard_normal((3, 2, *IMAGE)), jnp.float32)

    def step(state, x):
        _, new = net.apply(params, state, x, train=True)
        return split_taps(net, new)

    last, taps = jax.lax.scan(step, state, batches)
    assert jax.tree.structure(last) == jax.tree.structure(state)
    assert taps["seen"].shape == batches.shape
    assert (taps["seen"][0] != taps["seen"][1]).all()
