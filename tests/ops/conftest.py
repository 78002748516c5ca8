"""What the tests of the operations share."""

import runpy
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv.geometry import window
from jconv.ops.methods import OPERATIONS
from jconv.ops.methods.plan import Workload, bound
from jconv.ops.shapes import Geometry, y_shape


@pytest.fixture(scope="session")
def loops():
    """loops.py, the third opinion, as a fixture: tests are collected by importlib and cannot import
    one another.
    """
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("loops.py"))))


@pytest.fixture(params=["auto", "lax", "im2col"])
def method(request):
    return request.param


@pytest.fixture
def pull():
    """pull(f, *operands, ct): f's value and its gradients of every operand for the cotangent ct."""

    def pulled(f, *operands, ct):
        y, back = jax.vjp(f, *operands)
        return y, back(ct)

    return pulled


@pytest.fixture
def normal(rng):
    """normal(*shape): float32 noise."""
    return lambda *shape: jnp.asarray(rng.standard_normal(shape), jnp.float32)


@pytest.fixture
def close_to_loops(close):
    """float32 results against a float64 loop."""
    return lambda actual, expected: close(jax.tree.map(np.asarray, actual), expected, 1e-5)


@pytest.fixture
def convolution():
    """convolution(x, k, groups=1, **window): the geometry of a convolution of arrays of these
    shapes.
    """
    return lambda x, k, groups=1, **settings: Geometry(window(x[1:-1], k[:-2], **settings), groups)


def run_of(method, operation, x, k, geometry):
    """A method's function of two arrays, for the shapes x and k."""
    run = bound(Workload(operation, x, k, geometry), method)
    return partial(run, geometry=geometry, precision=None)


@pytest.fixture
def like_im2col(convolution, rng, compiled, x64, close):
    """like_im2col(method, cases): the three operations of every case (x, k, settings) against the
    reference's, in float64.
    """

    def check(method, cases):
        geometries = [convolution(x, k, **settings) for x, k, settings in cases]
        shapes = [
            (x, k, y_shape(x, k, geometry))
            for (x, k, _), geometry in zip(cases, geometries, strict=True)
        ]
        draws = [[rng.standard_normal(shape) for shape in three] for three in shapes]

        def by(name, draws):
            for geometry, (x, k, y) in zip(geometries, draws, strict=True):
                pairs = zip(OPERATIONS, ((x, k), (y, k), (x, y)), strict=True)
                yield [
                    run_of(name, operation, x.shape, k.shape, geometry)(*pair)
                    for operation, pair in pairs
                ]

        results = compiled(lambda draws: [list(by(name, draws)) for name in (method, "im2col")])(
            draws
        )
        for case, actual, expected in zip(cases, *results, strict=True):
            for operation, a, b in zip(OPERATIONS, actual, expected, strict=True):
                try:
                    close(a, b, 1e-12)
                except AssertionError as error:
                    error.add_note(f"{method} {operation}, {case}")
                    raise

    return check


@pytest.fixture
def lowered(convolution):
    """lowered(method, operation, x, k, **settings): the text of one operation, as jax hands it to
    the compiler.
    """

    def text(method, operation, x, k, **settings):
        geometry = convolution(x, k, **settings)
        shapes = {"x": x, "k": k, "y": y_shape(x, k, geometry)}
        operands = {"forward": "xk", "input_gradient": "yk", "kernel_gradient": "xy"}[operation]
        return (
            jax.jit(run_of(method, operation, x, k, geometry))
            .lower(*(jax.ShapeDtypeStruct(shapes[kind], jnp.float32) for kind in operands))
            .as_text()
        )

    return text


@pytest.fixture
def wide_inside(convolution, rng, compiled, close):
    """wide_inside(method, operation, x, k, settings): in bfloat16 an operation is as exact as in
    float32, but for the last digit.
    """

    def check(method, operation, x, k, **settings):
        geometry = convolution(x, k, **settings)
        shapes = {"x": x, "k": k, "y": y_shape(x, k, geometry)}
        a = {
            kind: jnp.asarray(rng.uniform(0.5, 1.5, shape), jnp.bfloat16)
            for kind, shape in shapes.items()
        }
        pair = [
            a[kind] for kind in dict(zip(OPERATIONS, ("xk", "yk", "xy"), strict=True))[operation]
        ]
        run = run_of(method, operation, x, k, geometry)
        half, exact = compiled(
            lambda *pair: (run(*pair), run(*(b.astype(jnp.float32) for b in pair)))
        )(*pair)
        assert half.dtype == jnp.bfloat16
        close(half, exact, 2**-8)

    return check
