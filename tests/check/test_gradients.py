import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from balanced_html import read

from jconv import (
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    InputError,
    Lambda,
    LayerError,
    LocalResponseNorm,
    MaxPool,
    PRelu,
    Relu,
    Sequential,
    Tanh,
    gradcheck,
    ops,
)
from jconv.check import GradientCheck
from jconv.layers import lecun_normal

SHAPE = (7, 5, 2)
NET = Sequential(
    conv=Conv(3, 3, stride=2, padding=1),
    bn=BatchNorm(),
    relu=Relu(),
    drop=Dropout(0.3),
    pool=MaxPool(2),
    norm=LocalResponseNorm(3, alpha=0.5),
    flatten=Flatten(),
    fc=Dense(2),
)


@pytest.mark.sweep(1)
@pytest.mark.parametrize("train", [False, True])
def test_a_right_net_passes(train):
    check = gradcheck(NET, SHAPE, train=train, directions=2)
    assert check.passed, str(check)
    assert [leaf.name for leaf in check.leaves] == [
        *("bn/bias", "bn/scale", "conv/bias", "conv/kernel", "fc/bias", "fc/kernel", "(input)"),
    ]
    assert [leaf.size for leaf in check.leaves] == [3, 3, 3, 54, 2, 12, 3 * 70]
    assert check.forward < 1e-12
    for leaf in check.leaves:
        assert 0 <= leaf.numeric <= check.tolerance
        # it has no twin
        assert (
            math.isnan(leaf.twin)
            if leaf.name.startswith("bn/")
            else 0 <= leaf.twin <= check.twin_tolerance
        )
    assert max(leaf.numeric for leaf in check.leaves) > 0  # something was measured


def test_the_table_names_every_leaf_and_the_verdict():
    check = gradcheck(Dense(2), (3,), directions=1)
    head, rule, *rows, last = str(check).splitlines()
    assert head.split() == [
        "gradient",
        "of",
        "values",
        "numeric",
        "error",
        "twin",
        "error",
        "redrawn",
    ]
    assert set(rule) == {"-"}
    assert [row.split()[0] for row in rows if set(row) != {"-"}] == [
        "bias",
        "kernel",
        "(input)",
        "output",
    ]
    assert all(row.endswith("ok") for row in rows[:3])
    assert last == f"passed in float64 at highest precision; worst: {check.worst.name}"
    norm = gradcheck(BatchNorm(), (3,), directions=1)
    # a norm has no twin
    assert ["-" in str(one).splitlines()[2].split() for one in (check, norm)] == [False, True]


def test_every_coordinate_on_request():
    check = gradcheck(
        Sequential(conv=Conv(2, 2), flatten=Flatten(), fc=Dense(2)), (3, 2, 1), per_coordinate=True
    )
    assert check.passed, str(check)


def test_functions_of_arrays(rng):
    x, kernel = rng.standard_normal((2, 7, 3)), rng.standard_normal((3, 3, 4))
    conv = lambda x, kernel, method="auto": ops.conv(x, kernel, stride=2, padding=1, method=method)
    check = gradcheck(conv, x, kernel, twin=lambda x, kernel: conv(x, kernel, "im2col"))
    assert check.passed, str(check)
    assert [(leaf.name, leaf.size) for leaf in check.leaves] == [
        ("argument 0", 42),
        ("argument 1", 36),
    ]
    assert math.isnan(gradcheck(jnp.sin, x[0]).forward)  # without a twin there is none to compare


# Planted bugs
# --------------------------------------------------------------------------------------------------


@pytest.fixture
def arrays(rng):
    return rng.standard_normal((2, 7, 3)), rng.standard_normal((3, 3, 4))


def with_gradient(f, backward):
    """f with a gradient of one's own: backward(x, ..., dy) -> one cotangent an argument."""
    g = jax.custom_vjp(f)
    g.defvjp(lambda *args: (f(*args), args), lambda args, dy: backward(*args, dy))
    return g


def test_a_kernel_that_is_not_flipped_is_found(arrays):
    conv = lambda x, kernel: ops.conv(x, kernel, padding=1)

    def backward(x, kernel, dy, step=1):
        _, right = jax.vjp(conv, x, kernel)
        return ops.conv(dy, jnp.swapaxes(kernel[::step], 1, 2), padding=1), right(dy)[1]

    check = gradcheck(with_gradient(conv, backward), *arrays)
    assert not check.passed
    assert [leaf.passed for leaf in check.leaves] == [False, True]
    assert check.worst.name == "argument 0"
    assert check.worst.numeric > 0.01
    assert "FAILED in float64 at highest precision; worst: argument 0" in str(check)
    flipped = with_gradient(conv, lambda x, kernel, dy: backward(x, kernel, dy, -1))
    assert gradcheck(flipped, *arrays).passed
    # and a twin that is wrong in its gradient alone
    check = gradcheck(conv, *arrays, twin=with_gradient(conv, backward))
    assert [leaf.passed for leaf in check.leaves] == [False, True]
    assert check.worst.name == "argument 0"
    assert check.forward <= check.twin_tolerance


