import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import (
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Relu,
    Repeat,
    Residual,
    Sequential,
    Tap,
    budget,
    jit,
    split_taps,
    thin,
)
from jconv.edit.remat import Remat, blocks, compiler_options, fit_memory, rematerialize
from jconv.errors import InputError
from jconv.models import build

BATCH = 16


@pytest.fixture(scope="module")
def resnet():
    return build("cifar_resnet20")


def test_blocks_are_the_smallest_that_branch(resnet):
    names = [f"stage{i}/block{j}" for i in (1, 2, 3) for j in (1, 2, 3)]
    assert [path for path, _ in blocks(resnet[0])] == names
    assert list(blocks(build("vgg11")[0])) == []
    assert len(list(blocks(build("googlenet")[0]))) >= 9


def test_a_net_that_fits_is_as_it_was(resnet):
    net, in_shape = resnet
    assert fit_memory(net, in_shape, BATCH, 2**40) == (net, ())


def test_fewest_blocks_are_computed_again(resnet):
    net, in_shape = resnet
    whole = budget(net, in_shape, BATCH).total
    some, few = fit_memory(net, in_shape, BATCH, int(0.9 * whole))
    more, many = fit_memory(net, in_shape, BATCH, int(0.6 * whole))
    assert 0 < len(few) < len(many) and few[0].startswith("stage1")
    assert budget(more, in_shape, BATCH).total < budget(some, in_shape, BATCH).total < whole


def test_what_cannot_fit_is_refused_with_what_would(resnet):
    net, in_shape = resnet
    least = budget(net, in_shape, 1).total
    with pytest.raises(InputError, match=r"fit_memory=.* with all of its 9 blocks .*batch_size=1"):
        fit_memory(net, in_shape, BATCH, int(1.01 * least))
    flat = Sequential(conv=Conv(4, 3), flatten=Flatten(), fc=Dense(3))
    with pytest.raises(InputError, match="it has no blocks to compute again"):
        fit_memory(flat, (32, 32, 3), 64, budget(flat, (32, 32, 3), 32).total)


def compiled_gradient(net, params, state, x):
    def loss(params, x):
        y, new = net.apply(params, state, x, train=True)
        return jnp.square(y).sum(), new

    options = compiler_options(net)
    return jit(jax.grad(loss, has_aux=True), compiler_options=options).lower(params, x).compile()


def half_the_memory(net, in_shape, batch, close):
    """By XLA's own account, of a gradient, and with the same numbers."""
    params, state = net.init(jax.random.key(0), in_shape)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(batch, *in_shape)), jnp.float32)
    again = rematerialize(net, tuple(path for path, _ in blocks(net)))
    plain, less = (compiled_gradient(n, params, state, x) for n in (net, again))
    (of_plain, state_plain), (of_less, state_less) = plain(params, x), less(params, x)
    close(of_less, of_plain, 1e-4)
    close(state_less, state_plain, 1e-5)
    whole, part = (p.memory_analysis().temp_size_in_bytes for p in (plain, less))
    return part < 0.5 * whole


@pytest.mark.exhaustive
def test_a_compiled_gradient_takes_less_memory(close):
    unit = lambda: {"conv": Conv(8, 1), "bn": BatchNorm(), "relu": Relu()}
    block = lambda: Sequential(a=Sequential(**unit()), b=Sequential(**unit()))
    net = Sequential(**{f"block{i}": block() for i in range(1, 6)}, flatten=Flatten(), fc=Dense(3))
    assert half_the_memory(net, (8, 8, 8), 16, close)


@pytest.mark.exhaustive
def test_a_resnets_too(resnet, close):
    assert half_the_memory(thin(resnet[0], 1 / 2), resnet[1], 8, close)


def test_a_program_is_told_of_it_where_there_is_some_alone(resnet):
    net, _ = resnet
    assert compiler_options(net) == {}
    inside = rematerialize(net, ("stage2/block2",))
    assert bool(compiler_options(inside)) == (jax.default_backend() == "cpu")


def test_what_is_inside_works_as_before(filled, close):
    """Dropout draws the same, batch norm's statistics move, gradients agree."""
    block = Sequential(conv=Conv(4, 3, padding=1), bn=BatchNorm(), relu=Relu(), drop=Dropout(0.5))
    net = Sequential(block=block, flatten=Flatten(), fc=Dense(3))
    params, state = filled(net, (5, 4, 2))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(6, 5, 4, 2)), jnp.float32)
    again = rematerialize(net, ("block",))
    assert isinstance(dict(again.layers)["block"], Remat)

    def gradient(net):
        def loss(params):
            y, new = net.apply(params, state, x, train=True, key=jax.random.key(3))
            return jnp.square(y).sum(), new

        return jax.jit(jax.grad(loss, has_aux=True))(params)

    close(gradient(again), gradient(net), 1e-5)


def test_blocks_with_taps_are_taken_apart(filled):
    """What a tap records is not carried from step to step, so it has to be found."""
    conv = Conv(4, 3, padding=1)
    head = Sequential(conv=Conv(4, 3), flatten=Flatten(), fc=Dense(3))
    net = Sequential(
        block=Residual(Sequential(conv=conv, seen=Tap("seen"))),
        aux=Tap("aux", head),
        looped=Repeat(Residual(conv), 2),
        flatten=Flatten(),
        fc=Dense(3),
    )
    assert [path for path, _ in blocks(net)] == ["aux/body", "looped/layer"]
    params, state = filled(net, (5, 4, 4))
    x = jnp.ones((2, 5, 4, 4))
    again = rematerialize(net, ("aux/body", "looped/layer"))
    _, new = again.apply(params, state, x, train=True)
    assert {name: a.shape for name, a in split_taps(again, new)[1].items()} == {
        "seen": (2, 5, 4, 4),
        "aux": (2, 3),
    }


def test_a_block_that_saves_nothing_is_none():
    """Its output is kept by what follows, and its input would be kept for it alone."""
    wide = Sequential(conv1=Conv(8, 1), relu1=Relu(), conv2=Conv(8, 1), relu2=Relu())
    none = Sequential(relu=Relu())
    net = Sequential(wide=wide, norm=BatchNorm(), none=none, flatten=Flatten(), fc=Dense(3))
    limit = budget(net, (8, 8, 8), 2).total
    with pytest.raises(InputError, match="with all of its 1 blocks computed again"):
        fit_memory(net, (8, 8, 8), 64, limit)
