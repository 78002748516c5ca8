"""The contract of a layer, for every layer there is."""

import dataclasses
import operator
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from balanced_html import read

import jconv
from jconv import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Clip,
    Composite,
    Concat,
    ContrastNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    DropPath,
    Elu,
    Flatten,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    Identity,
    InstanceNorm,
    Lambda,
    Layer,
    LayerError,
    LayerNorm,
    LeakyRelu,
    Local,
    LocalResponseNorm,
    LpPool,
    Maxout,
    MaxPool,
    MaxUnpool,
    Normalize,
    PadChannels,
    Parameter,
    PixelShuffle,
    Pointwise,
    PRelu,
    Rbf,
    Relu,
    Repeat,
    Residual,
    RMSNorm,
    Scale,
    Sequential,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Subsampling,
    Tanh,
    Tap,
    Upsample,
    from_json,
    map_layers,
    to_json,
    walk,
    with_method,
)
from jconv.layer import child_key, like
from jconv.layers import he_normal, msra_normal, ones

IMAGE, SERIES, VOLUME, FLAT = (7, 5, 6), (11, 6), (5, 4, 3, 6), (13,)
LAYERS = [
    (Conv(4, 3), IMAGE),
    (Conv(4, (3, 2), stride=2, padding=((1, 0), 1), dilation=(1, 2), groups=2, bias=False), IMAGE),
    (Conv(5, 3, padding="SAME", stride=2, method="im2col"), SERIES),
    (Conv(3, 2, padding=1, method="lax"), VOLUME),
    (Conv(3, 3, mask=((0, 2), (1,), (3, 4, 5))), IMAGE),
    (ConvTranspose(4, 3, stride=2, padding=1, extra=1), IMAGE),
    (ConvTranspose(4, (2, 3), dilation=2, groups=2, bias=False), IMAGE),
    (ConvTranspose(5, 3, stride=2, padding="SAME"), SERIES),
    (ConvTranspose(3, 2, method="im2col"), VOLUME),
    (Local(3, 3, stride=2, padding=1), IMAGE),
    (Local(3, 2, bias=False), SERIES),
    (Local(2, 2, method="lax"), VOLUME),
    (Dense(3), FLAT),
    (Rbf(3), FLAT),
    (Flatten(), IMAGE),
    (PadChannels(9), IMAGE),
    (MaxPool(2), IMAGE),
    (MaxPool(3, 2, padding=1, rounding="ceil"), SERIES),
    (MaxPool((2, 3, 1), 1), VOLUME),
    (AvgPool(3, 2, padding=1, count_padding=False), IMAGE),
    (AvgPool(2, rounding="ceil"), SERIES),
    (LpPool(2, p=3.0), IMAGE),
    (MaxPool(2, 1, dilation=2), IMAGE),
    (AvgPool((2, 2, 2), 1, padding=1, dilation=(1, 2, 1)), VOLUME),
    (AvgPool(3, 1, padding=1, padding_mode="reflect"), IMAGE),
    (Conv(4, 3, padding=1, padding_mode="circular"), IMAGE),
    (Conv(3, 3, stride=2, padding="SAME", padding_mode="replicate"), SERIES),
    (Upsample(2), IMAGE),
    (Upsample(sizes=9, mode="bilinear"), SERIES),
    (Upsample((1, 3, 2), mode="bilinear", align_corners=True), VOLUME),
    (PixelShuffle(1), IMAGE),
    (MaxUnpool(Conv(6, 3, padding=1)), IMAGE),
    (AdaptiveMaxPool((3, 2)), IMAGE),
    (AdaptiveMaxPool(4, method="im2col"), SERIES),
    (AdaptiveAvgPool((3, 2)), IMAGE),
    (AdaptiveAvgPool(4), SERIES),
    (GlobalAvgPool(), VOLUME),
    (GlobalMaxPool(), SERIES),
    (Subsampling(), IMAGE),
    (Subsampling(3, 2), SERIES),
    (BatchNorm(), IMAGE),
    (BatchNorm(decay=0.5, scale=False, unbiased=False), FLAT),
    (GroupNorm(3), IMAGE),
    (GroupNorm(2, bias=False), SERIES),
    (InstanceNorm(), IMAGE),
    (InstanceNorm(bias=False), SERIES),
    (RMSNorm(), IMAGE),
    (RMSNorm(scale=False), FLAT),
    (LayerNorm(), IMAGE),
    (LayerNorm(scale=False, bias=False), FLAT),
    (LocalResponseNorm(3, alpha=0.5), IMAGE),
    (LocalResponseNorm(3, alpha=0.5, within=True, convention="paper"), IMAGE),
    (LocalResponseNorm(4, alpha=0.5, convention="torch", method="im2col"), SERIES),
    (ContrastNorm(3, alpha=0.5), IMAGE),
    (Normalize((1.0, 2.0, 3.0, 4.0, 5.0, 6.0), 2.0), IMAGE),
    (Scale(), IMAGE),
    (Scale(bias=False), FLAT),
    (Dropout(0.4), IMAGE),
    (Dropout(0.4, channels=True), SERIES),
    (DropPath(0.4), IMAGE),
    (Identity(), IMAGE),
    (Relu(), IMAGE),
    (Clip(), IMAGE),
    (LeakyRelu(0.2), IMAGE),
    (PRelu(), IMAGE),
    (PRelu(0.1, shared=True), FLAT),
    (Elu(0.5), IMAGE),
    (Gelu(), IMAGE),
    (Gelu(approximate=False), FLAT),
    (Silu(), IMAGE),
    (Sigmoid(), IMAGE),
    (Tanh(1.7159, 2 / 3), IMAGE),
    (Softplus(), IMAGE),
    (Softplus(2.0), FLAT),
    (Softmax(), FLAT),
    (Maxout(3), IMAGE),
    (Lambda(operator.neg), IMAGE),
    (
        Sequential(
            conv=Conv(4, 3),
            bn=BatchNorm(),
            relu=Relu(),
            drop=Dropout(),
            flatten=Flatten(),
            fc=Dense(3),
        ),
        IMAGE,
    ),
    (Repeat(Sequential(conv=Conv(6, 3, padding=1), bn=BatchNorm()), 2), IMAGE),
    (Repeat(Conv(6, 3, padding=1), 2, shared=True, unroll=True), IMAGE),
    (
        Residual(
            Sequential(conv=Conv(4, 3, stride=2, padding=1), bn=BatchNorm()),
            shortcut=Conv(4, 1, stride=2),
        ),
        IMAGE,
    ),
    (Concat(a=Conv(4, 1), b=MaxPool(3, 1, padding=1)), IMAGE),
    (Tap("seen", BatchNorm()), IMAGE),
]
every_layer = pytest.mark.parametrize(
    ("layer", "in_shape"),
    LAYERS,
    ids=[f"{layer!r:.60}-{len(shape) - 1}d" for layer, shape in LAYERS],
)


