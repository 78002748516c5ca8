"""Sequential, Residual, Concat: what they compute, what they call things, and how they go through
JAX's transformations.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import (
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Identity,
    LayerError,
    LocalResponseNorm,
    MaxPool,
    MaxUnpool,
    Relu,
    Residual,
    Scale,
    Sequential,
    ShapeError,
    walk,
)
from jconv.layer import child_key

IMAGE = (7, 5, 3)
KEY = jax.random.key(0)
NET = Sequential(
    stage2=Sequential(
        block1=Residual(
            Sequential(
                conv1=Conv(4, 3, padding=1, bias=False),
                bn1=BatchNorm(),
                relu1=Relu(),
                conv2=Conv(4, 3, padding=1),
            ),
            shortcut=Conv(4, 1),
        ),
    ),
    pool=GlobalAvgPool(),
    fc=Dense(2),
)


def images(rng, count=2, shape=IMAGE):
    return jnp.asarray(rng.standard_normal((count, *shape)), jnp.float32)


# What they compute
# --------------------------------------------------------------------------------------------------


def test_sequential_is_one_after_another(filled, rng, close):
    net = Sequential(a=Conv(4, 3), b=Scale(), c=Relu())
    params, state = filled(net, IMAGE)
    x = images(rng)
    y, _ = Conv(4, 3).apply(params["a"], {}, x)
    y, _ = Scale().apply(params["b"], {}, y)
    close(net.apply(params, state, x)[0], np.maximum(y, 0), 1e-6)


def test_residual_is_then_of_the_sum(filled, rng, close):
    x = images(rng)
    net = Residual(Scale(), shortcut=Scale())
    params, _ = filled(net, IMAGE)
    one, other = (Scale().apply(params[name], {}, x)[0] for name in ("body", "shortcut"))
    close(net.apply(params, {}, x)[0], np.maximum(one + other, 0), 1e-6)
    close(Residual(Identity(), then=Identity()).apply({}, {}, x)[0], 2 * x, 1e-6)
    assert [name for name, _ in net.children] == ["body", "shortcut", "then"]
    assert Residual(Scale()) == Residual(Scale(), Identity(), Relu())


def test_concat_joins_along_channels_in_the_order_given(filled, rng):
    net = Concat(z=Conv(2, 1), a=Identity(), m=MaxPool(3, 1, padding=1))
    params, _ = filled(net, IMAGE)
    x = images(rng)
    y, _ = net.apply(params, {}, x)
    assert net.out_shape(IMAGE) == y.shape[1:] == (7, 5, 8)
    np.testing.assert_array_equal(y[..., 2:5], x)
    np.testing.assert_array_equal(y[..., :2], Conv(2, 1).apply(params["z"], {}, x)[0])


def test_every_layer_draws_by_a_key_of_its_own():
    x, key = jnp.ones((3, 50)), jax.random.key(0, impl="unsafe_rbg")
    run = lambda net: net.apply({}, {}, x, train=True, key=key)[0]
    twice = Concat(a=Dropout(), b=Sequential(a=Dropout()))
    one, other = jnp.split(run(twice), 2, axis=-1)
    assert (one != other).any()
    np.testing.assert_array_equal(
        one, Dropout().apply({}, {}, x, train=True, key=child_key(key, "a"))[0]
    )
    # the others' draws stay, as their parameters do
    longer = Concat(new=Dropout(), b=twice["b"], a=twice["a"])
    np.testing.assert_array_equal(run(longer)[:, 50:], jnp.concatenate([other, one], axis=-1))


def test_state_changes_only_in_training_and_only_where_it_belongs(filled, rng):
    net = Sequential(
        bn=BatchNorm(), relu=Relu(), block=Residual(BatchNorm(scale=False)), drop=Dropout()
    )
    params, state = filled(net, IMAGE)
    x = images(rng)
    _, kept = net.apply(params, state, x)
    assert all(a is b for a, b in zip(jax.tree.leaves(kept), jax.tree.leaves(state), strict=True))
    before = jax.tree.map(np.array, state)
    _, new = net.apply(params, state, x, train=True, key=jax.random.key(0, impl="unsafe_rbg"))
    assert jax.tree.structure(new) == jax.tree.structure(state)
    assert all(
        (np.asarray(a) != np.asarray(b)).all()
        for a, b in zip(jax.tree.leaves(new), jax.tree.leaves(state), strict=True)
    )
    for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(a, b)  # the state that came in is untouched


def test_layers_without_arrays_are_absent_from_the_trees():
    params, state = jax.eval_shape(lambda key: NET.init(key, IMAGE), KEY)
    assert {name: set(tree) for name, tree in params.items()} == {
        "stage2": {"block1"},
        "fc": {"kernel", "bias"},
    }
    assert {name: set(tree) for name, tree in params["stage2"]["block1"]["body"].items()} == {
        "conv1": {"kernel"},
        "bn1": {"scale", "bias"},
        "conv2": {"kernel", "bias"},
    }
    assert set(state) == {"stage2"}
    assert set(state["stage2"]["block1"]["body"]) == {"bn1"}


# Names
# --------------------------------------------------------------------------------------------------


def test_positional_layers_are_named_by_kind_and_count():
    net = Sequential(Conv(4, 3), Relu(), Conv(4, 3), MaxPool(2), last=Relu())
    assert [name for name, _ in net.layers] == ["conv1", "relu1", "conv2", "maxpool1", "last"]
    assert net["conv2"] == Conv(4, 3)
    assert repr(Sequential(Relu(), end=Flatten())) == "Sequential(relu1=Relu(), end=Flatten())"


def test_every_key_follows_from_the_name():
    """Inserting a named layer leaves the others' parameters bit-identical."""
    short = Sequential(a=Dense(3), b=Sequential(c=Dense(3), d=Dense(3)))
    long = Sequential(
        new=Dense(3), b=Sequential(also=Dense(3), d=Dense(3), c=Dense(3)), more=Scale(), a=Dense(3)
    )
    before, _ = short.init(KEY, (3,))
    after, _ = long.init(KEY, (3,))
    for path in (("a",), ("b", "c"), ("b", "d")):
        one, other = before, after
        for name in path:
            one, other = one[name], other[name]
        np.testing.assert_array_equal(one["kernel"], other["kernel"])
    kernels = {
        a.tobytes()
        for path, a in jax.tree_util.tree_leaves_with_path(jax.device_get(after))
        if path[-1].key == "kernel"
    }
    assert len(kernels) == 5  # and no two layers draw the same


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (
            lambda: Sequential(),
            ValueError,
            r"^Sequential: no layers given, at least one was expected; Identity\(\) is the layer "
            r"that does",
        ),
        (lambda: Concat(), ValueError, "^Concat: no layers given"),
        (
            lambda: Sequential(**{"a/b": Relu()}),
            ValueError,
            "^Sequential: the name 'a/b' may not be empty or hold '/' or '#', which separate",
        ),
        (lambda: Concat(**{"": Relu()}), ValueError, "^Concat: the name '' may not be empty"),
        (
            lambda: Sequential(a=Relu(), b=max),
            TypeError,
            "^Sequential: b is <built-in function max>, a layer was expected; wrap a function",
        ),
        (
            lambda: Sequential(Relu),
            TypeError,
            r"^Sequential: type1 is the class Relu, a layer was expected; write Relu\(...\)",
        ),
        (
            lambda: Sequential(Relu(), relu1=Relu()),
            ValueError,
            "^Sequential: 2 layers are called 'relu1'; the automatic and the given names",
        ),
        (
            lambda: Sequential([Relu()]),
            TypeError,
            r"^Sequential: list1 is a list, layers were expected one by one; write "
            r"Sequential\(\*layers",
        ),
        (
            lambda: Sequential({"a": Relu()}),
            TypeError,
            r"^Sequential: dict1 is a dict, layers were expected by name; write Sequential\(\*\*",
        ),
        (lambda: Residual(3), TypeError, "^Residual: body is 3, a layer was expected$"),
        (
            lambda: Residual(Relu),
            TypeError,
            r"^Residual: body is the class Relu, a layer was expected; write Relu\(...\)",
        ),
        (
            lambda: Sequential(nasafime=Relu(), tudibedapa=Relu()),
            ValueError,
            "^Sequential: the names 'nasafime' and 'tudibedapa' have one crc32, so they would draw "
            "the same parameters; rename one",
        ),
    ],
)
def test_names_and_children_that_cannot_be(build, error, words):
    with pytest.raises(error, match=words):
        build()


