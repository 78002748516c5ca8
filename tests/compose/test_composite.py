"""Composites of one's own: what `run` may do, and the errors that say what it may not."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from own_layers import Looped, SqueezeExcite, Swish, Twice, scaled

from jconv import (
    BatchNorm,
    Composite,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Identity,
    Layer,
    LayerError,
    Relu,
    Repeat,
    Sequential,
    ShapeError,
    Tap,
    activations,
    map_layers,
    net_field,
    split_taps,
    summary,
    walk,
)

IMAGE = (7, 5, 3)
KEY = jax.random.key(0)
SAME = Conv(3, 3, padding=1)


@pytest.fixture
def x(rng):
    return jnp.asarray(rng.standard_normal((4, *IMAGE)), jnp.float32)


def test_a_shared_child_has_one_set_of_weights(x, filled, close):
    params, state = filled(Twice(SAME), IMAGE)
    assert jax.tree.structure(params) == jax.tree.structure({"layer": {"kernel": 0, "bias": 0}})
    once = lambda x: SAME.apply(params["layer"], {}, x)[0]
    close(Twice(SAME).apply(params, state, x)[0], once(once(x)), 1e-6)
    rows = summary(Twice(SAME), IMAGE).rows
    assert [(row.path, row.params, row.note) for row in rows] == [
        ("layer", 84, ""),
        ("layer#2", 0, "the same parameters again"),
    ]
    assert [(v.path, v.turn, v.name) for v in walk(Twice(SAME), IMAGE)] == [
        ("layer", 1, "layer"),
        ("layer", 2, "layer#2"),
    ]


def test_a_shared_batch_norm_follows_both_of_its_batches(x):
    net = Twice(BatchNorm(decay=0.5))
    params, state = net.init(KEY, IMAGE)
    _, new = net.apply(params, state, 3 + x, train=True)
    _, first = BatchNorm(decay=0.5).apply(params["layer"], state["layer"], 3 + x, train=True)
    y, _ = BatchNorm(decay=0.5).apply(params["layer"], state["layer"], 3 + x, train=True)
    _, second = BatchNorm(decay=0.5).apply(params["layer"], first, y, train=True)
    for name in ("mean", "var"):
        np.testing.assert_allclose(new["layer"][name], second[name], rtol=1e-5, atol=1e-6)


def test_a_shared_dropout_draws_anew(x):
    y, _ = Twice(Dropout(0.5)).apply({}, {}, jnp.ones_like(x), train=True, key=KEY)
    assert set(np.unique(y)) == {0.0, 4.0}
    assert 0.15 < (np.asarray(y) == 4).mean() < 0.35  # one mask twice would keep half


def test_a_child_cannot_be_shared_by_inputs_of_other_channels():
    @dataclass(frozen=True)
    class Grows(Composite):
        layer: Layer

        def run(self, call, x):
            y = call.child("layer", self.layer, x)
            return call.child(
                "layer", self.layer, call.join(lambda a, b: jnp.concatenate([a, b], -1), x, y)
            )

    with pytest.raises(
        ShapeError,
        match=r"^layer: it is applied to \(7, 5, 3\) and to \(7, 5, 6\), for which its parameters "
        r"differ",
    ):
        Grows(SAME).init(KEY, IMAGE)


@pytest.mark.sweep(2)
@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_a_loop_is_the_layers_one_after_another(shared, unroll, x, filled, close):
    block = Sequential(conv=SAME, bn=BatchNorm(), drop=Dropout(0.3))
    net = Repeat(block, 3, shared=shared, unroll=unroll)
    params, state = filled(net, IMAGE)
    part = lambda tree, i: tree if shared else jax.tree.map(lambda a: a[i], tree)
    assert part(params, 0)["layer"]["conv"]["kernel"].shape == (3, 3, 3, 3)
    y, left = x, state["layer"]
    news = []
    for i in range(3):
        before = left if shared else part(state["layer"], i)
        y, left = block.apply(part(params["layer"], i), before, y)
        news.append(left)
    found, new = jax.jit(net.apply)(params, state, x)
    close(found, y, 1e-5)
    close(new["layer"], left if shared else jax.tree.map(lambda *a: jnp.stack(a), *news), 1e-5)
    trained, _ = net.apply(params, state, x, train=True, key=KEY)
    assert np.isfinite(np.asarray(trained)).all()
    table = summary(net, IMAGE)
    assert table.totals.params == (84 + 6) * (1 if shared else 3)
    assert table.rows[0].note == "3 times"
    assert net_field(net, IMAGE)[0].size == 7
    assert set(activations(net, params, state, x)) == {
        f"layer/{n}{t}" for n in ("conv", "bn", "drop") for t in ("", "#2", "#3")
    }
    close(activations(net, params, state, x)["layer/drop#3"], y, 1e-5)


def test_each_time_of_a_loop_draws_its_own_weights_and_masks():
    params, _ = Repeat(SAME, 3).init(KEY, IMAGE)
    a, b, c = params["layer"]["kernel"]
    assert (np.asarray(a) != np.asarray(b)).all() and (np.asarray(b) != np.asarray(c)).all()
    y, _ = Repeat(Dropout(0.5), 2).apply({}, {}, jnp.ones((2, 30, 30, 3)), train=True, key=KEY)
    assert 0.2 < (np.asarray(y) == 4).mean() < 0.3


def test_a_tap_in_a_loop_records_every_time(x):
    net = Repeat(Sequential(relu=Relu(), tap=Tap("seen")), 2)
    _, new = net.apply({}, {}, x)
    _, taps = split_taps(net, new)
    assert taps["seen"].shape == (2, *x.shape)


def test_a_tap_that_would_record_twice_is_refused(x):
    with pytest.raises(LayerError, match="^layer/tap: the tap 'seen' records twice"):
        Twice(Sequential(tap=Tap("seen"))).apply({}, {}, x)
    with pytest.raises(
        LayerError, match="^layer: a tap records inside a loop that shares its parameters"
    ):
        Repeat(Sequential(tap=Tap("seen")), 2, shared=True).apply({}, {}, x)


@pytest.mark.parametrize("layer", [Conv(4, 3, padding=1), Conv(3, 3)])
def test_a_loop_keeps_the_shape(layer):
    with pytest.raises(
        ShapeError, match=r"^block/layer: it is repeated, but makes \(\d, \d, \d\) of \(7, 5, 3\)"
    ):
        Sequential(block=Repeat(layer, 2)).out_shape(IMAGE)
    with pytest.raises(ValueError, match="^Repeat: times=0"):
        Repeat(layer, 0)


def test_children_follow_from_the_settings():
    @dataclass(frozen=True)
    class Many(Composite):
        head: Layer
        blocks: tuple[Layer, ...]
        named: tuple[tuple[str, Layer], ...] = ()
        maybe: Layer | None = None
        width: int = 3

        def run(self, call, x):
            for name, layer in self.children:
                x = call.child(name, layer, x)
            return x

    net = Many(SAME, (Relu(), Swish()), (("a", SAME), ("b", Relu())))
    assert [name for name, _ in net.children] == ["head", "blocks1", "blocks2", "a", "b"]
    changed = map_layers(net, lambda _, layer: Identity() if isinstance(layer, Relu) else layer)
    assert changed == Many(SAME, (Identity(), Swish()), (("a", SAME), ("b", Identity())))
    assert net.out_shape(IMAGE) == IMAGE


@dataclass(frozen=True)
class Plain(Layer):
    layer: Layer

    def apply(self, params, state, x, *, train=False, key=None):
        return self.layer.apply(params, state, x)


@dataclass(frozen=True)
class Hidden(Layer):
    """It forgets its base's __post_init__."""

    layers: tuple[Layer, ...]

    def __post_init__(self):
        pass


