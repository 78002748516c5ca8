"""jconv.jit: the measured compiler options on whole programs, and none where it is nested."""

from functools import partial

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax.errors import JaxRuntimeError

import jconv
from jconv import compilation, ops
from jconv.compilation import DETERMINISTIC, OPTIONS, options_of
from jconv.errors import InputError


@pytest.fixture
def x(rng):
    return jnp.asarray(rng.standard_normal((3, 5)), jnp.float32)


def test_the_numbers_of_plain_jit(x, close):
    f = lambda x: jnp.sin(x) @ x.T
    close(jconv.jit(f)(x), jax.jit(f)(x), 1e-6)


def test_nested_it_is_plain(x, close):
    f = jconv.jit(lambda x: jnp.sin(x))
    close(jax.jit(lambda x: f(x) + f(jnp.ones_like(x)))(x), jnp.sin(x) + jnp.sin(1.0), 1e-6)
    close(jax.grad(lambda x: f(x).sum())(x), jnp.cos(x), 1e-6)
    close(jax.vmap(f)(x), jnp.sin(x), 1e-6)
    close(
        jax.lax.scan(lambda c, _: (f(c), f(jnp.zeros(2))), x, length=2)[0],
        jnp.sin(jnp.sin(x)),
        1e-6,
    )


def test_constants_alone_inside_a_jit(close):
    f = jconv.jit(lambda a: a + 1)
    close(jax.jit(lambda x: x * f(jnp.ones(3)))(2.0), jnp.full(3, 4.0), 1e-6)


def test_settings_go_through(x):
    f = jconv.jit(lambda x, power: x**power, static_argnames="power", donate_argnums=0)
    expected = np.asarray(x) ** 2
    y = f(x, power=2)
    assert x.is_deleted()
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    assert f.eval_shape(jax.ShapeDtypeStruct((2, 2), jnp.float32), power=3).shape == (2, 2)
    np.testing.assert_allclose(f.lower(jnp.ones(3), power=3).compile()(jnp.full(3, 2.0)), 8.0)


def test_an_error_of_the_function_is_raised(x):
    def wrong(x):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        jconv.jit(wrong)(x)


def test_options_that_the_compiler_does_not_know_are_left_out(monkeypatch, x, close):
    known = {"xla_cpu_enable_fast_math": False}
    monkeypatch.setitem(
        OPTIONS,
        "cpu",
        known
        | {"xla_cpu_no_such_option": True, "xla_cpu_experimental_ynn_fusion_type": "NONSENSE"},
    )
    assert options_of("cpu") == known
    close(jconv.jit(jnp.sin)(x), jnp.sin(x), 1e-6)
    assert options_of("a backend without any") == {}


def test_a_donated_array_that_is_read_and_overwritten_is_not_copied():
    """A kernel: its gradient does not wait for the input's, which reads it."""
    if "xla_cpu_copy_insertion_use_region_analysis" not in options_of("cpu"):
        pytest.skip("this jaxlib does not know the option")

    def step(kernel, x, y):
        return kernel - x.T @ y, y @ kernel.T

    a = jnp.ones((16, 16))
    copies = lambda jit: (
        jit(step, donate_argnums=0).lower(a, a, a).compile().as_text().count(" copy(")
    )
    assert copies(jconv.jit) == 0 < copies(jax.jit)
    b = jnp.arange(256.0).reshape(16, 16)
    kernel, back = jconv.jit(step, donate_argnums=0)(jnp.array(b), a, a)
    np.testing.assert_allclose(kernel, b - 16)
    np.testing.assert_allclose(back, np.ones((16, 16)) @ np.asarray(b).T)


def test_ones_own_options_win(monkeypatch, x):
    asked = []
    real = jax.jit
    monkeypatch.setattr(
        compilation.jax, "jit", lambda f, **settings: asked.append(settings) or real(f, **settings)
    )
    jconv.jit(
        jnp.sin,
        compiler_options={"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_DOT"},
    )(x)
    assert (
        asked[-1]["compiler_options"]["xla_cpu_experimental_ynn_fusion_type"]
        == "LIBRARY_FUSION_TYPE_DOT"
    )