# Errors that name the place
# --------------------------------------------------------------------------------------------------

CONV2 = "stage2/block1/body/conv2"


def nested(conv2=None, **layers):
    """NET with another conv2, or with layers after it."""
    body = Sequential(conv1=Conv(4, 3, padding=1), conv2=conv2 or Conv(4, 3, padding=1), **layers)
    return Sequential(stage2=Sequential(block1=Residual(body, shortcut=Conv(4, 1))))


@pytest.mark.parametrize(
    "call",
    [
        lambda net: net.out_shape(IMAGE),
        lambda net: net.init(KEY, IMAGE),
        lambda net: list(walk(net, IMAGE)),
    ],
)
@pytest.mark.parametrize(
    ("net", "words"),
    [
        (
            nested(Conv(4, 9)),
            f"^{CONV2}: a 9-wide window does not fit 7 pixels padded by \\(0, 0\\); use "
            "padding=\\(1, 1\\) or more",
        ),
        (
            nested(Conv(4, 3, groups=4), conv3=Conv(4, 3, groups=2)),
            "^stage2/block1: body gives \\(3, 1, 4\\) but shortcut gives \\(7, 5, 4\\)",
        ),
        (
            nested(Conv(6, 3, padding=1, groups=3)),
            f"^{CONV2}: 3 groups do not divide the 4 channels of the input; use a divisor of 4$",
        ),
        (
            nested(Conv(4, (3, 3, 3))),
            f"^{CONV2}: window=\\(3, 3, 3\\) has 3 entries but the input has 2 spatial axes; give "
            "2, or one int",
        ),
        (
            nested(Conv(4, 2, stride=2, rounding="exact")),
            f"^{CONV2}: \\(W - F \\+ pad\\)/S \\+ 1 = .* is not an integer",
        ),
        (
            nested(Conv(5, 3, padding=1)),
            "^stage2/block1: body gives \\(7, 5, 5\\) but shortcut gives .*, and they are added; "
            "give the shortcut",
        ),
        (
            Sequential(conv=Conv(4, 3), fc=Dense(3)),
            r"^fc: the input shape \(5, 3, 4\) has 3 axes, \(features,\) was expected; put a "
            r"Flatten",
        ),
        (
            Sequential(f=Flatten(), c=Conv(4, 3)),
            r"^c: the input shape \(105,\) has 0 spatial axes, 1 to 3 were expected: one example's",
        ),
        (
            Sequential(mix=Concat(a=Conv(4, 1), b=Conv(4, 3))),
            r"^mix/b: gives \(5, 3, 4\), but a gives \(7, 5, 4\): branches may differ in",
        ),
        (
            Sequential(r=Residual(Identity(), then=MaxPool(9))),
            "^r/then: a 9-wide window does not fit 7 pixels",
        ),
    ],
)
def test_a_shape_that_cannot_be_names_its_layer_before_any_array_exists(net, words, call):
    with pytest.raises(ShapeError, match=words):
        call(net)


