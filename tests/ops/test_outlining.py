"""A function that stays apart in a larger program, and what is in it does not."""

import jax
import jax.numpy as jnp
import numpy as np

from jconv.ops.outlining import outlined


def scaled(x, factor):
    """jnp.where and jnp.roll are functions jitted by themselves."""
    return jnp.roll(jnp.where(x > 0, x, 0.0), 1) * factor


def test_one_call_and_none_inside():
    program = jax.jit(lambda x: outlined(scaled, static=("factor",))(x + 1, factor=2.0) + 1)
    x = jnp.arange(6.0) - 3
    lines = program.lower(x).compile().as_text().splitlines()
    assert sum(" call(" in line and 'inlineable="false"' in line for line in lines) == 1
    np.testing.assert_array_equal(program(x), scaled(x + 1, 2.0) + 1)


def test_the_name_stays():
    text = (
        jax.jit(lambda x: outlined(scaled, static=("factor",))(x, factor=2.0))
        .lower(jnp.zeros(3))
        .as_text()
    )
    assert "func.func private @scaled" in text


def test_a_loop_inside_keeps_its_body():
    """Were the body a call, what the loop carries would be copied in every step."""

    def doubled(x, times):
        return jax.lax.fori_loop(0, times, lambda _, a: a * 2, x)

    text = (
        jax.jit(lambda x: outlined(doubled, static=("times",))(x, times=7))
        .lower(jnp.zeros(3))
        .compile()
        .as_text()
    )
    assert text.count('inlineable="false"') == 1


def turned(x):
    return jnp.transpose(x, (2, 1, 0))


def test_what_is_returned_in_another_order_is_moved_once():
    """Or each of its users would have its own copy."""
    program = jax.jit(
        lambda x: [outlined(turned, static=(), flat=True)(jnp.sin(x))[i:] for i in range(4)]
    )
    x = jnp.arange(8 * 6 * 9.0).reshape(8, 6, 9)
    lines = program.lower(x).compile().as_text().splitlines()
    assert sum(" copy(" in line or " transpose(" in line for line in lines if "= f32[" in line) <= 2
    for i, a in enumerate(program(x)):
        np.testing.assert_allclose(a, np.sin(x).transpose(2, 1, 0)[i:], rtol=1e-6)


def test_results_are_those_of_the_function_one_several_or_none():
    several = outlined(lambda x, y: (x.T, y, jnp.zeros((0, 3))), static=(), flat=True)
    x, y = jnp.arange(6.0).reshape(2, 3), jnp.float32(4)
    for run in (several, jax.jit(several)):
        assert [(a.shape, a.dtype) for a in run(x, y)] == [
            ((3, 2), x.dtype),
            ((), y.dtype),
            ((0, 3), x.dtype),
        ]
        np.testing.assert_array_equal(run(x, y)[0], x.T)


def test_what_is_spread_over_devices_is_not_gathered():
    """Flat, the images of a batch would be, where they come last."""
    mesh = jax.sharding.Mesh(jax.devices(), ("batch",))
    spread = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
    x = jax.ShapeDtypeStruct((8, 6, 9), jnp.float32, sharding=spread)
    assert len(jax.devices()) > 1
    text = (
        jax.jit(lambda x: outlined(turned, static=(), flat=True)(x) * 2)
        .lower(x)
        .compile()
        .as_text()
    )
    assert "all-gather" not in text and 'inlineable="false"' in text


def test_it_is_exported_with_any_batch():
    (batch,) = jax.export.symbolic_shape("batch")
    exported = jax.export.export(jax.jit(outlined(turned, static=(), flat=True)))(
        jax.ShapeDtypeStruct((batch, 2, 3), jnp.float32)
    )
    x = jnp.arange(30.0).reshape(5, 2, 3)
    np.testing.assert_array_equal(exported.call(x), x.transpose(2, 1, 0))
