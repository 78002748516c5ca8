"""Operations on arrays whose types say how they are spread over devices: values, gradients, and the
types of both.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jconv import ops
from jconv.ops.sharding import IN_ONE_ORDER, on_several_devices

X, K, XS, KS = (8, 6, 5, 4), (3, 3, 4, 8), (4, 4, 6, 5, 4), (4, 3, 3, 4, 8)
conv = lambda x, k: ops.conv(x, k, padding=1)
squares = lambda f: lambda *a: (f(*a) ** 2).sum()
gradients = lambda f: jax.grad(squares(f), (0, 1))
# a function of two arrays, their shapes, and how each is spread: results have the same types but
# for what is said
CASES = {
    "batch": (gradients(conv), X, K, P("data"), P()),
    "batch over two axes": (gradients(conv), X, K, P(("data", "model")), P()),
    "batch, and outputs": (gradients(conv), X, K, P("data"), P(None, None, None, "model")),
    "batch and outputs over the same": (
        gradients(conv),
        X,
        K,
        P("data"),
        P(None, None, None, "data"),
    ),
    "batch and inputs over the same": (gradients(conv), X, K, P("data"), P(None, None, "data")),
    "inputs of both": (
        gradients(conv),
        X,
        K,
        P("data", None, None, "model"),
        P(None, None, "model"),
    ),
    "positions": (gradients(conv), X, K, P("data", "model"), P()),
    "transposed": (
        gradients(lambda k, y: ops.conv_transpose(y, k)),
        K,
        (8, 4, 3, 8),
        P(),
        P("data", None, None, "model"),
    ),
    "transposed in groups": (
        gradients(lambda k, y: ops.conv_transpose(y, k, groups=2)),
        *((3, 3, 4, 8), (8, 4, 3, 8), P(None, None, None, "model"), P("data", None, None, "model")),
    ),
    "dense": (gradients(ops.dense), (8, 6), (6, 4), P("data", "model"), P("model")),
    "pool of positions": (
        gradients(lambda x, k: conv(ops.max_pool(x, 2, stride=1), k)),
        X,
        K,
        P("data", "model"),
        P(),
    ),
    "images one by one": (
        gradients(jax.vmap(conv, (0, None))),
        XS,
        K,
        P("data"),
        P(None, None, None, "model"),
    ),
    "each batch spread": (gradients(jax.vmap(conv, (0, None))), XS, K, P(None, "data"), P()),
    "kernels one by one": (gradients(jax.vmap(conv, (None, 0))), X, KS, P("data"), P("model")),
    "both one by one": (
        gradients(jax.vmap(conv)),
        XS,
        KS,
        P("data"),
        P("data", None, None, None, "model"),
    ),
    "second order": (
        lambda x, k: (
            x,
            jax.jvp(jax.grad(lambda k: (conv(x, k) ** 3).sum()), (k,), (jnp.cos(k),))[1],
        ),
        *(X, K, P("data"), P(None, None, None, "model")),
    ),
    "a scan": (
        gradients(lambda x, ks: jax.lax.scan(lambda x, k: (jnp.tanh(conv(x, k)), None), x, ks)[0]),
        *(X, (3, 3, 3, 4, 4), P("data"), P()),
    ),
}


@pytest.fixture
def mesh():
    return jax.make_mesh((2, 2), ("data", "model"))


@pytest.mark.sweep(3)
@pytest.mark.parametrize("name", CASES)
def test_gradients_are_spread_as_what_they_are_of(name, mesh, normal, compiled, close):
    f, first, second, *specs = CASES[name]
    arrays = normal(*first), normal(*second)
    spread = [
        jax.device_put(a, NamedSharding(mesh, spec)) for a, spec in zip(arrays, specs, strict=True)
    ]
    result = compiled(f)(*spread)
    close(result, compiled(f)(*arrays), 1e-5)
    assert [jax.typeof(a) for a in result] == [jax.typeof(a) for a in spread]


def test_examples_keep_their_places_in_per_example_gradients(mesh, normal, compiled, close):
    x, k = normal(*X), normal(*K)
    f = jax.vmap(jax.grad(lambda k, x: (conv(x[None], k) ** 2).sum()), (None, 0))
    result = compiled(f)(k, jax.device_put(x, NamedSharding(mesh, P(("data", "model")))))
    close(result, compiled(f)(k, x), 1e-5)
    assert result.sharding.spec[0] == ("data", "model")


@pytest.mark.exhaustive
def test_outside_of_jit(mesh, normal, close):
    x, k = normal(*X), normal(*K)
    with jax.set_mesh(mesh):
        spread = jax.device_put(x, P("data")), jax.device_put(k, P(None, None, None, "model"))
        y, back = jax.vjp(lambda x, k: ops.max_pool(conv(x, k), 2), *spread)
        assert (y.sharding.spec[0], y.sharding.spec[-1]) == ("data", "model")
        found = back(y)
    y, back = jax.vjp(lambda x, k: ops.max_pool(conv(x, k), 2), x, k)
    close(found, back(y), 1e-5)


@pytest.mark.parametrize("kind", [AxisType.Explicit, AxisType.Auto], ids=["explicit", "auto"])
def test_inside_shard_map_over_one_of_two_axes(kind, normal, compiled, close):
    """The other axis stays as it was: the compiler's, or said in types."""
    mesh = jax.make_mesh((2, 2), ("data", "model"), axis_types=(kind,) * 2)
    x, k = normal(*X), normal(*K)

    def loss(k, x):
        return (ops.max_pool(conv(x, k), 2) ** 2).sum()

    def shard(k, x):
        return jax.grad(lambda k: jax.lax.psum(loss(k, x), "data"))(k)

    over = jax.shard_map(
        shard, mesh=mesh, in_specs=(P(), P("data")), out_specs=P(), axis_names={"data"}
    )
    spread = [
        jax.device_put(a, NamedSharding(mesh, spec))
        for a, spec in ((k, P(None, None, None, "model")), (x, P("data")))
    ]
    close(compiled(over)(*spread), compiled(jax.grad(loss))(k, x), 1e-5)


