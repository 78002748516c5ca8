"""What a user's own layers and composites get: a table, fields, memory, checks, JSON, edits and
training that are right for them.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from own_layers import BATCH, CLASSES, IN_SHAPE, OWN, SAME, Swish, image_of, net_of
from residuals import residuals

from jconv import (
    Conv,
    Dense,
    Flatten,
    Repeat,
    Sequential,
    activations,
    budget,
    convolutionalize,
    from_json,
    fully_connect,
    gradcheck,
    largest_batch,
    map_layers,
    net_field,
    receptive_fields,
    replace,
    saved_bytes,
    summary,
    thin,
    to_json,
    walk,
    with_method,
    with_precision,
)
from jconv.analysis.memory import saved
from jconv.layer import computes_as
from jconv.tuning.choosing import with_choices
from jconv.tuning.passes import passes

MACS = {  # of the layer alone on (12, 8, 8), by hand
    "swish": 0,
    "squeeze and excite": 8 * 4 + 4 * 8,
    "standardized conv": 96 * 72 * 8,
    "shared weights": 2 * 96 * 72 * 8,
    "dense block": 96 * 9 * (8 * 4 + 12 * 4),
    "gated sum": 96 * (72 * 8 + 2 * 8 * 8),
    "looped block": 3 * 96 * 72 * 8,
    "ConvNeXt block": 96 * (25 * 8 + 2 * 8 * 16),
    "space to depth": 0,
    "custom gradient": 0,
}
SIZES = {  # the field of image_of(layer), rows
    "swish": 5,
    # everywhere: all of the image, and what a convolution reads around it
    "squeeze and excite": 16,
    "standardized conv": 7,
    "shared weights": 9,
    "dense block": 9,
    "gated sum": 7,
    "looped block": 11,
    "ConvNeXt block": 9,
    "space to depth": 8,
    "custom gradient": 5,
}


@pytest.fixture(params=OWN, ids=lambda name: name.replace(" ", "-"))
def name(request):
    return request.param


@pytest.mark.sweep(3)
def test_the_table_has_its_parameters_and_products(name, filled):
    layer, net = OWN[name], net_of(OWN[name])
    table = summary(net, IN_SHAPE)
    params, _ = filled(net, IN_SHAPE)
    assert table.totals.params == sum(a.size for a in jax.tree.leaves(params))
    assert summary(layer, (12, 8, 8)).totals.macs == MACS[name]
    assert str(table) and table.markdown() and table.csv() and table.json()
    assert [row.path for row in table.rows] == [visit.name for visit in walk(net, IN_SHAPE)]


@pytest.mark.sweep(1)
def test_its_field_is_what_the_gradient_reaches(name, filled):
    net, in_shape = image_of(OWN[name]), (24, 20, 3) if name == "space to depth" else (14, 12, 3)
    axes = net_field(net, in_shape)
    assert axes[0].size == SIZES[name]
    net = with_method(with_precision(net, "highest"), "im2col")
    params, state = filled(net, in_shape)
    images = np.random.default_rng(0).standard_normal((64, *in_shape)).astype(np.float32)
    out = net.out_shape(in_shape)

    @jax.jit
    def reached(position):
        y = lambda x: net.apply(params, state, x)[0][:, position[0], position[1]].sum()
        return (jax.grad(y)(images) != 0).any(axis=(0, 3))

    for position in ((0, 0), (out[0] - 1, 1), (2, 3)):
        hit = np.asarray(reached(jnp.asarray(position)))
        for along, axis, i, size in zip(
            (hit.any(1), hit.any(0)), axes, position, in_shape, strict=False
        ):
            begin = axis.start + i * axis.jump
            expected = max(0, begin), min(size, begin + axis.size) - 1
            assert (np.flatnonzero(along)[0], np.flatnonzero(along)[-1]) == expected


@pytest.mark.sweep(4)
def test_saved_bytes_are_the_residuals_of_the_whole_net(name):
    net = net_of(OWN[name])
    kept = residuals(net, IN_SHAPE, BATCH)
    assert abs(budget(net, IN_SHAPE, BATCH).saved - kept) <= 0.02 * kept
    assert residuals(net, IN_SHAPE, BATCH + 1) - kept == saved_bytes(net, IN_SHAPE)
    size = budget(net, IN_SHAPE, 100).total
    assert largest_batch(net, IN_SHAPE, size) == 100


def test_saved_bytes_are_what_a_compiler_needs():
    """Once against XLA: a step whose gradient is of another program, so that all that is kept
    between the two must be there.
    """
    net, in_shape, batch = net_of(Swish()), (64, 64, 3), 16
    params, state = jax.eval_shape(lambda key: net.init(key, in_shape), jax.random.key(0))
    x = jax.ShapeDtypeStruct((batch, *in_shape), jnp.float32)
    forward = lambda params, x: jax.vjp(
        lambda params, x: net.apply(params, state, x, train=True)[0], params, x
    )
    compiled = (
        jax.jit(lambda params, x: jax.tree.leaves(forward(params, x)[1]))
        .lower(params, x)
        .compile()
        .memory_analysis()
    )
    # the image and the kernels are kept too, as they came
    arguments = x.size * 4 + sum(a.size for a in jax.tree.leaves(params)) * 4
    expected = saved(net, in_shape)
    assert (
        abs(compiled.output_size_in_bytes - (batch * expected.each + expected.fixed + arguments))
        <= 0.02 * compiled.output_size_in_bytes
    )


@pytest.mark.sweep(1)
def test_its_gradients_pass(name):
    check = gradcheck(net_of(OWN[name]), IN_SHAPE, train=True)
    assert check.passed, str(check)


def test_it_goes_to_json_and_back(name):
    net = net_of(OWN[name])
    assert from_json(to_json(net), own=CLASSES) == net


@pytest.mark.sweep(3)
def test_edits_reach_what_is_inside(name):
    net = net_of(OWN[name])
    changed = with_precision(with_method(net, "lax"), "high")
    inside = [
        visit.layer for visit in walk(changed, IN_SHAPE) if isinstance(visit.layer, Conv | Dense)
    ]
    assert all(layer.method == "lax" and layer.precision == "high" for layer in inside)
    again = map_layers(
        changed,
        lambda _, layer: (
            dataclasses.replace(layer, method="auto", precision=None)
            if hasattr(layer, "method")
            else layer
        ),
    )
    assert again == net
    assert replace(net, "own", Swish())["own"] == Swish()
    small = thin(net, 0.5)
    assert small.out_shape(IN_SHAPE) == net.out_shape(IN_SHAPE)
    assert summary(small, IN_SHAPE).totals.params < summary(net, IN_SHAPE).totals.params
    found = passes(net, IN_SHAPE, BATCH)
    assert {path for one in found for path in one.paths} == {
        v.path for v in walk(net, IN_SHAPE) if computes_as(v.layer, Conv)
    }
    assert with_choices(net, []) == net


@pytest.mark.sweep(3)
def test_its_activations_are_listed_like_its_rows(name, filled, rng, close):
    net = net_of(OWN[name])
    params, state = filled(net, IN_SHAPE)
    x = jnp.asarray(rng.standard_normal((2, *IN_SHAPE)), jnp.float32)
    seen = activations(net, params, state, x)
    for visit in walk(net, IN_SHAPE):
        assert seen[visit.name].shape == (2, *visit.out_shape)
    close(seen["fc"], net.apply(params, state, x)[0], 1e-5)


@pytest.mark.sweep(1)
def test_a_training_step_lowers_the_loss(name, rng):
    net = net_of(OWN[name])
    params, state = net.init(jax.random.key(0), IN_SHAPE)
    x, labels = (
        jnp.asarray(rng.standard_normal((BATCH, *IN_SHAPE)), jnp.float32),
        jnp.arange(BATCH) % 5,
    )
    optimizer = optax.sgd(1e-3)

    @jax.jit
    def step(params, opt_state):
        def loss(params):
            logits, _ = net.apply(params, state, x, train=True, key=jax.random.key(1))
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        value, gradient = jax.value_and_grad(loss)(params)
        updates, opt_state = optimizer.update(gradient, opt_state)
        return optax.apply_updates(params, updates), opt_state, value

    opt_state, values = optimizer.init(params), []
    for _ in range(3):
        params, opt_state, value = step(params, opt_state)
        values.append(float(value))
    assert values[-1] < values[0]


@pytest.mark.sweep(2)
def test_every_row_has_a_field(name):
    assert len(receptive_fields(image_of(OWN[name]), (24, 20, 3))) == len(
        list(walk(image_of(OWN[name]), (24, 20, 3)))
    )
    assert Sequential(a=SAME(8), b=OWN[name]).out_shape(IN_SHAPE)


@pytest.mark.sweep(1)
def test_dense_heads_become_convolutions_around_it(name, filled, rng, close):
    layer = OWN[name]
    net = Sequential(
        conv1=SAME(8),
        own=layer,
        flatten=Flatten(),
        fc1=Dense(6),
        again=Repeat(Dense(6), 2),
        fc=Dense(5),
    )
    params, state = filled(net, IN_SHAPE)
    images = jnp.asarray(rng.standard_normal((2, *IN_SHAPE)), jnp.float32)
    dense, moved = convolutionalize(net, params, IN_SHAPE)
    logits = net.apply(params, state, images)[0]
    close(dense.apply(moved, state, images)[0].reshape(logits.shape), logits, 1e-4)
    back, same = fully_connect(dense, moved, IN_SHAPE)
    close(back.apply(same, state, images)[0], logits, 1e-4)


def placed(mesh, tree, *spec):
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec(*spec)))


def step_of(net, reduce=lambda loss: loss):
    """params, state, images, weights -> logits, and the gradients of their weighted sum."""

    def step(params, state, x, weights):
        def loss(params, x):
            y, _ = net.apply(params, state, x, train=True)
            return reduce((y * weights).sum()), y

        (_, y), gradients = jax.value_and_grad(loss, (0, 1), has_aux=True)(params, x)
        return y, *gradients

    return step


@pytest.mark.sweep(2)
@pytest.mark.parametrize("kind", ["explicit", "auto", "shard_map"])
def test_it_runs_over_a_mesh(name, kind, filled, rng, compiled, close):
    net = net_of(OWN[name])
    params, state = filled(net, IN_SHAPE)
    x, weights = (
        jnp.asarray(rng.standard_normal((BATCH, *shape)), jnp.float32) for shape in (IN_SHAPE, (5,))
    )
    expected = compiled(step_of(net))(params, state, x, weights)
    mesh = jax.make_mesh(
        (4,), ("data",), axis_types=(AxisType.Auto if kind == "auto" else AxisType.Explicit,)
    )
    arrays = (
        placed(mesh, params),
        placed(mesh, state),
        placed(mesh, x, "data"),
        placed(mesh, weights, "data"),
    )
    if kind == "shard_map":
        data, whole = PartitionSpec("data"), PartitionSpec()
        run = step_of(net, lambda loss: jax.lax.psum(loss, "data"))
        run = jax.shard_map(
            run, mesh=mesh, in_specs=(whole, whole, data, data), out_specs=(data, whole, data)
        )
    else:
        run = step_of(net)
    result = compiled(run)(*arrays)
    close(result, expected, 1e-5)
    assert result[0].sharding.spec[0] == result[2].sharding.spec[0] == "data"