def applied(net, x, init_shape=IMAGE, **settings):
    """apply with parameters for init_shape, traced only."""
    params, state = jax.eval_shape(lambda key: net.init(key, init_shape), KEY)
    return jax.eval_shape(
        lambda params, state, x: net.apply(params, state, x, **settings), params, state, x
    )


def shaped(*shape, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(shape, dtype)


POOLS = Residual(MaxPool(2, rounding="ceil"), shortcut=AvgPool(2))
BRANCHES = Concat(a=MaxPool(2, rounding="ceil"), b=AvgPool(2))


@pytest.mark.parametrize(
    ("net", "x", "words"),
    [
        (
            NET,
            shaped(7, 5, 3),
            r"^stage2/block1/body/conv1: x of shape \(7, 5, 3\) for the kernel of shape \(3, 3, 3, "
            r"4\): .*lacks the batch axis",
        ),
        (
            NET,
            shaped(2, 1, 7, 5, 3),
            r"^stage2/block1/body/conv1: x of shape \(2, 1, 7, 5, 3\) .*or init was given a shape "
            r"with the batch axis",
        ),
        (
            NET,
            shaped(2, 7, 5, 4),
            r"^stage2/block1/body/conv1: x of shape \(2, 7, 5, 4\) for the kernel .*: Conv "
            r"declares \(3, 3, 4, 4\) for it; initialise for this",
        ),
        (
            NET,
            shaped(2, 3, 7, 5),
            r"^stage2/block1/body/conv1: .*: Conv declares .*; x is channels-first, it seems: give "
            r"jnp.moveaxis",
        ),
        (
            NET,
            shaped(2, 7, 5, 3, dtype=jnp.uint8),
            "^stage2/block1/body/conv1: the input has dtype uint8, a floating-point one was "
            "expected",
        ),
        (
            Sequential(a=Conv(2, 3), b=Conv(2, 3)),
            shaped(2, 4, 4, 3),
            "^b: a 3-wide window does not fit 2 pixels padded by",
        ),
        (
            Sequential(f=Flatten(), fc=Dense(2)),
            shaped(2, 7, 6, 3),
            r"^fc: x of shape \(2, 126\) for a kernel of shape \(105, 2\): 126 features came, 105 "
            r"were expected; no square image with 3",
        ),
        (
            Sequential(pool=MaxPool(2), f=Flatten(), fc=Dense(2)),
            shaped(2, 11, 9, 3),
            r"^fc: .*: 60 features came, 18 were expected; no square image",
        ),
        (
            Sequential(bn=BatchNorm()),
            shaped(2, 7, 5, 1),
            r"^bn: x of shape \(2, 7, 5, 1\) for the scale of shape \(3,\): BatchNorm declares "
            r"\(1,\) for it; initialise for this input",
        ),
        (
            Sequential(s=Sequential(s=Scale())),
            shaped(2, 7, 5, 4),
            r"^s/s: x of shape \(2, 7, 5, 4\) for the scale of shape \(3,\): Scale declares",
        ),
    ],
)
@pytest.mark.parametrize("train", [False, True])
def test_a_wrong_batch_names_the_layer_it_comes_to(net, x, words, train):
    with pytest.raises(LayerError, match=words):
        applied(net, x, train=train)


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (
            Sequential(a=Sequential(r=POOLS)),
            r"^a/r: body gives \(4, 3, 3\) but shortcut gives \(3, 2, 3\), and they are added",
        ),
        (POOLS, r"^body gives \(4, 3, 3\) but"),
        (
            Sequential(a=Sequential(m=BRANCHES)),
            r"^a/m/b: gives \(3, 2, 3\), but a gives \(4, 3, 3\): branches may differ in channels "
            r"only",
        ),
        (BRANCHES, r"^b: gives \(3, 2, 3\), but a gives"),
    ],
)
def test_branches_that_part_at_another_size_than_inits_say_so(net, words):
    with pytest.raises(ShapeError, match=words):
        applied(net, shaped(2, 7, 5, 3), init_shape=(8, 6, 3))