@pytest.fixture
def asked(monkeypatch):
    """The compiler options of every jit from here on."""
    seen, real = [], jax.jit

    def jit(f, **settings):
        seen.append(settings.get("compiler_options"))
        return real(f, **settings)

    monkeypatch.setattr(compilation.jax, "jit", jit)
    return seen


def test_a_gpu_is_asked_to_be_deterministic(monkeypatch, asked, x, close):
    """With the GPU's options given to the CPU's compiler, which reads them and has no use for them;
    ours win over the user's own.
    """
    monkeypatch.setitem(DETERMINISTIC, "cpu", DETERMINISTIC["gpu"])
    close(
        jconv.jit(
            jnp.sin, deterministic=True, compiler_options={"xla_gpu_deterministic_ops": False}
        )(x),
        jnp.sin(x),
        1e-6,
    )
    assert asked[-1]["xla_gpu_deterministic_ops"] is True
    jconv.jit(jnp.sin)(x)
    assert "xla_gpu_deterministic_ops" not in asked[-1]


def test_a_cpu_needs_nothing_to_be_deterministic(asked, x, close):
    f = jconv.jit(jnp.sin, deterministic=True)
    close(jax.grad(lambda x: f(x).sum())(x), jnp.cos(x), 1e-6)  # nested too
    jconv.jit(jnp.cos)(x), jconv.jit(jnp.sin, deterministic=True)(x)
    assert asked[-1] == asked[-3] == options_of("cpu")


def test_determinism_is_never_left_out_quietly(monkeypatch, x):
    monkeypatch.setitem(DETERMINISTIC, "cpu", {"xla_cpu_no_such_option": True})
    with pytest.raises(
        InputError,
        match="^deterministic: this cpu compiler does not know xla_cpu_no_such_option; use a newer "
        "jaxlib",
    ):
        jconv.jit(jnp.sin, deterministic=True)(x)
    monkeypatch.setitem(DETERMINISTIC, "cpu", DETERMINISTIC["gpu"])
    with pytest.raises(InputError, match="^deterministic: has no effect inside another jit"):
        jax.jit(jconv.jit(jnp.sin, deterministic=True))(x)
    monkeypatch.delitem(DETERMINISTIC, "cpu")
    with pytest.raises(
        InputError,
        match="^deterministic: what makes cpu so is not known; it is for gpu: leave it out",
    ):
        jconv.jit(jnp.sin, deterministic=True).lower(x)


class Refusing:
    """What stands for `jax.jit` where the library refuses kernel gradients of 3x3 windows: a whole
    program fails, with no name in it.
    """

    def __init__(
        self, f, message="UNKNOWN: Failed to determine best cudnn convolution algorithm for: ..."
    ):
        self.trace, self.message = jax.jit(f).trace, message

    def __call__(self, *args):
        raise JaxRuntimeError(self.message)


def alone(equation):
    return equation.primitive.name != "jconv_kernel_gradient" or equation.params[
        "geometry"
    ].window.size == (1, 1)


def test_a_refused_convolution_is_named_with_what_to_do_about_it(monkeypatch, rng):
    x, k = (jnp.asarray(rng.standard_normal(s), jnp.float32) for s in ((2, 7, 5, 3), (3, 3, 3, 4)))
    point = jnp.asarray(rng.standard_normal((1, 1, 4, 2)), jnp.float32)
    gradient = jax.grad(lambda k, point: jnp.sin(ops.conv(ops.conv(x, k), point)).sum(), (0, 1))
    g = jconv.jit(gradient)
    monkeypatch.setattr(g, "_outermost", Refusing(gradient))
    monkeypatch.setattr("jconv.ops.refused.compiles_alone", alone)
    with pytest.raises(JaxRuntimeError) as raised:
        g(k, point)
    first, second = str(raised.value).splitlines()
    assert first.startswith("UNKNOWN: Failed to determine") and "servable" in second
    assert second.count(" of ") == second.count("the kernel gradient of 2x7x5x3 by 3x3x3x4") == 1


