"""What a precision means for algorithms: at the highest no method runs whose outputs see more than
their own window.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jconv import Conv, Sequential, ops, with_precision
from jconv.ops.methods import METHODS, OPERATIONS
from jconv.ops.precision import is_highest, resolved

HIGHEST, HIGH, DEFAULT = lax.Precision.HIGHEST, lax.Precision.HIGH, lax.Precision.DEFAULT
PRESET = lax.DotAlgorithmPreset
FULL = lax.DotAlgorithm(np.float32, np.float32, np.float32)
FORMS = [  # what was asked for, as a pair, and whether that is the highest
    (None, (DEFAULT, DEFAULT), False),
    ("default", (DEFAULT, DEFAULT), False),
    ("tensorfloat32", (HIGH, HIGH), False),
    ("highest", (HIGHEST, HIGHEST), True),
    ("float32", (HIGHEST, HIGHEST), True),
    (HIGH, (HIGH, HIGH), False),
    (HIGHEST, (HIGHEST, HIGHEST), True),
    (("highest", "default"), (HIGHEST, DEFAULT), True),
    ([HIGH, DEFAULT], (HIGH, DEFAULT), False),
    ("F32_F32_F32", PRESET.F32_F32_F32, True),
    (PRESET.BF16_BF16_F32_X6, PRESET.BF16_BF16_F32_X6, True),
    (PRESET.TF32_TF32_F32, PRESET.TF32_TF32_F32, False),
    (FULL, FULL, True),
    (
        FULL._replace(lhs_precision_type=jnp.bfloat16),
        FULL._replace(lhs_precision_type=jnp.bfloat16),
        False,
    ),
]


@pytest.mark.parametrize("asked, expected, highest", FORMS, ids=lambda form: str(form)[:30])
def test_every_form_of_lax(asked, expected, highest):
    assert (resolved(asked), is_highest(resolved(asked))) == (expected, highest)


@pytest.mark.parametrize("word", ["highest", "float32", "high", "F32_F32_F32", "BF16_BF16_F32_X3"])
def test_none_is_jax_own_setting(word):
    with jax.default_matmul_precision(word):
        assert resolved(None) == resolved(word)
        assert resolved("default") == (DEFAULT, DEFAULT)  # what is said outranks it
    assert resolved(None) == (DEFAULT, DEFAULT)


@pytest.mark.parametrize("wrong", ["precise", ("high",), ("high", "exact"), 7])
def test_what_lax_does_not_know_is_refused(wrong):
    with pytest.raises(ValueError, match="precision"):
        resolved(wrong)


@pytest.fixture
def chosen(monkeypatch):
    """chosen(f, *operands): by operation, the methods that a program of f runs by, those of blocks
    of groups included.
    """

    def found(f, *operands):
        calls = {operation: set() for operation in OPERATIONS}

        def noted(operation, name, run):
            return lambda *a, **settings: calls[operation].add(name) or run(*a, **settings)

        # functions of their own each time, or what was traced before would serve
        with monkeypatch.context() as patch:
            for name, method in METHODS.items():
                patch.setitem(
                    METHODS,
                    name,
                    method._replace(**{o: noted(o, name, getattr(method, o)) for o in OPERATIONS}),
                )
            jax.jit(lambda *operands: f(*operands)).lower(*operands)
        return calls

    return found


CASES = {  # x, k, groups, what a CPU runs it by when nothing is said
    "winograd": ((8, 14, 14, 64), (3, 3, 64, 64), 1, "winograd"),
    "fft": ((8, 32, 32, 16), (9, 9, 16, 16), 1, "fft"),
    "split": ((8, 14, 14, 128), (3, 3, 64, 128), 2, "winograd"),
}
NOT_LOCAL = {"winograd", "fft"}


def every(x, k, **settings):
    """The output and both gradients."""
    y, back = jax.vjp(lambda x, k: ops.conv(x, k, padding=k.shape[0] // 2, **settings), x, k)
    return y, back(y)


@pytest.mark.sweep(1)
@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a CPU's plan")
@pytest.mark.parametrize("name", CASES)
def test_the_highest_precision_runs_no_method_that_is_not_local(name, chosen):
    x, k, groups, usual = CASES[name]
    arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in (x, k)]
    words = lambda **settings: chosen(lambda x, k: every(x, k, groups=groups, **settings), *arrays)
    assert all(usual in methods for methods in words().values())
    assert all(usual in methods for methods in words(precision="high").values())
    calm = words(precision="highest")
    assert all(methods and not methods & NOT_LOCAL for methods in calm.values())
    with jax.default_matmul_precision("highest"):
        assert words() == calm
        assert all(usual in methods for methods in words(precision="default").values())
    if groups == 1:
        # a method named does not outrank it
        assert words(precision="highest", method=usual) == calm
        assert all(usual in methods for methods in words(method=usual).values())


def test_a_gradient_taken_later_has_the_precision_of_its_operation(chosen):
    x, k = (jnp.zeros(shape) for shape in CASES["winograd"][:2])
    with jax.default_matmul_precision("highest"):
        back = jax.vjp(lambda x, k: ops.conv(x, k, padding=1), x, k)[1]
    assert not any(methods & NOT_LOCAL for methods in chosen(back, jnp.zeros_like(x)).values())


def test_at_the_highest_precision_a_pixel_reaches_what_sees_it_alone(rng):
    """A NaN, an infinity and a bright pixel, on random images: elsewhere every bit stays."""
    net = with_precision(Sequential(conv=Conv(64, 3, padding=1)), "highest")
    params = {
        "conv": {
            "kernel": jnp.asarray(rng.standard_normal((3, 3, 64, 64)), jnp.float32),
            "bias": jnp.zeros(64),
        }
    }
    run = jax.jit(lambda x: net.apply(params, {}, x)[0])
    x = jnp.asarray(rng.standard_normal((4, 14, 14, 64)), jnp.float32)
    seen = np.zeros((14, 14), bool)
    seen[6:9, 5:8] = True
    plain = np.asarray(run(x))
    for value in (np.nan, np.inf, 1e6):
        changed = np.asarray(run(x.at[0, 7, 6, 3].set(value)))
        assert ((changed[0] != plain[0]).any(-1) == seen).all() and (
            changed[1:] == plain[1:]
        ).all(), value


def test_at_the_highest_precision_a_nan_stays_in_its_group(rng):
    x, k = (
        jnp.asarray(rng.standard_normal(shape), jnp.float32)
        for shape in ((2, 6, 6, 32), (3, 3, 4, 32))
    )
    y = ops.conv(x.at[0, 2, 2, 5].set(np.nan), k, groups=8, precision="highest")
    assert (np.isnan(y).any((0, 1, 2)) == (np.arange(32) // 4 == 1)).all()