def test_padding_on_the_wrong_side_is_found_by_the_twin(arrays):
    conv = lambda padding: lambda x, kernel: ops.conv(x, kernel, stride=2, padding=(padding,))
    check = gradcheck(conv((1, 0)), *arrays, twin=conv((0, 1)))
    assert not check.passed
    assert check.forward > 0.01
    # its own gradient is right
    assert all(leaf.numeric <= check.tolerance for leaf in check.leaves)
    assert all(leaf.twin > 0.01 for leaf in check.leaves)
    assert gradcheck(conv((1, 0)), *arrays, twin=conv((1, 0))).passed


@pytest.mark.parametrize(("constant", "right"), [(2.0, True), (1.0, False)])
def test_a_wrong_constant_in_the_gradient_of_lrn_is_found(constant, right, arrays):
    n, alpha, beta = 3, 0.5, 0.75
    lrn = lambda x: ops.local_response_norm(x, size=n, alpha=alpha, beta=beta)

    def backward(x, dy):  # the CS231n notese; `constant` is its 2
        near = lambda a: ops.conv(a[..., None], jnp.ones((1, n, 1, 1)), padding=(0, 1))[..., 0]
        s = 1 + alpha / n * near(x**2)
        return (dy * s**-beta - constant * alpha * beta / n * x * near(dy * x * s ** (-beta - 1)),)

    assert gradcheck(with_gradient(lrn, backward), arrays[0]).passed is right


@dataclasses.dataclass(frozen=True)
class WrongPlan(Conv):
    """A convolution whose fast path reads the kernel upside down."""

    def apply(self, params, state, x, *, train=False, key=None):
        upside_down = {**params, "kernel": params["kernel"][::-1]}
        return super().apply(params if self.method == "im2col" else upside_down, state, x)


def test_a_fast_path_that_is_another_function_is_found_by_the_im2col_twin():
    net = Sequential(conv=WrongPlan(2, 3))
    check = gradcheck(net, (4, 3, 2), directions=1)
    assert not check.passed
    assert check.forward > 0.01
    assert check.worst.name in ("conv/kernel", "(input)")
    assert all(leaf.numeric <= check.tolerance for leaf in check.leaves)
    assert gradcheck(net, (4, 3, 2), directions=1, twin=net).passed  # a twin of one's own instead


def test_gradients_that_are_not_finite_fail():
    root = lambda x: jnp.sqrt(x * x)  # 0/0 at zero
    check = gradcheck(root, np.array([0.0, 1.0, 2.0]), per_coordinate=True)
    assert not check.passed
    assert check.worst.numeric == math.inf
    assert gradcheck(lambda x: 0 * x, np.array([1.0, 2.0])).passed  # while nothing at all is right
    check = gradcheck(
        jnp.sin, np.array([1.0, 2.0]), twin=lambda x: jnp.sin(x) * jnp.where(x > 1, jnp.nan, 1)
    )
    assert not check.passed


# Kinks
# --------------------------------------------------------------------------------------------------


def test_coordinates_at_a_kink_are_left_out_and_counted():
    check = gradcheck(jax.nn.relu, np.array([0.3e-6, 1.0, -2.0]), per_coordinate=True)
    assert check.passed, str(check)
    assert check.leaves[0].redrawn == 1


def test_directions_across_a_kink_are_drawn_again_and_counted():
    check = gradcheck(
        lambda x: jax.nn.relu(x).sum() + 3 * x.sum(), np.array([0.3e-6, 1.0]), directions=5
    )
    assert check.passed, str(check)
    assert 0 < check.leaves[0].redrawn <= 20


@pytest.mark.parametrize("per_coordinate", [False, True])
def test_what_could_not_be_checked_has_not_passed(per_coordinate):
    ragged = lambda x: jnp.sin(1e9 * x)  # no two steps agree
    check = gradcheck(ragged, np.array([0.1, 0.2]), per_coordinate=per_coordinate)
    assert not check.passed
    assert math.isnan(check.worst.numeric)
    assert check.worst.redrawn == (2 if per_coordinate else 23)
    assert str(check).splitlines()[2].split()[3] == "-"


# Bad input
# --------------------------------------------------------------------------------------------------


def test_a_batch_too_small_for_batch_statistics():
    with pytest.raises(
        ValueError, match="^gradcheck: batch=2; at least 3 are needed for batch statistics to vary$"
    ):
        gradcheck(NET, SHAPE, batch=2)