def test_a_failure_of_something_else_is_raised_as_it_is(monkeypatch, x):
    f = jconv.jit(lambda x: x + 1)
    for message in ("cudnn: no convolution fails alone", "RESOURCE_EXHAUSTED: out of memory"):
        monkeypatch.setattr(f, "_outermost", Refusing(lambda x: x + 1, message))
        with pytest.raises(JaxRuntimeError, match=f"^{message}$"):
            f(x)


def test_it_decorates_with_settings_in_brackets(x, close):
    @jconv.jit(static_argnames=["power"])
    def f(x, power):
        """x to a power."""
        return x**power

    close(f(x, power=2), x * x, 1e-6)
    assert (f.__name__, f.__doc__, f.__module__) == ("f", "x to a power.", __name__)
    assert f.__wrapped__(2, power=3) == 8
    assert jconv.jit(f).__wrapped__ is f


@jax.tree_util.register_static
class Model:
    """Its methods take it as a static argument."""

    @jconv.jit
    def doubled(self, x):
        return 2 * x

    @partial(jconv.jit, static_argnums=0)
    def tripled(self, x):
        return 3 * x

    @staticmethod
    @jconv.jit
    def halved(x):
        return x / 2


def test_it_decorates_methods_as_jax_does(x, close):
    model = Model()
    close(model.doubled(x), 2 * x, 1e-6)
    close(model.tripled(x), 3 * x, 1e-6)
    close(model.halved(x), x / 2, 1e-6)
    close(jax.vmap(model.doubled)(x), 2 * x, 1e-6)
    close(Model.doubled(model, x), 2 * x, 1e-6)
    close(model.doubled.lower(model, x).compile()(model, x), 2 * x, 1e-6)
    assert Model.doubled.__name__ == "doubled"


def test_everything_jax_jit_offers_is_there(x, close):
    f = jconv.jit(lambda x: jnp.sin(x) @ x.T)
    public = [name for name in dir(jax.jit(jnp.sin)) if not name.startswith("_")] + ["_cache_size"]
    assert [name for name in public if not callable(getattr(f, name, None))] == []
    assert isinstance(f, jax.stages.Wrapped)
    shape = jax.ShapeDtypeStruct((2, 5), jnp.float32)
    assert f.eval_shape(shape).shape == f.trace(shape).out_info.shape == (2, 2)
    close(f.trace(x).lower().compile()(x), f(x), 1e-6)
    f.clear_cache()
    close(f(x), jnp.sin(x) @ x.T, 1e-6)


def test_it_can_be_exported(x, close):
    f = jconv.jit(lambda x: jnp.sin(x) @ x.T)
    rows = jax.export.symbolic_shape("n, 5")
    exported = jax.export.export(f, platforms=["cpu", "tpu"])(
        jax.ShapeDtypeStruct(rows, jnp.float32)
    )
    close(exported.call(x), f(x), 1e-6)


def test_what_it_closes_over_may_be_traced(x, close):
    f = lambda w: jconv.jit(lambda x: (x * w).sum())(x)
    for transformed in (jax.grad(f), jax.jit(jax.grad(f)), lambda w: jax.jacfwd(f)(w)):
        close(transformed(2.0), x.sum(), 1e-5)
    with jax.disable_jit():
        close(f(2.0), 2 * x.sum(), 1e-5)


def test_calling_changes_nothing_but_caches(x):
    f = jconv.jit(jnp.sin)
    f(x)
    before = dict(vars(f))
    f(x), jax.grad(lambda x: f(x).sum())(x), f.lower(x).compile()
    assert vars(f) == before


def test_a_program_on_several_devices_has_its_sums_in_one_order(monkeypatch):
    """Or else its devices may wait for one another in sums that each begins in an order of its
    own.
    """
    f = jconv.jit(lambda x: jnp.square(x).sum())
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    x = jnp.arange(8.0)
    assert f(jax.device_put(x, sharding)) == f(x) == 140
    assert (f._over_devices._cache_size(), f._outermost._cache_size(), f._cache_size()) == (1, 1, 2)
    f.lower(jax.ShapeDtypeStruct((8,), jnp.float32, sharding=sharding)).compile()
    f.clear_cache()
    assert f._cache_size() == 0
