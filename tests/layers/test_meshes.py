"""Every layer over a mesh of four devices, of each kind that jax has, against one device: values,
statistics and gradients.

Numbers are random: shards that are equal would hide a sum over devices that is missing or counted
twice.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jconv import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    GlobalAvgPool,
    Relu,
    Residual,
    Sequential,
    with_method,
)

TOLERANCE = 1e-5
WITH_KERNEL = {
    "conv": Conv(8, 3, padding=1),
    "grouped conv": Conv(8, 3, groups=2),
    "depthwise conv": Conv(8, 3, groups=4, padding=1),
    "conv transpose": ConvTranspose(8, 3, stride=2),
    "grouped conv transpose": ConvTranspose(8, 3, groups=2),
    "dense": Dense(8),
}


def placed(mesh, tree, *spec):
    return jax.device_put(tree, NamedSharding(mesh, P(*spec)))


@pytest.mark.sweep(2)
def test_a_spread_batch_is_one_batch(any_layer, compiled, close):
    run = any_layer.run()
    params, state, x, weights = any_layer.arrays
    expected = compiled(run)(*any_layer.arrays)
    for kind in (
        (AxisType.Explicit, AxisType.Auto)
        if any_layer.name in ("net", "max pool", "local")
        else (AxisType.Explicit,)
    ):
        mesh = jax.make_mesh((4,), ("data",), axis_types=(kind,))
        result = compiled(run)(
            placed(mesh, params),
            placed(mesh, state),
            placed(mesh, x, "data"),
            placed(mesh, weights, "data"),
        )
        close(result, expected, TOLERANCE)
        y, _, slopes, slope = result
        assert y.sharding.spec[0] == slope.sharding.spec[0] == "data"
        assert kind == AxisType.Auto or all(
            set(a.sharding.spec) <= {None} for a in jax.tree.leaves(slopes)
        )


@pytest.mark.sweep(1)
def test_inside_shard_map_a_shard_is_a_batch(any_layer, compiled, close):
    params, state, x, weights = any_layer.arrays
    mesh = jax.make_mesh((4,), ("data",))
    run = any_layer.run(lambda loss: jax.lax.psum(loss, "data"))

    def shard(*arrays):
        y, new, *gradients = run(*arrays)
        return y, jax.tree.map(lambda a: a[None], new), *gradients

    data, whole = P("data"), P()
    over = jax.shard_map(
        shard, mesh=mesh, in_specs=(whole, whole, data, data), out_specs=(data, data, whole, data)
    )
    arrays = (
        placed(mesh, params),
        placed(mesh, state),
        placed(mesh, x, "data"),
        placed(mesh, weights, "data"),
    )
    result = compiled(over)(*arrays)
    one = compiled(any_layer.run())
    shards = [
        one(params, state, *pair)
        for pair in zip(jnp.split(x, 4), jnp.split(weights, 4), strict=True)
    ]
    y, new, slopes, slope = (
        jax.tree.map(lambda *a: np.stack(a), *each) for each in zip(*shards, strict=True)
    )
    flat = lambda a: a.reshape(x.shape[0], *a.shape[2:])
    close(result, (flat(y), new, jax.tree.map(lambda a: a.sum(0), slopes), flat(slope)), TOLERANCE)


@pytest.mark.sweep(1)
@pytest.mark.parametrize("name", WITH_KERNEL)
def test_spread_output_channels_stay_spread(name, step_of, compiled, close):
    layer = WITH_KERNEL[name]
    step = step_of(name, layer, (6,) if name == "dense" else (6, 5, 4))
    params, state, x, weights = step.arrays
    mesh = jax.make_mesh((2, 2), ("data", "model"))
    kernel = P(
        *[None] * (x.ndim - 2),
        *(("model", None) if isinstance(layer, ConvTranspose) else (None, "model")),
    )
    spread = {
        "kernel": placed(mesh, params["kernel"], *kernel),
        "bias": placed(mesh, params["bias"], "model"),
    }
    result = compiled(step.run())(
        spread, placed(mesh, state), placed(mesh, x, "data"), placed(mesh, weights, "data")
    )
    close(result, compiled(step.run())(*step.arrays), TOLERANCE)
    y, _, slopes, slope = result
    assert (y.sharding.spec[0], y.sharding.spec[-1]) == ("data", "model")
    assert slopes["kernel"].sharding.spec == kernel and slope.sharding.spec[0] == "data"


@pytest.mark.sweep(1)
def test_spread_input_channels(layer_of_images, compiled, close):
    """They stay spread where channels are apart, and are summed or brought together where they are
    not.
    """
    name, layer, arrays = layer_of_images
    params, state, x, weights = arrays
    mesh = jax.make_mesh((2, 2), ("data", "model"))
    spec = P("data", None, None, "model")
    run = layer_of_images.run()
    result = compiled(run)(
        placed(mesh, params),
        placed(mesh, state),
        placed(mesh, x, *spec),
        placed(mesh, weights, "data"),
    )
    close(result, compiled(run)(*arrays), TOLERANCE)
    y, _, _, slope = result
    summed = (
        isinstance(layer, (Conv, ConvTranspose)) and layer.groups == 1 or name in ("local", "net")
    )
    assert (y.sharding.spec[0], y.sharding.spec[-1]) == ("data", None if summed else "model")
    assert slope.sharding.spec == spec


@pytest.mark.exhaustive
def test_no_more_sums_over_devices_than_plain_lax(step_of, compiled):
    """A kernel's gradient is summed with the others: XLA joins sums over devices, but not into
    functions that are compiled apart.
    """
    body = Sequential(
        Conv(4, 3, padding=1, groups=4, bias=False),
        BatchNorm(),
        Relu(),
        Conv(4, 1, bias=False),
        BatchNorm(),
    )
    net = Sequential(
        Conv(4, 3, padding=1), BatchNorm(), Relu(), Residual(body), GlobalAvgPool(), Dense(3)
    )
    mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))
    params, state, x, weights = step_of("net", net, (6, 5, 4)).arrays
    arrays = (
        placed(mesh, params),
        placed(mesh, state),
        placed(mesh, x, "data"),
        placed(mesh, weights, "data"),
    )
    ours, lax = (
        compiled(step_of("net", with_method(net, method), (6, 5, 4)).run())
        .lower(*arrays)
        .compile()
        .as_text()
        .count(" all-reduce(")
        for method in ("auto", "lax")
    )
    assert 0 < ours <= lax