@pytest.mark.parametrize(
    "build",
    [
        lambda: Plain(Relu()),
        lambda: Sequential(Hidden((Relu(),))),
        lambda: summary(Hidden((Relu(),)), IMAGE),
    ],
)
def test_layers_inside_what_is_no_composite_are_refused(build):
    with pytest.raises(
        TypeError,
        match=r"(Plain|Hidden) has layers inside, but is not a Composite.*derive it from "
        r"jconv.Composite.*call.child\('layer",
    ):
        build()


def test_a_composite_cannot_define_apply():
    with pytest.raises(TypeError, match="^Own is a Composite and defines apply"):

        class Own(Composite):
            def apply(self, params, state, x, *, train=False, key=None):
                return x, state


def composite(run, **layers):
    return type("Own", (Twice,), {"run": run})(layers.get("layer", SAME))


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (
            lambda self, call, x: x + call.child("layer", self.layer, x),
            "^own: Composite.run is followed with shapes .* call.join",
        ),
        (lambda self, call, x: x[:, ::2], "^own: Composite.run is followed with shapes"),
        (lambda self, call, x: jnp.sin(x), "^own: Composite.run is followed with shapes"),
        (
            lambda self, call, x: call.child("other", self.layer, x),
            "^own: Own.run goes through 'other', Conv, which is not what is set under",
        ),
        (
            lambda self, call, x: call.child("layer", Relu(), x),
            "^own: Own.run goes through 'layer', Relu, .*; the children of Own are layer",
        ),
        (lambda self, call, x: None, "^own: Own.run returns NoneType"),
        (
            lambda self, call, x: call.join(jnp.add, x, call.child("layer", self.layer, x)),
            r"^own: the function that joins \(7, 5, 3\) and",
        ),
        (
            lambda self, call, x: call.join(lambda a: a.sum(), x),
            "^own: the function that joins .* returns",
        ),
    ],
)
def test_what_run_may_not_do(run, words):
    net = Sequential(own=composite(run, layer=Conv(4, 3)))
    for f in (
        net.out_shape,
        lambda shape: net.init(KEY, shape),
        lambda shape: list(walk(net, shape)),
    ):
        with pytest.raises(LayerError, match=words):
            f(IMAGE)
    with pytest.raises(AttributeError, match="reshape: Composite.run is followed with shapes"):
        composite(lambda self, call, x: x.reshape(3)).out_shape(IMAGE)


