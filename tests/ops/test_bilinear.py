"""The three bilinear operations: each other's transposes, and one batching rule for them all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import ops
from jconv.geometry import window
from jconv.ops.bilinear import forward_p, input_gradient_p, kernel_gradient_p
from jconv.ops.methods import direct
from jconv.ops.shapes import Geometry

METHOD = ("auto",) * 3
WINDOW = window((7, 5), (3, 2), stride=(2, 1), padding=((0, 2), (1, 0)), dilation=(1, 2))
SHAPES = {"x": (3, 7, 5, 4), "k": (3, 2, 2, 6), "y": (3, *WINDOW.out_sizes, 6)}
OPERATIONS = [
    pytest.param(forward_p, "xk", "y", id="forward"),
    pytest.param(input_gradient_p, "yk", "x", id="input_gradient"),
    pytest.param(kernel_gradient_p, "xy", "k", id="kernel_gradient"),
]


LOWERED = {
    forward_p: direct.forward,
    input_gradient_p: direct.input_gradient,
    kernel_gradient_p: direct.kernel_gradient,
}


def bind(primitive, groups=2, w=WINDOW):
    return lambda *operands: primitive.bind(
        *operands, geometry=Geometry(w, groups), precision=None, method=METHOD
    )


@pytest.fixture
def arrays(rng):
    """One array of each kind, with more axes in front when asked."""
    return lambda kinds, *batch: [
        jnp.asarray(rng.standard_normal((*batch, *SHAPES[kind]))) for kind in kinds
    ]


def test_each_is_a_transpose_of_the_others(arrays, compiled, x64, close):
    x, k, y = arrays("xky")
    outputs = compiled(
        lambda x, k, y: [
            bind(forward_p)(x, k),
            bind(input_gradient_p)(y, k),
            bind(kernel_gradient_p)(x, y),
        ]
    )(x, k, y)
    forward, *others = (np.vdot(a, b) for a, b in zip((y, x, k), outputs, strict=True))
    close(others, [forward, forward], 1e-12)


@pytest.mark.parametrize("primitive, kinds, result", OPERATIONS)
def test_gradients_equal_those_of_the_lowered_form(
    primitive, kinds, result, arrays, compiled, x64, close, pull
):
    """Through the primitive by its transposition table, and through the lax program that runs
    it.
    """
    operands, (ct,) = arrays(kinds), arrays(result)
    program = lambda a, b: LOWERED[primitive](a, b, geometry=Geometry(WINDOW, 2), precision=None)
    actual, expected = compiled(
        lambda ct, *a: (pull(bind(primitive), *a, ct=ct), pull(program, *a, ct=ct))
    )(ct, *operands)
    close(actual, expected, 1e-12)


@pytest.mark.sweep(2)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("primitive, kinds, result", OPERATIONS)
def test_batching(primitive, kinds, result, groups, rng, compiled, x64, close):
    """vmap over either operand, both, along any axis, and twice over, against one call an
    example.
    """
    single = bind(primitive, groups)
    a, b = (
        rng.standard_normal((5, *(SHAPES | {"k": (3, 2, 4 // groups, 6)})[kind])) for kind in kinds
    )

    def everything(a, b):
        each = lambda *axes: jnp.stack(
            [single(a[i] if axes[0] else a[0], b[i] if axes[1] else b[0]) for i in range(5)]
        )
        moved = lambda array, axis: jnp.moveaxis(array, 0, axis)
        yield jax.vmap(single, (0, None))(a, b[0]), each(True, False)
        yield jax.vmap(single, (None, 1))(a[0], moved(b, 1)), each(False, True)
        yield jax.vmap(single, (-1, 2), 3)(moved(a, -1), moved(b, 2)), moved(each(True, True), 3)
        twice = jax.vmap(jax.vmap(single, (0, None)), (None, 0))(a[:2], b[:3])
        yield (
            twice,
            jnp.stack([jnp.stack([single(a[i], b[j]) for i in range(2)]) for j in range(3)]),
        )

    for actual, expected in compiled(lambda a, b: list(everything(a, b)))(a, b):
        close(actual, expected, 1e-12)


@pytest.mark.parametrize("primitive, kinds, result", OPERATIONS)
def test_an_empty_batch(primitive, kinds, result, arrays):
    operands = [a if kind == "k" else a[:0] for kind, a in zip(kinds, arrays(kinds), strict=True)]
    expected = SHAPES[result] if result == "k" else (0, *SHAPES[result][1:])
    np.testing.assert_array_equal(bind(primitive)(*operands), np.zeros(expected))
    batched = jax.vmap(bind(primitive))(*(jnp.stack([a, a]) for a in operands))
    np.testing.assert_array_equal(batched, np.zeros((2, *expected)))


@pytest.mark.parametrize("lo", range(5))
def test_input_gradient_under_padding_wider_than_the_window(
    lo, rng, loops, compiled, close_to_loops
):
    """Where windows lie in the padding alone. There XLA's CPU convolution reads outside its input
    in lax's form (openxla/xla#48713).
    """
    k = rng.standard_normal((2, 3, 5)).astype(np.float32)
    settings = [dict(stride=(1,), padding=((lo, hi),), dilation=(1,)) for hi in range(5)]
    cts = [rng.standard_normal((2, 10 + lo + hi, 5)).astype(np.float32) for hi in range(5)]
    x = np.zeros((2, 11, 3), np.float32)
    each = lambda x, k, cts: [
        jax.vjp(lambda x, s=s: ops.conv(x, k, **s), x)[1](ct)[0]
        for s, ct in zip(settings, cts, strict=True)
    ]
    expected = [loops.conv_gradients(x, k, ct, **s)[0] for s, ct in zip(settings, cts, strict=True)]
    close_to_loops(compiled(each)(x, k, cts), expected)


def test_input_gradient_where_no_window_sees_the_input(normal):
    x, k = normal(2, 3, 5), normal(1, 5, 7)
    f = lambda x: ops.conv(x, k, stride=9, padding=((4, 0),))
    assert f(x).shape == (2, 1, 7)
    np.testing.assert_array_equal(f(x), np.zeros((2, 1, 7)))
    np.testing.assert_array_equal(jax.vjp(f, x)[1](jnp.ones((2, 1, 7)))[0], np.zeros(x.shape))


def test_two_dtypes_are_refused_by_the_primitive():
    with pytest.raises(
        TypeError, match="convolution of float32 with bfloat16: cast one to the other's dtype"
    ):
        jax.eval_shape(
            bind(forward_p), jnp.zeros(SHAPES["x"]), jnp.zeros(SHAPES["k"], jnp.bfloat16)
        )


def test_eager_calls_share_one_program(arrays):
    """One module-level jit a primitive, or every eager call would trace anew."""
    x, k = arrays("xk")
    traced = []
    original = jax.lax.conv_general_dilated

    def counted(*args, **kwargs):
        traced.append(1)
        return original(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct.lax, "conv_general_dilated", counted)
        for _ in range(3):
            ops.conv(x, k, stride=(1, 2), padding=3, groups=2)
    assert len(traced) == 1
