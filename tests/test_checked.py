"""Every layer's apply is held to what the layer declares: its arrays, its input and its mode."""

import re
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LayerError,
    Local,
    Parameter,
    Relu,
    Sequential,
    ShapeError,
)
from jconv.layers import ones

IMAGE = (7, 5, 3)
NET = Sequential(block=Sequential(conv=Conv(4, 3), bn=BatchNorm()), flatten=Flatten(), fc=Dense(2))


@pytest.fixture
def x(rng):
    return jnp.asarray(rng.standard_normal((2, *IMAGE)), jnp.float32)


@pytest.mark.parametrize(
    ("layer", "shape", "kernel", "words"),
    [
        (
            Conv(16, 3),
            IMAGE,
            (16, 3, 3, 3),
            "declares (3, 3, 3, 16) for it; the kernel is in PyTorch's order: give "
            "kernel.transpose(2, 3, 1, 0)",
        ),
        (Conv(6, (3, 2), groups=3), IMAGE, (6, 1, 3, 2), "the kernel is in PyTorch's order"),
        (
            Conv(16, 3, padding=1),
            IMAGE,
            (5, 5, 3, 16),
            "declares (3, 3, 3, 16) for it; initialise for this input, init(key, (7, 5, 3))",
        ),
        (Conv(16, 3), IMAGE, (3, 3, 3, 17), "Conv declares (3, 3, 3, 16)"),
        (Conv(16, 3), IMAGE, (3, 3, 16), "their ranks disagree"),
        (ConvTranspose(4, 3), IMAGE, (3, 4, 3, 3), "the kernel is in PyTorch's order"),
        (Dense(10), (8,), (10, 8), "the kernel is in PyTorch's order: give kernel.transpose(1, 0)"),
        (Dense(10), (8,), (8, 4), "Dense declares (8, 10)"),
        (Dense(10), (8,), (9, 10), "8 features came, 9 were expected"),
        (Local(2, 3), IMAGE, (5, 3, 3, 3, 3, 3), "Local declares (5, 3, 3, 3, 3, 2)"),
    ],
)
def test_parameters_of_another_shape_are_refused_with_both(layer, shape, kernel, words):
    params = {"kernel": jnp.ones(kernel), "bias": jnp.zeros(layer.parameters(shape)["bias"].shape)}
    for inside in (False, True):
        net, given = (
            (Sequential(a=Sequential(b=layer)), {"a": {"b": params}}) if inside else (layer, params)
        )
        with pytest.raises(
            ShapeError, match=re.escape(str(kernel)) + ".*" + re.escape(words)
        ) as error:
            net.apply(given, {}, jnp.ones((1, *shape)))
        assert str(error.value).startswith("a/b: x of shape" if inside else "x of shape")


@pytest.mark.parametrize(
    ("layer", "params", "state", "words"),
    [
        (
            Conv(4, 3),
            {"kernel": jnp.ones((3, 3, 3, 4))},
            {},
            "'bias' is missing: Conv declares it, and params holds kernel; pass what init",
        ),
        (
            Conv(4, 3, bias=False),
            {"kernel": jnp.ones((3, 3, 3, 4)), "bias": jnp.ones(4)},
            {},
            "params holds 'bias', which Conv does not declare; it",
        ),
        (
            Relu(),
            {"kernel": jnp.ones(3)},
            {},
            "params holds 'kernel', which Relu does not declare; it declares none",
        ),
        (
            BatchNorm(),
            {"scale": jnp.ones(3), "bias": jnp.ones(3)},
            {"mean": jnp.ones(3)},
            "'var' is missing: BatchNorm declares it, and state holds mean",
        ),
        (
            BatchNorm(),
            {"scale": jnp.ones(3), "bias": jnp.ones(3)},
            {"mean": jnp.ones(4), "var": jnp.ones(3)},
            "the mean of shape (4,)",
        ),
        (
            Conv(4, 3),
            [jnp.ones((3, 3, 3, 4))],
            {},
            "Conv: params is of type list, a dict of arrays by name was expected",
        ),
    ],
)
def test_arrays_missing_or_too_many_are_named(layer, params, state, words):
    with pytest.raises(LayerError, match=re.escape(words)):
        layer.apply(params, state, jnp.ones((2, *IMAGE)))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ([], "^params is of type list, a dict with 'block' in it was expected"),
        (
            {"block": jnp.ones(3)},
            "^block: params is of type ArrayImpl, a dict with 'conv' in it was expected",
        ),
        (
            {"block": {"conv": jnp.ones(3)}},
            "^block/conv: Conv: params is of type ArrayImpl, a dict of arrays by name was expected",
        ),
    ],
)
def test_trees_that_are_none(params, words, filled):
    _, state = filled(NET, IMAGE)
    with pytest.raises(LayerError, match=words):
        NET.apply(params, state, jnp.ones((2, *IMAGE)))