def shapes(tree):
    return jax.tree.map(lambda a: a.shape, tree)


def abstract(layer: Layer, in_shape, dtype=jnp.float32, train=False):
    """What init and apply return, as shapes and dtypes: (params, state, y, new state). Nothing is
    compiled.
    """
    params, state = jax.eval_shape(lambda key: layer.init(key, in_shape), jax.random.key(0))
    x = jax.ShapeDtypeStruct((2, *in_shape), dtype)
    run = lambda key, p, s, x: layer.apply(p, s, x, train=train, key=key)
    return params, state, *jax.eval_shape(run, jax.random.key(0), params, state, x)


def test_the_list_holds_every_public_layer():
    public = {
        c
        for c in vars(jconv).values()
        if isinstance(c, type) and issubclass(c, Layer) and c not in (Layer, Composite, Pointwise)
    }
    assert {type(layer) for layer, _ in LAYERS} == public


@every_layer
@pytest.mark.parametrize("train", [False, True])
def test_out_shape_and_parameters_agree_with_what_runs(layer, in_shape, train):
    params, state, y, new = abstract(layer, in_shape, train=train)
    assert layer.out_shape(in_shape) == y.shape[1:]
    assert y.shape[0] == 2
    if not layer.children:
        assert shapes(params) == {name: p.shape for name, p in layer.parameters(in_shape).items()}
        assert shapes(state) == {name: p.shape for name, p in layer.statistics(in_shape).items()}
        assert shapes(new) == shapes(state)
    declared = sum(
        v.copies * p.size
        for v in walk(layer, in_shape)
        for p in v.layer.parameters(v.in_shape).values()
        if v.turn == 1
    )
    assert sum(a.size for a in jax.tree.leaves(params)) == declared