def test_a_residual_never_broadcasts():
    net = Residual(
        Sequential(p=MaxPool(2, padding=((0, 1), 0)), q=AvgPool(1)), shortcut=MaxPool((3, 2), 2)
    )
    with pytest.raises(ShapeError, match=r"^body gives \(2, 2, 3\) but shortcut gives \(1, 2, 3\)"):
        net.apply({}, {}, jnp.zeros((1, 3, 4, 3)))


def test_a_missing_key_in_training_names_the_layer(filled, rng):
    net = Sequential(head=Residual(Sequential(drop=Dropout(0.3))))
    x = images(rng)
    net.apply({}, {}, x)  # needs none at test time
    words = (
        r"^head/body/drop: Dropout draws in training and got no key; call apply\(..., train=True, "
        r"key=jax.random.key\(0\)\)$"
    )
    with pytest.raises(LayerError, match=words):
        net.apply({}, {}, x, train=True)


@pytest.mark.parametrize(
    ("params", "state", "words"),
    [
        (
            {},
            {},
            r"^a/bn: 'mean' is missing: BatchNorm declares it, and state holds nothing; pass what "
            r"init",
        ),
        (
            {"a": {"bn": {}}},
            {"a": {"bn": {"mean": np.zeros(3)}}},
            "^a/bn: 'var' is missing: BatchNorm declares it, and state holds mean; pass what",
        ),
        (
            {"b": {}},
            {"a": {"bn": {"mean": np.zeros(3), "var": np.ones(3)}}},
            "^b: 'kernel' is missing: Conv declares it",
        ),
    ],
)
def test_trees_of_another_net_name_the_layer_and_what_is_missing(params, state, words):
    net = Sequential(a=Sequential(bn=BatchNorm(scale=False, bias=False)), b=Conv(4, 3))
    with pytest.raises(LayerError, match=words):
        net.apply(params, state, jnp.zeros((1, *IMAGE)))


