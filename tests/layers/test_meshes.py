"""Every layer over a mesh of four devices, of each kind that jax has, against one device: values, statistics and gradients.

Numbers are random: shards that are equal would hide a sum over devices that is missing or counted twice.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jconv import (
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    ContrastNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    DropPath,
    Elu,
    Flatten,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    Identity,
    Lambda,
    LayerNorm,
    LeakyRelu,
    Local,
    LocalResponseNorm,
    LpPool,
    Maxout,
    MaxPool,
    Normalize,
    PadChannels,
    Rbf,
    Relu,
    Scale,
    Sequential,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Subsampling,
    Tanh,
)

IMAGES, IMAGE, ROW = 8, (6, 5, 4), (6,)
LAYERS = {
    "conv": (Conv(8, 3, padding=1), IMAGE),
    "strided conv": (Conv(8, 3, stride=2, dilation=2, padding=2), IMAGE),
    "1x1 conv": (Conv(8, 1), IMAGE),
    "grouped conv": (Conv(8, 3, groups=2), IMAGE),
    "depthwise conv": (Conv(8, 3, groups=4, padding=1), IMAGE),
    "masked conv": (Conv(2, 3, mask=((0, 3), (1, 2, 3))), IMAGE),
    "conv of one axis": (Conv(4, 5), (9, 2)),
    "conv of three axes": (Conv(4, 2), (3, 4, 5, 2)),
    "conv transpose": (ConvTranspose(8, 3, stride=2), IMAGE),
    "local": (Local(2, 3), IMAGE),
    "dense": (Dense(8), ROW),
    "flatten": (Flatten(), IMAGE),
    "pad channels": (PadChannels(6), IMAGE),
    "dropout": (Dropout(0.5), IMAGE),
    "dropout of channels": (Dropout(0.5, channels=True), IMAGE),
    "drop path": (DropPath(0.5), IMAGE),
    "batch norm": (BatchNorm(), IMAGE),
    "batch norm of rows": (BatchNorm(), ROW),
    "group norm": (GroupNorm(2), IMAGE),
    "layer norm": (LayerNorm(), IMAGE),
    "normalize": (Normalize((0.1, 0.2, 0.3, 0.4), (1.0, 2.0, 3.0, 4.0)), IMAGE),
    "scale": (Scale(), IMAGE),
    "max pool": (MaxPool(2), IMAGE),
    "large max pool": (MaxPool(5, stride=1, padding=2), IMAGE),
    "average pool": (AvgPool(3, stride=2, padding=1), IMAGE),
    "large average pool": (AvgPool(5, stride=1, padding=2, count_padding=False), IMAGE),
    "lp pool": (LpPool(2), IMAGE),
    "adaptive average pool": (AdaptiveAvgPool((2, 3)), IMAGE),
    "global average pool": (GlobalAvgPool(), IMAGE),
    "global max pool": (GlobalMaxPool(), IMAGE),
    "subsampling": (Subsampling(), IMAGE),
    "rbf": (Rbf(3), ROW),
    "response across": (LocalResponseNorm(3, alpha=0.5), IMAGE),
    "response within": (LocalResponseNorm(3, alpha=0.5, within=True), IMAGE),
    "contrast norm": (ContrastNorm(3, alpha=0.5), IMAGE),
    "maxout": (Maxout(2), IMAGE),
    "softmax": (Softmax(), IMAGE),
    "activations": (
        Sequential(Elu(), Gelu(), Identity(), Lambda(jnp.cos), LeakyRelu(), Relu(), Sigmoid(), Silu(), Softplus(), Tanh()),
        IMAGE,
    ),
    "net": (
        Sequential(
            Conv(8, 3, padding=1, bias=False), BatchNorm(), Relu(), Conv(8, 3, groups=8), GroupNorm(2), MaxPool(2), Flatten(), Dense(3)
        ),
        IMAGE,
    ),
}
WITH_KERNEL = {
    "conv": LAYERS["conv"],
    "1x1 conv": LAYERS["1x1 conv"],
    "grouped conv": LAYERS["grouped conv"],
    "depthwise conv": LAYERS["depthwise conv"],
    "conv transpose": LAYERS["conv transpose"],
    "grouped conv transpose": (ConvTranspose(8, 3, groups=2), IMAGE),
    "dense": LAYERS["dense"],
}
TOLERANCE = 1e-5


@pytest.fixture
def given(filled, rng):
    """given(layer, in_shape): parameters, state, images, and what the output is weighted by."""

    def make(layer, in_shape):
        params, state = filled(layer, in_shape)
        x, ct = (jnp.asarray(rng.standard_normal((IMAGES, *shape)), jnp.float32) for shape in (in_shape, layer.out_shape(in_shape)))
        return params, state, x, ct

    return make


def training(layer, reduce=lambda loss: loss):
    """params, state, x, ct -> the output, the new state, and the gradients of its weighted sum."""

    def run(params, state, x, ct):
        def loss(params, x):
            y, new = layer.apply(params, state, x, train=True, key=jax.random.key(1))
            return reduce((y * ct).sum()), (y, new)

        (_, aux), gradients = jax.value_and_grad(loss, (0, 1), has_aux=True)(params, x)
        return *aux, *gradients

    return run


def placed(mesh, tree, *spec):
    return jax.device_put(tree, NamedSharding(mesh, P(*spec)))


@pytest.mark.parametrize("kind", [AxisType.Explicit, AxisType.Auto], ids=["explicit", "auto"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_spread_batch_is_one_batch(name, kind, given, compiled, close):
    arrays = given(*LAYERS[name])
    run, mesh = training(LAYERS[name][0]), jax.make_mesh((4,), ("data",), axis_types=(kind,))
    params, state, x, ct = arrays
    result = compiled(run)(placed(mesh, params), placed(mesh, state), placed(mesh, x, "data"), placed(mesh, ct, "data"))
    close(result, compiled(run)(*arrays), TOLERANCE)
    y, _, slopes, slope = result
    assert y.sharding.spec[0] == slope.sharding.spec[0] == "data"
    if kind == AxisType.Explicit:
        assert all(set(a.sharding.spec) <= {None} for a in jax.tree.leaves(slopes))


@pytest.mark.parametrize("name", LAYERS)
def test_inside_shard_map_a_shard_is_a_batch(name, given, compiled, close):
    params, state, x, ct = given(*LAYERS[name])
    layer, mesh = LAYERS[name][0], jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))
    run = training(layer, lambda loss: jax.lax.psum(loss, "data"))

    def shard(params, state, x, ct):
        y, new, *gradients = run(params, state, x, ct)
        return y, jax.tree.map(lambda a: a[None], new), *gradients

    data, whole = P("data"), P()
    spread = jax.shard_map(shard, mesh=mesh, in_specs=(whole, whole, data, data), out_specs=(data, data, whole, data))
    result = compiled(spread)(params, state, x, ct)
    one = compiled(training(layer))
    shards = [one(params, state, *pair) for pair in zip(jnp.split(x, 4), jnp.split(ct, 4), strict=True)]
    y, new, slopes, slope = (jax.tree.map(lambda *a: np.stack(a), *each) for each in zip(*shards, strict=True))
    flat = lambda a: a.reshape(IMAGES, *a.shape[2:])
    close(result, (flat(y), new, jax.tree.map(lambda a: a.sum(0), slopes), flat(slope)), TOLERANCE)


@pytest.mark.parametrize("name", WITH_KERNEL)
def test_spread_output_channels_stay_spread(name, given, compiled, close):
    layer, _ = WITH_KERNEL[name]
    arrays = given(*WITH_KERNEL[name])
    params, state, x, ct = arrays
    run, mesh = training(layer), jax.make_mesh((2, 2), ("data", "model"))
    kernel = P(*[None] * (x.ndim - 2), *(("model", None) if isinstance(layer, ConvTranspose) else (None, "model")))
    placed_params = {"kernel": placed(mesh, params["kernel"], *kernel), "bias": placed(mesh, params["bias"], "model")}
    result = compiled(run)(placed_params, state, placed(mesh, x, "data"), placed(mesh, ct, "data"))
    close(result, compiled(run)(*arrays), TOLERANCE)
    y, _, slopes, slope = result
    assert (y.sharding.spec[0], y.sharding.spec[-1]) == ("data", "model")
    assert slopes["kernel"].sharding.spec == kernel and slope.sharding.spec[0] == "data"


@pytest.mark.parametrize("name", [name for name, (_, in_shape) in LAYERS.items() if in_shape == IMAGE])
def test_spread_input_channels(name, given, compiled, close):
    """They stay spread where channels are apart, and are summed or brought together where they are not."""
    layer, _ = LAYERS[name]
    arrays = given(*LAYERS[name])
    params, state, x, ct = arrays
    run, mesh = training(layer), jax.make_mesh((2, 2), ("data", "model"))
    spec = P("data", None, None, "model")
    result = compiled(run)(placed(mesh, params), placed(mesh, state), placed(mesh, x, *spec), placed(mesh, ct, "data"))
    close(result, compiled(run)(*arrays), TOLERANCE)
    y, _, _, slope = result
    summed = isinstance(layer, (Conv, ConvTranspose)) and layer.groups == 1 or name in ("local", "flatten", "net")
    assert (y.sharding.spec[0], y.sharding.spec[-1]) == ("data", None if summed else "model")
    assert slope.sharding.spec == spec
