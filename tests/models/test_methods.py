"""Four small nets by the plan's methods and by plain lax: the same numbers, in half precision, an
example at a time, exported, on a mesh.
"""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import (
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    Relu,
    Residual,
    Sequential,
    map_layers,
    thin,
    with_method,
)
from jconv.models import build


def cifar_resnet20():
    """Four channels wide, one block a stage."""
    once = lambda _, layer: (
        Sequential(**dict(layer.layers[:1]))
        if isinstance(layer, Sequential) and _is_stage(layer)
        else layer
    )
    return map_layers(thin(build("cifar_resnet20")[0], 0.001), once)


def _is_stage(layer):
    return all(isinstance(child, Residual) for _, child in layer.layers)


GROUPS = Sequential(
    conv=Conv(32, 3, stride=2, padding=1),
    grouped=Conv(64, 3, padding=1, groups=2, bias=False),
    bn1=BatchNorm(),
    relu1=Relu(),
    depthwise=Conv(64, 3, stride=2, padding=1, groups=64, bias=False),
    bn2=BatchNorm(),
    pointwise=Conv(48, 1),
    relu2=Relu(),
    cardinal=Conv(48, 3, padding=1, groups=12),
    pool=GlobalAvgPool(),
    fc=Dense(5),
)
VOLUMES = Sequential(
    conv1=Conv(6, 3, padding=1, bias=False),
    bn=BatchNorm(),
    relu=Relu(),
    pool=MaxPool(2),
    conv2=Conv(8, (2, 3, 2), stride=(2, 1, 1)),
    flatten=Flatten(),
    fc=Dense(5),
)
NETS = {
    "lenet5": lambda: build("lenet5"),
    "cifar_resnet20": lambda: (cifar_resnet20(), (8, 8, 3)),
    "groups": lambda: (GROUPS, (11, 9, 3)),
    "volumes": lambda: (VOLUMES, (8, 6, 7, 2)),
}


def passes(net, params, state, x, *, train):
    """Scores, the new state, and the gradients of every parameter and of x."""

    def loss(params, x):
        y, new = net.apply(params, state, x, train=train)
        return jnp.square(y).sum(dtype=np.promote_types(y.dtype, np.float32)), (y, new)

    (_, (y, new)), gradients = jax.value_and_grad(loss, (0, 1), has_aux=True)(params, x)
    return y, new, gradients


@pytest.fixture(params=NETS)
def case(request, filled, rng):
    """A net with numbers for it: draw(batch, dtype) -> params, state and images."""
    net, in_shape = NETS[request.param]()

    def draw(batch, dtype=np.float32):
        return *filled(net, in_shape, dtype), jnp.asarray(
            rng.standard_normal((batch, *in_shape)), dtype
        )

    return net, draw


@pytest.mark.sweep(1)
def test_the_plan_gives_the_numbers_of_lax(case, x64, compiled, close):
    net, draw = case
    both = compiled(
        lambda *a: [passes(of, *a, train=True) for of in (net, with_method(net, "lax"))]
    )
    close(*both(*draw(3, np.float64)), 1e-10)


@pytest.mark.exhaustive
def test_bfloat16(case, compiled, close):
    """Images in half precision: scores of it, the gradients of parameters wide, both as near to
    float32's as 8 bits allow.
    """
    net, draw = case
    params, state, x = draw(3)
    half = x.astype(jnp.bfloat16)
    program = compiled(partial(passes, net, train=False))
    y, _, gradients = program(params, state, half)
    exact, _, expected = program(params, state, half.astype(jnp.float32))
    assert (y.dtype, gradients[1].dtype) == (jnp.bfloat16, jnp.bfloat16)
    assert {g.dtype for g in jax.tree.leaves(gradients[0])} == {jnp.dtype(jnp.float32)}
    close(y, exact, 3e-2)
    for a, b in zip(jax.tree.leaves(gradients), jax.tree.leaves(expected), strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        assert np.linalg.norm(a - b) <= 0.1 * np.linalg.norm(b)


@pytest.mark.exhaustive
def test_per_example_gradients(case, x64, compiled, close):
    net, draw = case
    params, state, x = draw(3, np.float64)
    example = lambda net, one: passes(net, params, state, one[None], train=False)
    each = compiled(lambda x: jax.vmap(partial(example, net))(x))(x)
    one = compiled(lambda one: example(with_method(net, "lax"), one))
    close(
        each, jax.tree.map(lambda *leaves: np.stack(leaves), *[one(x[i]) for i in range(3)]), 1e-10
    )


@pytest.mark.exhaustive
def test_export_with_a_symbolic_batch(case, compiled, close):
    net, draw = case
    params, state, x = draw(5)
    (batch,) = jax.export.symbolic_shape("batch")
    shaped = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), (params, state))
    program = partial(passes, net, train=False)
    exported = jax.export.export(jax.jit(program), platforms=("cpu", "cuda"))(
        *shaped, jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype)
    )
    run, plain = compiled(exported.call), compiled(program)
    for n in (2, 5):
        close(run(params, state, x[:n]), plain(params, state, x[:n]), 1e-4)


@pytest.mark.sweep(1)
def test_four_devices(case, compiled, close):
    """Images spread over them: sums across devices, and nothing gathered."""
    net, draw = case
    params, state, x = draw(8)
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("batch",))
    place = lambda tree, *spec: jax.device_put(
        tree, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*spec))
    )
    program = compiled(partial(passes, net, train=True))
    sharded = place(params), place(state), place(x, "batch")
    compiled_program = program.lower(*sharded).compile()
    y, new, gradients = compiled_program(*sharded)
    assert y.sharding.spec[0] == gradients[1].sharding.spec[0] == "batch"
    assert not re.findall("all-gather|all-to-all|collective-permute", compiled_program.as_text())
    close((y, new, gradients), program(params, state, x), 1e-4)