def test_a_shape_that_does_not_fit_names_the_layer():
    with pytest.raises(LayerError, match="^pool: a 2-wide window does not fit 1 pixels"):
        gradcheck(NET, (2, 2, 2))
    assert isinstance(gradcheck(Dense(1), [2], directions=1), GradientCheck)


def test_products_that_name_no_precision_have_the_highest():
    """A layer of somebody else's, and a function of arrays: jax's own setting is what they compute
    by.
    """
    seen = set()

    def f(x):
        seen.add(jax.config.jax_default_matmul_precision)
        return x * x

    assert gradcheck(Sequential(own=Lambda(f)), (3,)).passed and gradcheck(f, np.ones(3)).passed
    assert seen == {None, "highest"}  # None for the shapes alone


def test_labels_stay_integers_and_trees_are_taken(rng):
    def loss(params, scores, labels):
        return optax.softmax_cross_entropy_with_integer_labels(params["w"] * scores, labels).mean()

    check = gradcheck(loss, {"w": np.float32(1.5)}, rng.random((4, 3)), np.array([0, 1, 2, 0]))
    assert check.passed, str(check)
    assert [leaf.name for leaf in check.leaves] == ["argument 0/w", "argument 1"]


@pytest.mark.parametrize(
    "args, words",
    [
        ((), "no argument is an array of floating-point numbers"),
        ((np.array([1, 2]),), "no argument is an array of floating-point numbers"),
        (("a",), "argument 0 is of type str, an array of numbers was expected"),
        (({"a": object()},), "argument 0/a is of type object"),
    ],
    ids=["none", "integers", "a word", "an object"],
)
def test_arguments_that_are_no_arrays_are_named(args, words):
    with pytest.raises(InputError, match=words):
        gradcheck(lambda *args: args[0], *args)


@pytest.mark.parametrize(
    "settings, words",
    [
        (dict(batch=0), "batch=0, a whole number"),
        (dict(batch="3"), "batch='3', a whole number"),
        (dict(directions=1.5), "directions=1.5, a whole number"),
        (dict(seed=-1), "seed=-1, a whole number from 0"),
    ],
)
def test_settings_that_cannot_be_are_named(settings, words):
    with pytest.raises(InputError, match=words):
        gradcheck(Dense(3), (4,), **settings)


@jax.custom_vjp
def wrong(x):
    return 2 * x


wrong.defvjp(lambda x: (2 * x, None), lambda _, slope: (slope,))


@pytest.mark.sweep(2)
@pytest.mark.parametrize(
    "net, suspects",
    [
        (
            Sequential(a=Conv(3, 3), b=Lambda(wrong), c=Tanh(), d=Flatten(), e=Dense(2)),
            "between a and e, in one of: a, b, c, d",
        ),
        (Sequential(a=Lambda(wrong), b=Conv(3, 3)), "in a"),
        (
            Sequential(a=Conv(3, 3), b=Tanh(), c=Lambda(wrong)),
            "between a and the output, in one of: a, b, c",
        ),
        (Sequential(a=Conv(3, 3, bias=False, kernel_init=lecun_normal()), b=Tanh()), ""),
    ],
    ids=["between", "first", "last", "none"],
)
def test_the_layer_that_may_be_wrong_is_named(net, suspects):
    check = gradcheck(net, (5, 5, 2))
    assert check.suspects == (f"the fault lies {suspects}" if suspects else "")
    assert check.passed == (not suspects) and str(check).endswith(check.suspects)


def test_a_layer_without_a_twin_shows_no_error_of_one():
    check = gradcheck(Sequential(a=Conv(3, 3), b=PRelu()), (5, 5, 2))
    twins = {leaf.name: leaf.twin for leaf in check.leaves}
    assert math.isnan(twins["b/slope"]) and twins["a/kernel"] >= 0
    row = next(line for line in str(check).splitlines() if line.startswith("b/slope"))
    assert row.split()[3] == "-"


def test_a_check_reads_well_as_the_last_line_of_a_cell():
    check = gradcheck(Dense(3), (4,))
    assert repr(check) == str(check) and len(repr(check).splitlines()) > 5


def test_a_notebook_shows_which_row_is_worst_and_whether_it_passed():
    check = gradcheck(Sequential(**{"a<b>": Dense(3)}), (4,))
    first, *others = check.leaves
    wrong = first._replace(numeric=0.5, passed=False)
    failed = dataclasses.replace(check, leaves=(wrong, *others), suspects="the fault lies in a<b>")
    for shown, state in ((check, "ok, worst"), (failed, "FAILED, worst")):
        page = read(shown._repr_html_())
        assert page.words[0] == f"Gradient check: {shown.verdict}"
        assert page.words.count(state) == 1 and page.words.count("ok") == 2
        assert [row.get("class") for row in page.named("tr")].count("marked") == 1
        assert "a<b>/bias" in page.words
    assert page.words[-1] == failed.suspects and page.named("tr")[1] == {"class": "marked"}