def test_run_knows_one_examples_shape(x, filled):
    seen = []

    def run(self, call, x):
        seen.append(call.shape(x))
        return call.child("layer", self.layer, x)

    net = composite(run)
    params, state = filled(net, IMAGE)
    net.apply(params, state, x)
    summary(net, IMAGE)
    assert set(seen) == {IMAGE}


def test_a_gate_that_sees_everything_makes_a_field_that_does():
    gate = SqueezeExcite(GlobalAvgPool(), Sequential(fc=Dense(3)))
    net = Sequential(conv=SAME, gate=gate, conv2=SAME)
    (rows, columns) = net_field(net, IMAGE)
    assert (rows.jump, columns.jump) == (0, 0)
    assert rows.start <= 0 and rows.start + rows.size >= 7
    assert summary(net, IMAGE).rows[-1].fields == (rows, columns)
    assert scaled(jnp.ones((1, 2, 2, 3)), jnp.ones((1, 3))).shape == (1, 2, 2, 3)


def test_gradients_go_through_a_loop(x, filled, close):
    net = Sequential(
        loop=Looped(Sequential(conv=SAME, act=Swish())), flatten=Flatten(), fc=Dense(2)
    )
    params, state = filled(net, IMAGE)
    loss = lambda params, remat: (
        (jax.checkpoint(net.apply) if remat else net.apply)(params, state, x)[0] ** 2
    ).sum()
    a, b = (
        jax.jit(jax.grad(lambda p, remat=remat: loss(p, remat)))(params) for remat in (False, True)
    )
    close(a, b, 1e-4)