@every_layer
def test_bfloat16_goes_through_with_float32_parameters(layer, in_shape):
    params, state, y, new = abstract(layer, in_shape, jnp.bfloat16, train=True)
    assert y.dtype == jnp.bfloat16
    assert {a.dtype for a in jax.tree.leaves((params, state))} <= {jnp.dtype("float32")}
    assert jax.tree.map(lambda a: a.dtype, state) == {
        name: jax.tree.map(lambda a: a.dtype, new[name]) for name in state
    }


@every_layer
def test_float64_goes_through(layer, in_shape, x64):
    params, _, y, _ = abstract(layer, in_shape, jnp.float64, train=True)
    assert y.dtype == jnp.float64
    assert {a.dtype for a in jax.tree.leaves(params)} <= {jnp.dtype("float32")}


@pytest.mark.sweep(5)
@every_layer
def test_jit_changes_nothing_and_the_state_stays_at_test_time(
    layer, in_shape, filled, rng, close, compiled
):
    params, state = filled(layer, in_shape)
    x = jnp.asarray(rng.standard_normal((2, *in_shape)), jnp.float32)
    key = jax.random.key(3, impl="unsafe_rbg")  # compiles faster

    def run(params, state, x):
        y, kept = layer.apply(params, state, x)
        rest = {name: kept[name] for name in state}
        for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(rest), strict=True):
            assert new is old
        return y, layer.apply(params, state, x, train=True, key=key)

    expected = run(params, state, x)
    close(compiled(run)(params, state, x), expected, 1e-5)
    assert all(np.isfinite(a).all() for a in jax.tree.leaves(expected))


@every_layer
def test_settings_compare_hash_pickle_and_go_to_json(layer, in_shape):
    twin = (
        dataclasses.replace(layer)
        if not isinstance(layer, (Sequential, Concat))
        else layer.with_children(dict(layer.children))
    )
    assert twin is not layer
    assert twin == layer
    assert hash(twin) == hash(layer)
    assert pickle.loads(pickle.dumps(layer)) == layer
    if not isinstance(layer, Lambda):
        again = from_json(to_json(layer))
        assert again == layer
        assert repr(again) == repr(layer)
    assert [other for other, _ in LAYERS if other == layer] == [layer]


@every_layer
def test_settings_cannot_be_set(layer, in_shape):
    for field in dataclasses.fields(layer):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(layer, field.name, getattr(layer, field.name))


def test_lists_and_numpy_numbers_become_plain_settings():
    assert Conv(np.int64(4), [3, 2], padding=[[1, 0], 1]) == Conv(4, (3, 2), padding=((1, 0), 1))
    assert type(Conv(np.int64(4), 3).features) is int
    assert hash(Normalize([1.0, 2.0], np.float32(2.0))) == hash(Normalize((1.0, 2.0), 2.0))


def test_settings_that_differ_do_not_compare():
    assert Conv(4, 3) != Conv(4, 3, stride=2)
    assert Relu() != Silu()
    assert MaxPool(2) != LpPool(2)
    assert Conv(4, 3, kernel_init=msra_normal("out")) != Conv(4, 3)


@dataclasses.dataclass(frozen=True)
class Affine(Layer):
    """A layer as a user writes one."""

    start: float = 0.5

    def parameters(self, in_shape):
        return {
            "slope": Parameter(in_shape[-1:], ones),
            "offset": Parameter(
                in_shape[-1:], lambda key, shape, *fans: jnp.full(shape, self.start)
            ),
        }

    def apply(self, params, state, x, *, train=False, key=None):
        slope, offset = like(x, params["slope"], params["offset"])
        return x * slope[None] + offset[None], state