def test_a_layer_of_ones_own_is_held_to_its_declaration_too():
    @dataclass(frozen=True)
    class Own(Layer):
        def parameters(self, in_shape):
            return {"gain": Parameter(in_shape[-1:], ones)}

        def apply(self, params, state, x, *, train=False, key=None):
            return x * params["gain"], state

    with pytest.raises(
        ShapeError,
        match=r"^own: x of shape \(2, 7, 5, 3\) for the gain of shape \(4,\): Own declares \(3,\)",
    ):
        Sequential(own=Own()).apply({"own": {"gain": jnp.ones(4)}}, {}, jnp.ones((2, *IMAGE)))


def test_a_subclass_may_give_its_base_what_it_makes(x):
    @dataclass(frozen=True)
    class Doubled(Conv):
        def parameters(self, in_shape):
            return super().parameters(in_shape) | {"gain": Parameter((1,), ones)}

        def apply(self, params, state, x, *, train=False, key=None):
            kernel = params["kernel"] * params["gain"].reshape(1, 1, 1, 1)
            return super().apply({"kernel": kernel, "bias": params["bias"]}, state, x)

    params, _ = Doubled(4, 3).init(jax.random.key(0), IMAGE)
    assert Doubled(4, 3).apply(params, {}, x)[0].shape == (2, 5, 3, 4)
    with pytest.raises(LayerError, match="'gain' is missing"):
        Doubled(4, 3).apply({name: params[name] for name in ("kernel", "bias")}, {}, x)


class Tensor:
    """An array of another library's."""

    def __init__(self, a, fails=False):
        self.a, self.fails = a, fails

    def __array__(self, dtype=None, copy=None):
        if self.fails:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() "
                "instead."
            )
        return np.asarray(self.a, dtype)


@pytest.mark.parametrize(
    "other", [lambda a: a.astype(np.float64), lambda a: a.tolist(), Tensor, np.asfortranarray]
)
@pytest.mark.parametrize("net", [NET, Conv(4, 3)], ids=["net", "layer"])
def test_arrays_of_other_kinds_give_what_jit_gives(net, other, x, filled, close):
    params, state = filled(net, IMAGE)
    y, _ = net.apply(params, state, other(np.asarray(x)))
    close(y, jax.jit(net.apply)(params, state, x)[0], 1e-5)
    assert y.dtype == jnp.float32


@pytest.mark.parametrize(
    ("x", "words"),
    [
        ("images", "Sequential: x is of type str, which is no array of numbers"),
        ([[1.0], [1.0, 2.0]], "Sequential: x is of type list, which is no array of numbers"),
        (None, "Sequential: x is of type NoneType, which is no array of numbers"),
        (Tensor(0, fails=True), "Sequential: x is of type Tensor, .* Use tensor.detach"),
    ],
)
def test_what_is_no_array_is_named(x, words, filled):
    params, state = filled(NET, IMAGE)
    with pytest.raises(LayerError, match=words):
        NET.apply(params, state, x)


@pytest.mark.parametrize("net", [NET, Dropout(0.5)], ids=["net", "layer"])
def test_train_is_static(net, x, filled):
    params, state = filled(net, IMAGE)
    with pytest.raises(
        LayerError,
        match="train is traced, but it decides what is computed and is static; give it as "
        "static_argnames='train'",
    ):
        jax.jit(net.apply)(params, state, x, train=True)
    with pytest.raises(LayerError, match="train is 'yes', True or False was expected"):
        net.apply(params, state, x, train="yes")
    step = jax.jit(net.apply, static_argnames="train")
    assert (
        step(params, state, x, train=np.bool_(True), key=jax.random.key(0))[0].shape
        == step(params, state, x)[0].shape
    )


def test_a_wrong_input_says_what_came(filled):
    params, _ = filled(Conv(4, 3), IMAGE)
    with pytest.raises(ShapeError, match=r"x of shape \(3,\) lacks the batch axis"):
        Conv(4, 3).apply(params, {}, jnp.ones(3))
    with pytest.raises(
        ShapeError,
        match=r"a 3-wide window does not fit 2 pixels .* \(x has shape \(1, 2, 2, 3\): a batch "
        r"axis, then one example\)",
    ):
        Conv(4, 3).apply(params, {}, jnp.ones((1, 2, 2, 3)))
    with pytest.raises(
        ShapeError, match=r"x is channels-first, it seems: give jnp.moveaxis\(x, 1, -1\)"
    ):
        Conv(4, 3).apply(params, {}, jnp.ones((1, 3, 7, 5)))
