import jax
import jax.numpy as jnp
import pytest

from jconv.errors import InputError
from jconv.train import make_optimizer
from jconv.train.checkpoint import KEEP, restore_checkpoint, save_checkpoint, saved_steps


@pytest.fixture
def state(start):
    return start(make_optimizer("adam", 0.1))


def at(state, step):
    return state._replace(step=jnp.int32(step))


def test_a_state_comes_back_bit_for_bit(tmp_path, state, close):
    save_checkpoint(tmp_path / "checkpoints", at(state, 7))
    blank = jax.tree.map(jnp.zeros_like, state)
    back = restore_checkpoint(tmp_path / "checkpoints", blank)
    assert jax.tree.structure(back) == jax.tree.structure(state)
    close(back, at(state, 7), 0)
    assert [a.dtype for a in jax.tree.leaves(back)] == [a.dtype for a in jax.tree.leaves(state)]


def test_the_last_few_are_kept_and_the_newest_restored(tmp_path, state):
    for step in (0, 5, 10, 15, 100):
        save_checkpoint(tmp_path, at(state, step))
    assert saved_steps(tmp_path) == [10, 15, 100] and KEEP == 3
    assert restore_checkpoint(tmp_path, state).step == 100


def test_an_unfinished_checkpoint_does_not_count(tmp_path, state):
    save_checkpoint(tmp_path, at(state, 5))
    (tmp_path / "10.orbax-checkpoint-tmp-1").mkdir()
    assert saved_steps(tmp_path) == [5]
    assert restore_checkpoint(tmp_path, state).step == 5


def test_none_to_restore(tmp_path, state):
    assert saved_steps(tmp_path / "absent") == []
    with pytest.raises(InputError, match="absent: holds no checkpoint to go on from"):
        restore_checkpoint(tmp_path / "absent", state)


def test_a_damaged_checkpoint_is_named(tmp_path, state):
    for step in (5, 10):
        save_checkpoint(tmp_path, at(state, step))
    (tmp_path / "10" / "default" / "_METADATA").write_bytes(b"")
    with pytest.raises(
        InputError,
        match="10: cannot be restored: .+; remove that folder to go on from the one before",
    ):
        restore_checkpoint(tmp_path, state)


def test_another_net_is_refused(tmp_path, state):
    save_checkpoint(tmp_path, state)
    params = {**state.params, "fc": {"kernel": jnp.zeros((5, 7)), "bias": jnp.zeros(3)}}
    words = (
        r"0: cannot be restored: params/fc/kernel is float32\[60, 3\], expected float32\[5, 7\]; "
        r"start the training again with a new out=FOLDER"
    )
    with pytest.raises(InputError, match=words):
        restore_checkpoint(tmp_path, state._replace(params=params))
    del params["fc"]
    with pytest.raises(InputError, match=r"params/fc/bias is float32\[3\], expected no such array"):
        restore_checkpoint(tmp_path, state._replace(params=params))
