"""The method setting: its words, what a method cannot serve, and another method for each
operation.
"""

import itertools
import re

import jax.numpy as jnp
import pytest

from jconv import (
    AvgPool,
    Conv,
    ConvTranspose,
    Dense,
    Local,
    LocalResponseNorm,
    LpPool,
    MaxPool,
    Relu,
    Sequential,
    from_json,
    ops,
    to_json,
)
from jconv.errors import ShapeError
from jconv.ops.methods import (
    EACH,
    METHODS,
    OPERATIONS,
    WHOLE,
    check_method,
    check_whole,
    per_operation,
    serving,
)

SHAPES = {  # what serves it
    "plain": (
        (2, 7, 5, 4),
        (3, 2, 4, 6),
        1,
        {"direct", "derived", "im2col", "columns", "winograd"},
    ),
    "thin": (
        (2, 7, 5, 1),
        (3, 2, 1, 6),
        1,
        {"direct", "derived", "im2col", "columns", "shift", "chunked", "winograd"},
    ),
    "large": ((2, 9, 7), (5, 7, 6), 1, {"direct", "derived", "im2col", "columns", "fft"}),
    "pointwise": ((2, 7, 5, 4), (1, 1, 4, 6), 1, {"direct", "derived", "im2col", "matmul"}),
    "grouped": ((2, 7, 5, 4), (3, 2, 2, 6), 2, {"direct", "derived", "im2col", "split", "loop"}),
    "depthwise": (
        (2, 7, 5, 3),
        (3, 2, 1, 6),
        3,
        {"direct", "derived", "im2col", "split", "loop", "shift", "chunked"},
    ),
    "3d": (
        (2, 5, 4, 3, 2),
        (3, 2, 2, 2, 5),
        1,
        {"direct", "derived", "im2col", "columns", "fold", "winograd"},
    ),
    "3d pointwise": (
        (2, 5, 4, 3, 2),
        (1, 1, 1, 2, 5),
        1,
        {"direct", "derived", "im2col", "fold", "matmul"},
    ),
    "3d grouped": (
        (2, 5, 4, 3, 4),
        (3, 2, 2, 2, 6),
        2,
        {"direct", "derived", "im2col", "split", "loop"},
    ),
}
ALL = (
    "'auto', 'lax', 'im2col', 'direct', 'derived', 'matmul', 'columns', 'split', 'loop', 'shift', "
    "'chunked', 'fold', 'phases', 'winograd', 'fft', 'product'"
)


@pytest.mark.parametrize("x, k, groups, methods", SHAPES.values(), ids=SHAPES)
def test_serving(x, k, groups, methods, convolution):
    assert set(serving(k, convolution(x, k, groups=groups))) == methods


@pytest.mark.sweep(1)
@pytest.mark.parametrize("name", SHAPES)
def test_each_operation_by_another_method_gives_the_same_numbers(
    name, rng, x64, compiled, close, pull
):
    """Every method in every place."""
    x, k, groups, methods = SHAPES[name]
    ring = sorted(methods)
    triples = [tuple(ring[(i + j) % len(ring)] for j in range(3)) for i in range(len(ring))]
    assert {(i, word) for triple in triples for i, word in enumerate(triple)} == set(
        itertools.product(range(3), methods)
    )
    settings = dict(
        groups=groups, stride=(*(1,) * (len(x) - 3), 1 if "fft" in methods else 2), padding=1
    )
    arrays = [rng.standard_normal(shape) for shape in (x, k)]
    run = lambda method: lambda x, k: ops.conv(x, k, **settings, method=method)
    ct = rng.standard_normal(run("im2col")(*arrays).shape)
    expected, *actual = compiled(
        lambda ct, *a: [pull(run(method), *a, ct=ct) for method in ("im2col", *triples)]
    )(ct, *arrays)
    for triple, result in zip(triples, actual, strict=True):
        try:
            close(result, expected, 1e-12)
        except AssertionError as error:
            error.add_note(str(triple))
            raise


