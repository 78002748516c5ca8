"""A strict house for every test: no silent broadcasting, no silent casts; pyproject makes warnings
errors.
"""

import contextlib
import os

import hypothesis
import jax
import numpy as np
import pytest

# Programs here run once, on tiny arrays: compiled fast instead of well, all tests take half the
# time. JCONV_TEST_OPTIMIZED=1 compiles them as users do. XLA aborts at a flag that it does not
# know, so those are for the versions of jax where they were tried.
FAST = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
if not os.environ.get("JCONV_TEST_OPTIMIZED"):
    # jax 0.12 no longer has the second
    before = {"xla_backend_optimization_level": (0, 13), "xla_cpu_use_fusion_emitters": (0, 11)}
    flags = [
        f"--{name}={str(value).lower()}"
        for name, value in FAST.items()
        if jax.__version_info__ < before[name]
    ]
    os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *flags]).strip()

jax.config.update("jax_platforms", os.environ.get("JCONV_TEST_PLATFORM", "cpu"))  # "cuda": on a GPU
# for the tests of sharding; everything else stays on the first
jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

hypothesis.settings.register_profile("house", deadline=None, database=None, derandomize=True)
hypothesis.settings.load_profile("house")


@pytest.hookimpl(tryfirst=True)  # before the cases are selected by their marks
def pytest_collection_modifyitems(items):
    """Of a test marked `sweep(n)`, n cases spread over all are in every run, and the others are
    marked `exhaustive`.
    """
    sweeps = {}
    for item in items:
        if (mark := item.get_closest_marker("sweep")) and not item.get_closest_marker("exhaustive"):
            sweeps.setdefault((item.path, item.originalname, mark.args[0]), []).append(item)
    for (*_, kept), cases in sweeps.items():
        every = len(cases) / kept
        chosen = {int((i + 0.5) * every) for i in range(kept)}
        for i, item in enumerate(cases):
            if i not in chosen:
                item.add_marker(pytest.mark.exhaustive)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def x64():
    """float64 for one test."""
    with jax.enable_x64(True):
        yield


def assert_close(actual, expected, tolerance: float) -> None:
    """max|a - b| <= tolerance * max|b| for every array of two trees of one structure."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        assert a.shape == b.shape, f"{a.shape} != {b.shape}"
        # equal infinities differ by 0
        error = np.abs(np.subtract(a, b, out=np.zeros(a.shape), where=a != b)).max(initial=0)
        scale = np.abs(b[np.isfinite(b)]).max(initial=0)
        assert error <= tolerance * scale or error == 0, (
            f"max|a - b| = {error:.3g} is over {tolerance} * {scale:.3g}"
        )


@pytest.fixture
def close():
    """assert_close as a fixture: tests are collected by importlib and cannot import one another."""
    return assert_close


@pytest.fixture(scope="session")
def compiled():
    """jax.jit that compiles fast on any jax. Options this XLA does not know are left out."""
    options = {}
    for name, value in FAST.items() if jax.default_backend() == "cpu" else ():
        with contextlib.suppress(jax.errors.JaxRuntimeError):
            jax.jit(lambda x: x, compiler_options={name: value})(0.0)
            options[name] = value
    return lambda f: jax.jit(f, compiler_options=options)


@pytest.fixture
def filled(rng):
    """(params, state) of a net as init would shape them, filled with random numbers: drawing by
    init compiles a generator per shape.
    """

    def fill(net, in_shape, dtype=np.float32):
        params, state = jax.eval_shape(lambda key: net.init(key, in_shape), jax.random.key(0))
        number = lambda a: jax.numpy.asarray(0.3 * rng.standard_normal(a.shape), dtype)
        # a variance is
        positive = lambda a: jax.numpy.asarray(rng.uniform(0.5, 1.5, a.shape), dtype)
        return jax.tree.map(number, params), jax.tree.map(positive, state)

    return fill