@pytest.mark.parametrize("method", ["auto", "lax", "direct", "im2col"])
def test_inside_shard_map_a_kernel_gradient_is_summed_over_devices(method, normal, compiled, close):
    """Of an operand that is the same everywhere; an image that is, likewise."""
    mesh = jax.make_mesh((4,), ("data",))
    x, k, same = normal(*X), normal(*K), normal(1, 6, 5, 4)
    loss = lambda k, same, x: (
        ops.conv(x, k, method=method) * ops.conv(same, k, method=method)
    ).sum()

    def shard(k, same, x):
        return jax.grad(lambda *a: jax.lax.psum(loss(*a, x), "data"), (0, 1))(k, same)

    over = jax.shard_map(shard, mesh=mesh, in_specs=(P(), P(), P("data")), out_specs=(P(), P()))
    spread = [
        jax.device_put(a, NamedSharding(mesh, spec))
        for a, spec in ((k, P()), (same, P()), (x, P("data")))
    ]
    close(compiled(over)(*spread), compiled(jax.grad(loss, (0, 1)))(k, same, x), 1e-5)


def test_what_is_still_to_be_summed_is_refused(mesh, normal):
    """Each device has a part of the sum."""
    a, b = (
        jax.device_put(normal(8, 8), NamedSharding(mesh, spec))
        for spec in (P(None, "data"), P("data"))
    )

    def f(a, b):
        partial_sums = jnp.einsum("ij,jk->ik", a, b, out_sharding=P(None, None, unreduced={"data"}))
        return ops.dense(partial_sums, b)

    with jax.set_mesh(mesh), pytest.raises(ValueError, match="summed over devices"):
        jax.jit(f)(a, b)


def test_which_programs_run_on_several_devices(mesh):
    one, numpy = jnp.ones(4), np.ones(4)
    assert not on_several_devices({"a": one, "b": (numpy, 1.0)})
    assert on_several_devices({"a": one, "b": (jax.device_put(one, NamedSharding(mesh, P())), 1.0)})


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a CPU's options")
def test_the_compiler_knows_the_option_of_several_devices(mesh):
    x = jax.device_put(jnp.arange(4.0), NamedSharding(mesh, P(("data", "model"))))
    assert jax.jit(jnp.sum, compiler_options=IN_ONE_ORDER["cpu"])(x) == 6