# JAX's transformations
# --------------------------------------------------------------------------------------------------


def loss(params, state, x, train=False):
    y, state = NET.apply(params, state, x, train=train)
    return (y**2).sum(), state


def test_per_example_gradients_by_vmap_equal_a_loop(filled, rng, close, compiled):
    params, state = filled(NET, IMAGE)
    x = images(rng, 3)
    gradient = lambda params, x: jax.grad(lambda p: loss(p, state, x[None])[0])(params)
    each = compiled(jax.vmap(gradient, (None, 0)))(params, x)
    one = compiled(gradient)
    close(
        each,
        jax.tree.map(lambda *leaves: jnp.stack(leaves), *(one(params, image) for image in x)),
        1e-4,
    )


def test_training_steps_go_through_scan(filled, rng, close, compiled):
    params, state = filled(NET, IMAGE)
    batches = images(rng, 3 * 4).reshape(3, 4, *IMAGE)

    def step(carry, x):
        params, state = carry
        gradient, state = jax.grad(loss, has_aux=True)(params, state, x, train=True)
        return (jax.tree.map(lambda p, g: p - 0.01 * g, params, gradient), state), gradient["fc"][
            "bias"
        ]

    (scanned, scanned_state), biases = compiled(lambda *carry: jax.lax.scan(step, carry, batches))(
        params, state
    )
    one = compiled(step)
    carry = params, state
    for x in batches:
        carry, bias = one(carry, x)
    close((scanned, scanned_state), carry, 1e-4)
    close(biases[-1], bias, 1e-4)


def test_checkpoint_policies_know_every_output_by_its_path(filled, rng, close, compiled, capsys):
    params, state = filled(NET, IMAGE)
    x = images(rng)
    f = lambda params: loss(params, state, x, train=True)[0]

    def saved(*names):
        remat = jax.checkpoint(f, policy=jax.checkpoint_policies.save_only_these_names(*names))
        jax.ad_checkpoint.print_saved_residuals(remat, params)
        return remat, [
            line.split(" from ")[0]
            for line in capsys.readouterr().out.splitlines()
            if " named " in line
        ]

    remat, kept = saved("stage2/block1/body/conv2", "pool")
    assert sorted(kept) == [
        "f32[2,4] named 'pool'",
        "f32[2,7,5,4] named 'stage2/block1/body/conv2'",
    ]
    assert saved("conv2")[1] == []
    close(compiled(jax.grad(remat))(params), compiled(jax.grad(f))(params), 1e-4)