def test_a_layer_of_ones_own_needs_parameters_and_apply():
    net = Sequential(a=Affine(), b=Affine(2.0))
    params, state = net.init(jax.random.key(0), (3,))
    assert shapes(params) == {
        "a": {"slope": (3,), "offset": (3,)},
        "b": {"slope": (3,), "offset": (3,)},
    }
    y, _ = net.apply(params, state, jnp.ones((2, 3)))
    np.testing.assert_allclose(y, 3.5)
    assert net.out_shape((3,)) == (3,)


def test_a_layer_without_apply_says_so():
    with pytest.raises(NotImplementedError, match="^Layer does not define apply$"):
        Layer().apply({}, {}, jnp.zeros((1, 2)))


def test_a_parameter_counts_its_values():
    assert Parameter((2, 3, 5), ones).size == 30
    assert Parameter((290_400, 363 * 1_000_000), ones).size == 290_400 * 363_000_000  # beyond int32


def test_a_childs_key_follows_from_its_name_alone():
    data = lambda key: jax.random.key_data(key).tolist()
    key = jax.random.key(0)
    assert data(child_key(key, "conv1")) == data(jax.random.fold_in(key, np.uint32(0x110725B5)))
    assert data(child_key(key, "conv1")) != data(child_key(key, "conv2"))


@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.int32, jnp.bool_])
def test_integers_are_refused_by_what_would_truncate_them(dtype, filled):
    refusing = (
        Conv,
        ConvTranspose,
        Local,
        Dense,
        AvgPool,
        LpPool,
        AdaptiveAvgPool,
        Subsampling,
        BatchNorm,
        GroupNorm,
        LayerNorm,
    )
    refusing += (LocalResponseNorm, ContrastNorm, Scale)
    seen = set()
    for layer, in_shape in LAYERS:
        if isinstance(layer, refusing):
            seen.add(type(layer))
            params, state, x = *filled(layer, in_shape), jax.ShapeDtypeStruct((2, *in_shape), dtype)
            with pytest.raises(
                LayerError,
                match=rf"^net: the input has dtype {jnp.dtype(dtype)}, a floating-point one was "
                rf"expected; cast it",
            ):
                net = Sequential(net=layer)
                both = {"net": params}, {"net": state}
                jax.eval_shape(lambda x: net.apply(*both, x), x)  # noqa: B023
    assert seen == set(refusing)


def test_walk_lists_the_layers_in_execution_order():
    net = Sequential(
        stem=Conv(4, 3, padding=1),
        block=Residual(Sequential(b=BatchNorm(), a=Conv(4, 1)), then=Relu()),
        mix=Concat(z=Conv(2, 1), y=MaxPool(3, 1, padding=1)),
        aux=Tap("head", Sequential(pool=GlobalAvgPool(), fc=Dense(3))),
        pool=MaxPool(2),
    )
    assert [(v.path, v.in_shape, v.out_shape) for v in walk(net, IMAGE)] == [
        ("stem", (7, 5, 6), (7, 5, 4)),
        ("block/body/b", (7, 5, 4), (7, 5, 4)),
        ("block/body/a", (7, 5, 4), (7, 5, 4)),
        ("block/shortcut", (7, 5, 4), (7, 5, 4)),
        ("block/then", (7, 5, 4), (7, 5, 4)),
        ("mix/z", (7, 5, 4), (7, 5, 2)),
        ("mix/y", (7, 5, 4), (7, 5, 4)),
        ("aux/body/pool", (7, 5, 6), (6,)),
        ("aux/body/fc", (6,), (3,)),
        ("pool", (7, 5, 6), (3, 2, 6)),
    ]
    assert [(v.path, v.layer) for v in walk(Conv(4, 3), IMAGE)] == [("", Conv(4, 3))]


def test_map_layers_goes_inside_out_and_leaves_the_old_net_alone():
    net = Sequential(
        a=Conv(4, 3),
        block=Residual(Sequential(b=Conv(4, 1)), shortcut=Conv(4, 1)),
        tap=Tap("t", Conv(2, 1)),
    )
    before = to_json(net)
    seen = []

    def double(path, layer):
        seen.append(path)
        return (
            dataclasses.replace(layer, features=2 * layer.features)
            if isinstance(layer, Conv)
            else layer
        )

    doubled = map_layers(net, double)
    assert seen == [
        "a",
        "block/body/b",
        "block/body",
        "block/shortcut",
        "block/then",
        "block",
        "tap/body",
        "tap",
        "",
    ]
    assert [v.layer.features for v in walk(doubled, IMAGE) if isinstance(v.layer, Conv)] == [
        8,
        8,
        8,
        4,
    ]
    assert to_json(net) == before


