import jax
import jax.numpy as jnp
import optax

from jconv.train import initial_state


def test_it_is_a_pure_function_of_the_seed(tiny, close):
    once, again, other = (
        initial_state(tiny.net, tiny.in_shape, optax.adam(0.1), seed) for seed in (3, 3, 4)
    )
    close(once, again, 0)
    params, state = tiny.net.init(jax.random.key(3), tiny.in_shape)
    close((once.params, once.state), (params, state), 1e-6)
    assert (once.params["fc"]["kernel"] != other.params["fc"]["kernel"]).any()
    assert once.step == 0 and once.step.dtype == jnp.int32