@pytest.fixture
def ran(monkeypatch):
    """Which method ran which operation, in order."""
    calls = []

    def spied(name, operation):
        f = getattr(METHODS[name], operation)

        def run(a, b, *, geometry, precision):
            calls.append((operation, name))
            return f(a, b, geometry=geometry, precision=precision)

        return run

    for name in METHODS:
        monkeypatch.setitem(
            METHODS,
            name,
            METHODS[name]._replace(
                **{operation: spied(name, operation) for operation in OPERATIONS}
            ),
        )
    return calls


@pytest.mark.parametrize(
    "method", list(itertools.permutations(("matmul", "direct", "im2col"))) + [("matmul",) * 3]
)
def test_each_operation_runs_by_its_word(method, ran, normal, compiled, pull):
    word = method if len(set(method)) > 1 else method[0]  # one word for all three
    x, k, y = normal(2, 7, 5, 4), normal(1, 1, 4, 6), normal(2, 7, 5, 6)
    compiled(lambda x, k, y: pull(lambda x, k: ops.conv(x, k, method=word), x, k, ct=y))(x, k, y)
    assert sorted(ran) == sorted(zip(OPERATIONS, method, strict=True))
    ran.clear()
    # of another size: what was traced once is not traced again
    x, y = (normal(3, 7, 5, 4), normal(3, 7, 5, 6))
    compiled(lambda y, k, x: pull(lambda y, k: ops.conv_transpose(y, k, method=word), y, k, ct=x))(
        y, k, x
    )
    assert sorted(ran) == sorted(zip(OPERATIONS, method, strict=True))


def test_a_word_for_each():
    assert per_operation("auto") == ("auto", "auto", "auto")
    assert per_operation(["direct", "auto", "im2col"]) == ("direct", "auto", "im2col")
    assert set(EACH) - {"auto"} == set(METHODS)
    assert set(WHOLE) - set(EACH) == {"lax"}