def test_a_net_is_a_static_argument(filled, rng):
    traces = []

    @partial(jax.jit, static_argnums=0)
    def run(net, params, state, x):
        traces.append(net)
        return net.apply(params, state, x)[0]

    twin = Sequential(conv=Conv(2, 3), relu=Relu())
    params, state = filled(twin, IMAGE)
    x = images(rng)
    one = run(Sequential(conv=Conv(2, 3), relu=Relu()), params, state, x)
    np.testing.assert_array_equal(run(twin, params, state, x), one)
    assert len(traces) == 1  # equal nets share one program
    run(Sequential(conv=Conv(2, 3), relu=Identity()), params, state, x)
    assert len(traces) == 2


def test_init_goes_through_jit_and_vmap():
    net = Sequential(a=Dense(3))
    init = lambda key: net.init(key, (2,))[0]["a"]["kernel"]
    keys = jax.random.split(KEY, 2)
    np.testing.assert_array_equal(
        jax.jit(jax.vmap(init))(keys), jnp.stack([init(key) for key in keys])
    )


def test_operations_carry_the_path_of_their_layer():
    net = Sequential(stage=Sequential(norm=LocalResponseNorm(3)))
    text = (
        jax.jit(lambda x: net.apply({}, {}, x)[0]).lower(shaped(1, *IMAGE)).as_text(debug_info=True)
    )
    assert "stage/norm" in text


def test_the_wrong_image_for_a_dense_head_is_told_the_sizes_that_work(filled):
    net = Sequential(conv=Conv(2, 3), pool=MaxPool(2), flat=Flatten(), head=Sequential(fc=Dense(5)))
    params, state = filled(net, (10, 10, 3))
    words = (
        "head/fc: .* 50 features came, 32 were expected; images of 10 to 11 pixels a side give "
        "that, these have 12x12: resize them"
    )
    with pytest.raises(ShapeError, match=words):
        net.apply(params, state, jnp.zeros((2, 12, 12, 3)))


def test_a_layer_is_found_by_name_or_path_and_siblings_are_named():
    net = Sequential(conv1=Conv(2, 3), stage=Sequential(relu=Relu(), block=Residual(Conv(2, 3))))
    assert net["conv1"] == Conv(2, 3) and net["stage/block/body"] == Conv(2, 3)
    with pytest.raises(KeyError, match="the net has no layer called 'conv9'; it has conv1, stage"):
        net["conv9"]
    with pytest.raises(KeyError, match="stage has no layer called 'conv1'; it has relu, block"):
        net["stage/conv1"]
    with pytest.raises(KeyError, match="conv1 has no layer called 'kernel'; it has none"):
        net["conv1/kernel"]


def test_values_go_back_to_the_maxima():
    x = jnp.asarray([[1.0, 5.0, 2.0], [3.0, 4.0, 9.0]]).reshape(1, 2, 3, 1)
    y, _ = MaxUnpool(Scale()).apply(
        {"body": {"scale": jnp.full(1, 2.0), "bias": jnp.zeros(1)}}, {}, x
    )
    assert y[0, :, :, 0].tolist() == [[0, 10, 0], [0, 0, 0]]
    with pytest.raises(
        ShapeError,
        match=r"body: gives \(1, 1, 4\) of the pooled image, \(1, 1, 1\), whose shape it has to "
        r"keep",
    ):
        MaxUnpool(Conv(4, 1)).out_shape((2, 3, 1))
    with pytest.raises(ValueError, match="window=0"):
        MaxUnpool(Relu(), 0)
