"""jax.export with sizes that are symbols: one program for every size of batch and image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import jconv
from jconv import (
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    GlobalAvgPool,
    MaxPool,
    Relu,
    Sequential,
    ShapeError,
)

NETS = {
    "strided": lambda: Sequential(
        Conv(8, 3, padding=1),
        BatchNorm(),
        Relu(),
        MaxPool(2),
        Conv(8, 3, 2, padding=1),
        AvgPool(2),
        GlobalAvgPool(),
    ),
    "large kernels": lambda: Sequential(
        Conv(16, 9, padding=4),
        ConvTranspose(4, 2, stride=2),
        jconv.LpPool(3, 2, padding=1),
        jconv.GlobalMaxPool(),
    ),
    "groups and norms": lambda: Sequential(
        *(
            jconv.InstanceNorm(),
            Conv(8, 3, padding="SAME"),
            Conv(8, 5, groups=8, padding=2),
            jconv.GroupNorm(2),
            jconv.LayerNorm(),
        ),
        *(jconv.LocalResponseNorm(), jconv.AdaptiveAvgPool(1), jconv.Flatten(), Dense(2)),
    ),
    "larger": lambda: Sequential(
        jconv.Upsample(2), jconv.RMSNorm(), jconv.PRelu(), jconv.AdaptiveMaxPool(1)
    ),
}


@pytest.mark.sweep(1)
@pytest.mark.parametrize("batch", ["b", "4"])
@pytest.mark.parametrize("name", NETS)
def test_one_program_serves_every_size(name, batch, close):
    net = NETS[name]()
    params, state = net.init(jax.random.key(0, impl="unsafe_rbg"), (32, 32, 3))
    run = jax.jit(lambda x: net.apply(params, state, x)[0])
    shape = export.symbolic_shape(f"{batch}, 8*h, 8*w, 3")
    program = export.export(run)(jax.ShapeDtypeStruct(shape, jnp.float32))
    for sizes in ((16, 24), (40, 16)):
        x = jnp.asarray(np.random.default_rng(0).standard_normal((4, *sizes, 3)), jnp.float32)
        close(program.call(x), run(x), 1e-5)


@pytest.mark.parametrize(
    "layer, words",
    [
        (
            jconv.AdaptiveAvgPool(2),
            "2 bins of an axis of size .*: a size that is a number was expected, or one bin",
        ),
        (AvgPool(3, 2, padding=1), "which windows reach over the border is not known"),
        (jconv.Upsample(sizes=7), "a number was expected; of symbols"),
    ],
)
def test_what_needs_the_numbers_says_so(layer, words):
    shape = export.symbolic_shape("b, 8*h, 8*w, 3")
    with pytest.raises(ShapeError, match=words):
        export.export(jax.jit(lambda x: layer.apply({}, {}, x)[0]))(
            jax.ShapeDtypeStruct(shape, jnp.float32)
        )