@pytest.mark.parametrize(
    "method, words",
    [
        ("gemm", f"unknown method 'gemm'; use {ALL}"),
        ("", f"unknown method ''; use {ALL}"),
        (
            ("auto", "gemm", "auto"),
            "unknown method 'gemm'; use 'auto', 'direct', 'derived', 'im2col', 'matmul'",
        ),
        # it has no operations of ours
        (
            ("auto", "auto", "lax"),
            "unknown method 'lax'; use 'auto', 'direct', 'derived', 'im2col'",
        ),
        (
            ("auto", "direct"),
            "method ('auto', 'direct') has 2 entries; give one word, or one for each of forward, "
            "input_gradient, kernel",
        ),
        (
            ("direct",) * 4,
            "method ('direct', 'direct', 'direct', 'direct') has 4 entries; give one word, or one "
            "for each of forward, input_gradient, kernel_gradient",
        ),
        ((), "method () has 0 entries"),
    ],
)
def test_a_setting_that_is_no_method(method, words):
    x, k = jnp.zeros((2, 7, 5, 4)), jnp.zeros((3, 2, 4, 6))
    calls = [
        lambda: check_method(method),
        lambda: ops.conv(x, k, method=method),
        lambda: ops.conv_transpose(x, k[..., :4], method=method),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
            call()
    for layer in (Conv, ConvTranspose):
        with pytest.raises(ValueError, match=f"^{layer.__name__}: {re.escape(words)}"):
            layer(4, 3, method=method)


@pytest.mark.parametrize(
    "name, method, words",
    [
        (
            "plain",
            "matmul",
            "method 'matmul' needs a window of one position and one group, but this is a "
            "convolution of (7, 5) by (3, 2)",
        ),
        (
            "plain",
            "matmul",
            "windows over 4 channels in 1 groups; use \"auto\", or one of 'direct', 'derived', "
            "'im2col'",
        ),
        (
            "grouped",
            "matmul",
            "windows over 4 channels in 2 groups; use \"auto\", or one of 'direct', 'derived', "
            "'im2col', 'split', 'loop'",
        ),
        ("plain", "split", "method 'split' needs more than one group, but"),
        ("pointwise", "loop", "method 'loop' needs more than one group, but"),
        ("pointwise", "loop", "use \"auto\", or one of 'direct', 'derived', 'im2col', 'matmul'"),
        ("grouped", "shift", "method 'shift' needs one input channel a group, but"),
        ("grouped", "chunked", "method 'chunked' needs one input channel a group, but"),
        ("depthwise", "fold", "method 'fold' needs three spatial axes and one group, but"),
        (
            "3d grouped",
            "fold",
            "method 'fold' needs three spatial axes and one group, but this is a convolution of "
            "(5, 4, 3) by (3, 2, 2)",
        ),
        ("plain", ("auto", "direct", "matmul"), "method 'matmul' needs a window of one position"),
        ("3d", ("fold", "shift", "auto"), "method 'shift' needs one input channel a group"),
    ],
)
def test_a_method_that_cannot_do_it_names_those_that_can(name, method, words):
    x, k, groups, _ = SHAPES[name]
    y = (*x[:-1], k[-1])
    for call in (
        lambda: ops.conv(jnp.zeros(x), jnp.zeros(k), groups=groups, method=method),
        lambda: Conv(k[-1], k[:-2], groups=groups, bias=False, method=method).apply(
            {"kernel": jnp.zeros(k)}, {}, jnp.zeros(x)
        ),
    ):
        with pytest.raises(ShapeError, match=re.escape(words)):
            call()
    with pytest.raises(ShapeError, match=re.escape(words.split(", but")[0].split("; ")[-1])):
        ops.conv_transpose(jnp.zeros(y), jnp.zeros(k), groups=groups, method=method)


@pytest.mark.parametrize("word", ["direct", "matmul", "shift", "gemm", ("auto",) * 3])
def test_what_is_no_convolution_knows_whole_words_only(word):
    words = f"unknown method {word!r}; use 'auto', 'lax', 'im2col'"
    x = jnp.zeros((2, 7, 5, 3))
    for call in (
        lambda: check_whole(word),
        lambda: ops.max_pool(x, 2, method=word),
        lambda: ops.avg_pool(x, 2, method=word),
        lambda: ops.lp_pool(x, 2, method=word),
        lambda: ops.local_conv(x, jnp.zeros((6, 4, 2, 2, 3, 5)), size=2, method=word),
        lambda: ops.local_response_norm(x, method=word),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
            call()
    for layer in (
        lambda: MaxPool(2, method=word),
        lambda: AvgPool(2, method=word),
        lambda: LpPool(2, method=word),
    ):
        with pytest.raises(
            ValueError,
            match=re.escape(words) if isinstance(word, str) else "method=.*, a word was expected",
        ):
            layer()
    for layer in (lambda: Local(4, 3, method=word), lambda: LocalResponseNorm(method=word)):
        with pytest.raises(
            ValueError,
            match=re.escape(words) if isinstance(word, str) else "method=.*, a word was expected",
        ):
            layer()
    check_whole("lax")


def test_a_triple_in_a_net_goes_to_json_and_back():
    triple = ("matmul", "auto", "im2col")
    net = Sequential(
        conv=Conv(4, 1, method=triple),
        relu=Relu(),
        up=ConvTranspose(3, 2, method=triple),
        fc=Dense(2),
    )
    again = from_json(to_json(net))
    assert again == net
    assert hash(again) == hash(net)
    assert again["conv"].method == again["up"].method == triple
    assert net != Sequential(conv=Conv(4, 1), relu=Relu(), up=ConvTranspose(3, 2), fc=Dense(2))
    with pytest.raises(
        ValueError,
        match=re.escape(
            "conv: Conv does not take these settings: Conv: unknown method 'gemm'; use 'auto', "
            "'direct'"
        ),
    ):
        from_json(to_json(net).replace("matmul", "gemm"))


def test_a_list_of_words_is_kept_as_a_tuple():
    assert hash(Conv(4, 3, method=["direct"] * 3)) == hash(Conv(4, 3, method=("direct",) * 3))