def test_with_method_reaches_every_layer_that_has_one_and_gives_the_same_numbers(
    filled, rng, close, compiled
):
    net = Sequential(
        conv=Conv(4, 3, padding=1),
        norm=LocalResponseNorm(3, alpha=0.5),
        block=Residual(Sequential(conv=Conv(4, 3, padding=1), pool=AvgPool(3, 1, padding=1))),
        pool=MaxPool(2),
        local=Local(3, 2),
    )
    twin = with_method(net, "im2col")
    methods = [v.layer.method for v in walk(twin, IMAGE) if hasattr(v.layer, "method")]
    assert methods == ["im2col"] * 6
    assert with_method(twin, "auto") == net
    params, state = filled(net, IMAGE)
    x = jnp.asarray(rng.standard_normal((2, *IMAGE)), jnp.float32)
    y, other = compiled(lambda p, s, x: (net.apply(p, s, x)[0], twin.apply(p, s, x)[0]))(
        params, state, x
    )
    close(other, y, 1e-5)
    each = ("direct", "im2col", "auto")
    assert [
        v.layer.method for v in walk(with_method(net, each), IMAGE) if hasattr(v.layer, "method")
    ] == [
        each,
        "auto",
        each,
        "auto",
        "auto",
        "auto",
    ]
    with pytest.raises(
        ValueError, match=r"^unknown method 'fast'; use 'auto', 'lax', 'im2col', 'direct', "
    ):
        with_method(net, "fast")


def test_a_layer_reads_as_it_is_written():
    assert (
        repr(Conv(64, 7, stride=2, padding=3, bias=False))
        == "Conv(64, 7, stride=2, padding=3, bias=False)"
    )
    assert repr(Relu()) == "Relu()" and repr(Dense(10, kernel_init=he_normal())).startswith(
        "Dense(10, kernel_init=Initializer('truncated"
    )
    assert (
        repr(Sequential(conv1=Conv(2, 3), relu=Relu()))
        == "Sequential(conv1=Conv(2, 3), relu=Relu())"
    )
    assert (
        repr(Residual(Identity())) == "Residual(Identity())"
        and repr(Upsample(sizes=3)) == "Upsample(sizes=3)"
    )


@every_layer
def test_what_is_shown_makes_the_layer_again(layer, in_shape):
    if "Lambda" not in repr(layer):
        assert eval(repr(layer), vars(jconv)) == layer


def test_a_long_net_is_shown_as_a_tree():
    net = Sequential(
        stem=Conv(64, 7),
        blocks=Sequential(*(Residual(Conv(64, 3, padding=1)) for _ in range(9))),
        head=Dense(1000),
    )
    lines = repr(net).splitlines()
    assert lines[1] == "    stem=Conv(64, 7),"
    assert lines[3] == "        residual1=Residual(Conv(64, 3, padding=1))," and lines[-1] == ")"
    assert eval(repr(net), vars(jconv)) == net


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Conv(4, kernel_size=3), "Conv has no setting 'kernel_size'; it is called kernel"),
        (lambda: Conv(filters=4, kernel=3), "Conv has no setting 'filters'; it is called features"),
        (lambda: Conv(4, 3, strides=2), "Conv has no setting 'strides'; it is called stride"),
        (lambda: Conv(4, 3, use_bias=False), "it is called bias"),
        (lambda: Conv(4, 3, in_channels=3), "the channels come from the input; leave it out"),
        (lambda: MaxPool(pool_size=2), "MaxPool has no setting 'pool_size'; it is called window"),
        (lambda: MaxPool(kernel_size=2), "it is called window"),
        (lambda: BatchNorm(momentum=0.1), "decay is the share kept, 1 - momentum of PyTorch's"),
        (lambda: BatchNorm(epsilon=1e-3), "it is called eps"),
        (lambda: Dropout(p=0.5), "it is called rate"),
        (lambda: LeakyRelu(negative_slope=0.1), "it is called slope"),
        (lambda: Dense(3, featurs=4), "did you mean features"),
        (lambda: Relu(inplace=True), "arrays do not change in jax"),
    ],
)
def test_a_setting_by_another_librarys_name_is_told_ours(make, words):
    with pytest.raises(TypeError, match=words):
        make()


