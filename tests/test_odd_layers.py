"""Layers as strangers write them, each of which once made a number wrong without a word, or raised
an error that named nothing.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from residuals import residuals

from jconv import (
    BatchNorm,
    Composite,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Identity,
    Layer,
    LayerError,
    MaxPool,
    Normalize,
    Parameter,
    Relu,
    Repeat,
    Sequential,
    ShapeError,
    Sigmoid,
    Tanh,
    activations,
    budget,
    conv_as_dense,
    convolutionalize,
    features,
    fold_batch_norm,
    from_json,
    fully_connect,
    gradcheck,
    net_field,
    replace,
    saved_bytes,
    streaming_peak,
    summary,
    thin,
    to_json,
    with_method,
    with_precision,
)
from jconv.analysis.measure import macs_of
from jconv.layers import ones, zeros
from jconv.tuning.passes import passes

KEY = jax.random.key(0)
IMAGE = (6, 6, 3)


@pytest.fixture
def x(rng):
    return jnp.asarray(rng.standard_normal((3, *IMAGE)), jnp.float32)


@pytest.mark.parametrize(
    "net",
    [
        Sequential(r=Repeat(Dense(8), 10), d=Dense(2)),
        Sequential(d=Dense(8), r=Repeat(Dense(8), 10)),
    ],
)
def test_a_budget_counts_each_loops_own_parameters(net):
    params, _ = net.init(KEY, (8,))
    assert budget(net, (8,), 1).parameters == 4 * sum(a.size for a in jax.tree.leaves(params))


def test_a_loop_of_one_time(x):
    net = Repeat(Conv(3, 3, padding=1), 1)
    params, state = net.init(KEY, IMAGE)
    assert params["layer"]["kernel"].shape == (1, 3, 3, 3, 3)
    assert net.apply(params, state, x)[0].shape == x.shape


@pytest.mark.exhaustive
def test_max_pooling_has_forward_mode_and_second_derivatives_outside_of_jit():
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    f = lambda x: (MaxPool(2).apply({}, {}, x)[0] ** 2).sum()
    tangent = jnp.ones_like(x)
    assert jax.jvp(f, (x,), (tangent,))[1] == 2 * (5 + 7 + 13 + 15)
    assert jax.jvp(jax.grad(f), (x,), (tangent,))[1].sum() == 2 * 4
    assert jax.hessian(f)(x).sum() == 2 * 4


@dataclass(frozen=True)
class Optional(Composite):
    layers: tuple

    def run(self, call, x):
        for i, layer in enumerate(self.layers, 1):
            x = (
                call.child(f"layers{i}", layer, x)
                if layer is not None
                else call.join(lambda a: 2 * a, x)
            )
        return x


def test_edits_keep_what_stands_among_the_layers_of_a_setting():
    net = Optional((Conv(4, 3, padding=1), None, Relu()))
    assert with_method(net, "auto") == net
    assert replace(net, "layers3", Tanh()) == Optional((Conv(4, 3, padding=1), None, Tanh()))


@dataclass(frozen=True)
class Down(Layer):
    """It says no out_shape."""

    def apply(self, params, state, x, *, train=False, key=None):
        return x[:, ::2, ::2], state


def test_an_out_shape_that_is_not_said_is_traced():
    net = Sequential(c=Conv(3, 1), d=Down(), c2=Conv(4, 1))
    assert summary(net, (8, 8, 1)).totals.macs == 64 * 3 + 16 * 12
    assert (
        net_field(Sequential(*dict(net.layers).values(), GlobalAvgPool()), (8, 8, 1))[0].size == 7
    )
    assert net.out_shape((8, 8, 1)) == (4, 4, 4)


def test_an_apply_that_is_not_as_out_shape_says_is_refused(x):
    @dataclass(frozen=True)
    class Wrong(Down):
        def out_shape(self, in_shape):
            return in_shape

    with pytest.raises(
        ShapeError,
        match=r"^w: Wrong.apply gives \(3, 3, 3, 3\) for x of shape \(3, 6, 6, 3\), but out_shape "
        r"says \(6, 6, 3\)",
    ):
        Sequential(w=Wrong()).apply({}, {}, x)


@dataclass(frozen=True)
class Doubled(Dense):
    def apply(self, params, state, x, *, train=False, key=None):
        y, state = super().apply(params, state, x, train=train, key=key)
        return 2 * y, state


@dataclass(frozen=True)
class DoubledConv(Conv):
    def apply(self, params, state, x, *, train=False, key=None):
        y, state = super().apply(params, state, x, train=train, key=key)
        return 2 * y, state


@dataclass(frozen=True)
class Twice(Identity):
    def function(self, x):
        return 2 * x


@dataclass(frozen=True)
class Sums(GlobalAvgPool):
    def apply(self, params, state, x, *, train=False, key=None):
        return x.sum((1, 2)), state


@dataclass(frozen=True)
class ByRow(Layer):
    """Its axis 1 is the features of a row, and the height of a map."""

    def apply(self, params, state, x, *, train=False, key=None):
        return x / jnp.linalg.norm(x, axis=1, keepdims=True), state


@pytest.mark.parametrize(
    "net",
    [
        Sequential(f=Flatten(), d=Doubled(3)),
        Sequential(s=Sums(), d=Dense(2)),
        Sequential(c=Conv(4, 3), f=Flatten(), h=Dense(4), r=ByRow(), d=Dense(2)),
    ],
)
def test_a_head_that_gives_other_numbers_on_a_map_is_not_converted(net):
    params, _ = net.init(KEY, IMAGE)
    with pytest.raises(
        LayerError,
        match="(Doubled|Sums|ByRow) does not give the numbers it gives on a row|has no image to "
        "slide over",
    ):
        convolutionalize(net, params, IMAGE)


def test_classes_derived_from_ours_that_compute_anew_are_not_taken_for_ours(x, filled, close):
    net = Sequential(i=Twice(), c=Conv(4, 6))
    with pytest.raises(LayerError):
        fully_connect(net, net.init(KEY, IMAGE)[0], IMAGE)
    net = Sequential(c=Conv(4, 3), double=Twice(), bn=BatchNorm())
    params, state = filled(net, IMAGE)
    close(_folded(net, params, state, x), net.apply(params, state, x)[0], 1e-5)
    assert passes(Sequential(c=DoubledConv(4, 3)), IMAGE, 2) == []
    with pytest.raises(LayerError, match="DoubledConv"):
        conv_as_dense(DoubledConv(4, 3), {"kernel": jnp.ones((3, 3, 3, 4))}, IMAGE)


def _folded(net, params, state, x):
    folded, params, state = fold_batch_norm(net, params, state)
    return folded.apply(params, state, x)[0]


def test_what_can_be_overwritten_is_not_inherited_by_a_class_that_computes_anew():
    @dataclass(frozen=True)
    class CRelu(Relu):
        def out_shape(self, in_shape):
            return (*in_shape[:-1], 2 * in_shape[-1])

        def apply(self, params, state, x, *, train=False, key=None):
            return jnp.concatenate([jax.nn.relu(x), jax.nn.relu(-x)], -1), state

    net = Sequential(c=Conv(3, 1), r=CRelu())
    assert summary(net, (4, 4, 1)).totals.values == 16 + 48 + 96
    assert streaming_peak(net, (4, 4, 1)) == 48 + 96


class Scaled(Sequential):
    """A Sequential with a run of its own, and an __init__ of its own."""

    def __init__(self, width):
        super().__init__(c=Conv(width, 1), r=Relu())

    def run(self, call, x):
        return super().run(call, call.join(lambda a: 10 * a, x))


def test_a_sequential_of_ones_own(x, filled):
    net = Scaled(2)
    with pytest.raises(LayerError, match="Scaled"):
        features(net, "r")
    assert (
        isinstance(with_method(net, "lax"), Scaled) and with_method(net, "lax")["c"].method == "lax"
    )
    assert gradcheck(net, (3, 3, 2)).passed


def test_folding_follows_the_net_at_test_time(x, filled, close):
    @dataclass(frozen=True)
    class Switch(Composite):
        c: Layer
        b: Layer

        def run(self, call, x):
            y = call.child("c", self.c, x)
            z = call.child("b", self.b, y)
            return z if call.train else y

    net = Switch(Conv(3, 3, padding=1), BatchNorm())
    params, state = filled(net, IMAGE)
    close(_folded(net, params, state, x), net.apply(params, state, x)[0], 1e-6)


def test_activations_carry_the_state_of_a_shared_loop(x):
    @dataclass(frozen=True)
    class Count(Layer):
        def statistics(self, in_shape):
            return {"n": Parameter((), zeros)}

        def apply(self, params, state, x, *, train=False, key=None):
            return x + state["n"].astype(x.dtype), {"n": state["n"] + 1}

    net = Repeat(Count(), 3, shared=True)
    params, state = net.init(KEY, IMAGE)
    assert np.array_equal(
        activations(net, params, state, x)["layer#3"], net.apply(params, state, x)[0]
    )


def test_what_pairs_the_examples_of_a_batch_is_unknown():
    @dataclass(frozen=True)
    class Gram(Layer):
        def apply(self, params, state, x, *, train=False, key=None):
            apart = jnp.abs(x[:, None] - x[None]).sum(-1)
            return jnp.concatenate([x, jnp.exp(-apart).sum(1, keepdims=True)], -1), state

    assert budget(Sequential(f=Flatten(), g=Gram(), d=Dense(2)), (4, 4, 2), 2).saved is None


@dataclass(frozen=True)
class To32(Layer):
    def apply(self, params, state, x, *, train=False, key=None):
        return x.astype(jnp.float32), state


@pytest.mark.parametrize(
    ("net", "dtype"),
    [
        (Sequential(c=Conv(8, 1), n=To32(), s=Sigmoid(), d=Conv(4, 1), t=Tanh()), "bfloat16"),
        (Sequential(n=Normalize(1.0, 2.0), c=Conv(4, 1), d=Conv(2, 1)), "uint8"),
    ],
)
def test_saved_bytes_follow_the_dtype(net, dtype):
    more, few = (residuals(net, IMAGE, batch, dtype) for batch in (3, 2))
    assert saved_bytes(net, IMAGE, dtype) == more - few


def test_settings_that_share_a_name_with_ours_are_left_alone():
    @dataclass(frozen=True)
    class Bits(Layer):
        precision: int = 8
        method: str = "round"
        features: tuple = (1, 2)

        def apply(self, params, state, x, *, train=False, key=None):
            return x, state

    net = Sequential(q=Bits(), c=Conv(8, 1))
    changed = thin(with_method(with_precision(net, "highest"), "im2col"), 0.5)
    assert changed["q"] == Bits()
    assert (changed["c"].method, changed["c"].precision) == ("im2col", "highest")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (
            lambda x: jax.pure_callback(
                lambda a: np.asarray(a) @ np.eye(3, dtype=np.float32),
                jax.ShapeDtypeStruct(x.shape, x.dtype),
                x,
            ),
            None,
        ),
        (
            lambda x: jnp.linalg.solve(
                jnp.broadcast_to(jnp.eye(3) + 1, (*x.shape, 3)), x[..., None]
            )[..., 0],
            0,
        ),
    ],
)
def test_products_elsewhere_are_unknown_and_those_of_a_gradient_none(function, expected):
    own = type(
        "Own",
        (Layer,),
        {"apply": lambda self, params, state, x, *, train=False, key=None: (function(x), state)},
    )
    assert macs_of(own(), IMAGE) == expected


class Pair(NamedTuple):
    a: int = 1
    b: int = 2


@dataclass(frozen=True)
class Odd(Layer):
    setting: Any = None

    def apply(self, params, state, x, *, train=False, key=None):
        return x, state


def test_json_refuses_what_would_come_back_as_another_thing():
    with pytest.raises(LayerError, match="^a/setting: a setting of type Pair cannot be saved"):
        to_json(Sequential(a=Odd(Pair())))
    own = type("Relu", (Odd,), {"__module__": "mine"})
    with pytest.raises(LayerError, match="^a: Relu is called as a layer of jconv's own"):
        to_json(Sequential(a=own()))
    assert from_json(to_json(Sequential(a=Odd(3))), own=[Odd]) == Sequential(a=Odd(3))


class Undeclared(Layer):
    """It sets an attribute that nothing compares."""

    def __init__(self, n):
        object.__setattr__(self, "n", n)


@dataclass(frozen=True)
class Hides(Layer):
    statistics: bool = True


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Sequential(a=Undeclared(2)), "^Undeclared defines __init__ and is no dataclass"),
        (
            lambda: Hides(),
            "^Hides: a setting cannot be called 'statistics', which is a method of every layer",
        ),
        (
            lambda: Odd(jnp.ones(3)),
            "^Odd: setting is of type ArrayImpl, which does not hash; .* an array belongs to "
            "`parameters`",
        ),
    ],
)
def test_settings_that_are_none_are_refused(build, words):
    with pytest.raises(TypeError, match=words):
        build()


@dataclass(frozen=True)
class Forgets(Layer):
    def apply(self, params, state, x, *, train=False, key=None):
        return x


@dataclass(frozen=True)
class Loses(Layer):
    def statistics(self, in_shape):
        return {"n": Parameter((), zeros), "m": Parameter((), zeros)}

    def apply(self, params, state, x, *, train=False, key=None):
        return x, {"n": state["n"]}


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (
            Forgets(),
            "^a: Forgets.apply returned .*; \\(y, state\\) was expected: `return y, state`",
        ),
        (Loses(), "^a: Loses.apply returned a state without 'm', which it declares"),
    ],
)
def test_an_apply_that_returns_another_thing_is_named(layer, words, x, filled):
    net = Sequential(a=layer)
    with pytest.raises(LayerError, match=words):
        net.apply({}, {"a": {"n": jnp.zeros(()), "m": jnp.zeros(())}}, x)


def test_a_gradient_check_of_an_init_of_ones_own():
    """Lists among the parameters, integers among them and in the state, and a name with a slash in
    it.
    """

    @dataclass(frozen=True)
    class Mixed(Layer):
        def init(self, key, in_shape):
            order = jnp.arange(in_shape[-1])[::-1]
            return {"list": [jnp.ones(in_shape[-1]), order], "a/b": jnp.ones(())}, {"order": order}

        def apply(self, params, state, x, *, train=False, key=None):
            gain, order = params["list"]
            return (x * gain.reshape(1, 1, 1, -1) * params["a/b"])[..., order][
                ..., state["order"]
            ], state

    check = gradcheck(Sequential(m=Mixed()), IMAGE)
    assert check.passed and {leaf.name for leaf in check.leaves} == {"m/list/0", "m/a/b", "(input)"}


def test_parameters_that_are_no_arrays_are_named(x):
    @dataclass(frozen=True)
    class Gain(Layer):
        def parameters(self, in_shape):
            return {"gain": Parameter(in_shape[-1:], ones)}

        def apply(self, params, state, x, *, train=False, key=None):
            return x * params["gain"], state

    with pytest.raises(
        LayerError,
        match=r"^g: the gain of Gain is of type float, an array of shape \(3,\) was expected",
    ):
        Sequential(g=Gain()).apply({"g": {"gain": 1.0}}, {}, x)