@pytest.mark.parametrize("init", [he_normal, jax.nn.initializers.he_normal])
def test_an_initializer_that_was_not_called_is_told_so(init):
    with pytest.raises(LayerError, match=r"he_normal.*write he_normal\(\)"):
        Conv(4, 3, kernel_init=init).init(jax.random.key(0), (8, 8, 1))


def test_an_initializer_that_gives_another_shape_is_named():
    def flat(key, shape, dtype):
        return jnp.zeros(3, dtype)

    with pytest.raises(
        LayerError,
        match=r"conv1: flat gave an array of shape \(3,\), an array of shape \(3, 3, 1, 4\) was "
        r"expected",
    ):
        Sequential(Conv(4, 3, kernel_init=flat)).init(jax.random.key(0), (8, 8, 1))


@pytest.mark.parametrize("key", [0, 7, "0", 1.5, np.array([0, 1])])
def test_what_is_no_key_is_named(key):
    for run in (lambda: Dense(3).init(key, (4,)), lambda: Sequential(Dense(3)).init(key, (4,))):
        with pytest.raises(
            LayerError, match=r"key is .*, a random key was expected: jax.random.key\(\d\)"
        ):
            run()
    with pytest.raises(LayerError, match="a random key was expected"):
        Dropout().apply({}, {}, jnp.ones((2, 3)), train=True, key=key)


@pytest.mark.parametrize(
    "shape",
    [[11, 6], np.array([11, 6]), (np.int64(11), 6), iter((11, 6))],
    ids=["list", "array", "numpy", "iterator"],
)
def test_a_shape_may_come_in_any_form(shape):
    shape = list(shape)
    for layer in (
        Residual(Conv(6, 3, padding=1)),
        Concat(a=Identity(), b=Conv(2, 1)),
        ConvTranspose(2, 2, stride=2),
    ):
        assert layer.out_shape(shape) == layer.out_shape((11, 6))
        assert jax.tree.map(jnp.shape, layer.init(jax.random.key(0), shape)) == jax.tree.map(
            jnp.shape, layer.init(jax.random.key(0), (11, 6))
        )


@every_layer
def test_a_notebook_shows_every_layer_with_its_settings(layer, in_shape):
    page = read(layer._repr_html_())
    words = " ".join(page.words)
    assert type(layer).__name__ in words
    assert len(page.named("li")) >= len([*walk(layer, in_shape)])
    assert " at 0x" not in words  # where a function lies says nothing


def test_a_notebook_shows_a_net_as_a_tree():
    double = Lambda(lambda x: 2 * x)
    net = Sequential(**{"a<b>": Conv(4, 3, stride=2)}, block=Residual(double, then=Relu()))
    assert read(net._repr_html_()).words == [
        *("Sequential", "2 inside", "a<b>", "Conv", "4, 3, stride=2", "block", "Residual"),
        *("3 inside", "body", "Lambda", "<lambda>", "shortcut", "Identity", "then", "Relu"),
    ]


def test_a_setting_too_long_for_a_row_is_cut():
    (cut,) = read(Conv(3, 3, mask=((0, 1, 2, 3, 4, 5),) * 3)._repr_html_()).words[1:]
    assert cut.startswith("3, 3, mask=((0, 1, 2") and cut.endswith("…") and len(cut) < 64


def test_a_layer_of_a_strangers_is_shown_as_well():
    @dataclasses.dataclass(frozen=True)
    class Mine(Layer):
        gain: float = 1.0

        def apply(self, params, state, x, *, train=False, key=None):
            return self.gain * x, state

    assert read(Mine(2.5)._repr_html_()).words == ["Mine", "gain=2.5"]
