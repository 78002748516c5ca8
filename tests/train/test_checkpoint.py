import jax
import jax.numpy as jnp
import pytest

from jconv.errors import InputError
from jconv.train import make_optimizer
from jconv.train.checkpoint import KEEP, Checkpoints, restore_checkpoint, saved_steps


@pytest.fixture
def state(start):
    return start(make_optimizer("adam", 0.1))


def at(state, step):
    return state._replace(step=jnp.int32(step))


def save(folder, state, *steps):
    with Checkpoints(folder) as checkpoints:
        for step in steps:
            checkpoints.save(step, at(state, step), {"seconds": step / 2})


def arrays(folder):
    """The files of a checkpoint's arrays, the largest first."""
    files = [p for p in (folder / "train").rglob("*") if p.is_file()]
    return sorted(files, key=lambda p: -p.stat().st_size)


def test_a_state_comes_back_bit_for_bit(tmp_path, state, close):
    save(tmp_path / "checkpoints", state, 7)
    blank = jax.tree.map(jnp.zeros_like, state)
    step, back, about = restore_checkpoint(tmp_path / "checkpoints", blank)
    assert (step, about) == (7, {"seconds": 3.5})
    assert jax.tree.structure(back) == jax.tree.structure(state)
    close(back, at(state, 7), 0)
    assert [a.dtype for a in jax.tree.leaves(back)] == [a.dtype for a in jax.tree.leaves(state)]


def test_what_is_saved_may_change_at_once(tmp_path, state, close):
    """As a training does, which gives the very buffers away."""
    before = jax.tree.map(jnp.copy, state)
    step = jax.jit(lambda s: jax.tree.map(lambda a: a + 1, s), donate_argnums=0)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state, {})
        step(state)
    close(restore_checkpoint(tmp_path, before).tree, before, 0)


def test_the_last_few_are_kept_and_the_newest_restored(tmp_path, state):
    save(tmp_path, state, 0, 5, 10, 15, 100)
    assert saved_steps(tmp_path) == [10, 15, 100] and KEEP == 3
    assert restore_checkpoint(tmp_path, state).step == 100
    assert restore_checkpoint(tmp_path, state, before=99).step == 15
    with pytest.raises(InputError, match="holds no checkpoint of a step up to 9 to go on from"):
        restore_checkpoint(tmp_path, state, before=9)


def test_a_step_is_saved_once(tmp_path, state):
    save(tmp_path, state, 5)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(5, state, {"seconds": 99})
    assert restore_checkpoint(tmp_path, state).about == {"seconds": 2.5}


def test_an_unfinished_checkpoint_does_not_count(tmp_path, state):
    save(tmp_path, state, 5)
    (tmp_path / "10.orbax-checkpoint-tmp-1").mkdir()
    assert saved_steps(tmp_path) == [5]
    assert restore_checkpoint(tmp_path, state).step == 5


def test_none_to_restore(tmp_path, state):
    assert saved_steps(tmp_path / "absent") == []
    with pytest.raises(InputError, match="absent: holds no checkpoint to go on from"):
        restore_checkpoint(tmp_path / "absent", state)


@pytest.mark.parametrize("damage", ["truncated", "emptied", "undescribed", "gone"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, state, damage):
    save(tmp_path, state, 5, 10)
    newest = tmp_path / "10"
    if damage == "undescribed":
        (newest / "train" / "_METADATA").write_bytes(b"")
    elif damage == "gone":
        for file in arrays(newest):
            file.unlink()
    else:
        for file in arrays(newest):
            data = file.read_bytes()
            file.write_bytes(data[: len(data) // 2] if damage == "truncated" else b"")
    with pytest.warns(UserWarning, match="10: .*was removed, the training goes on from step 5"):
        assert restore_checkpoint(tmp_path, state).step == 5
    assert saved_steps(tmp_path) == [5]


def test_nothing_but_damage(tmp_path, state):
    save(tmp_path, state, 10)
    (tmp_path / "10" / "train" / "_METADATA").write_bytes(b"")
    with pytest.raises(InputError, match="10: .*no checkpoint can be restored; start the training"):
        restore_checkpoint(tmp_path, state)
    assert saved_steps(tmp_path) == [10], "what cannot be replaced is not removed"


def test_a_full_disk_is_a_warning_and_leaves_what_there_is(tmp_path, state, monkeypatch):
    """In the writing thread, where a real one shows."""
    import orbax.checkpoint as ocp

    def refuses(*_, **__):
        raise OSError(28, "No space left on device")

    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(5, state, {})
        checkpoints.wait()
        with monkeypatch.context() as patch:
            patch.setattr(ocp.CheckpointManager, "save", refuses)
            with pytest.warns(UserWarning, match="10: .* could not be written .*No space left .*5"):
                checkpoints.save(10, state, {})
        checkpoints.save(15, state, {})
    assert saved_steps(tmp_path) == [5, 15]


def test_another_net_is_refused(tmp_path, state):
    save(tmp_path, state, 0)
    params = {**state.params, "fc": {"kernel": jnp.zeros((5, 7)), "bias": jnp.zeros(3)}}
    words = (
        r"0: is of another net or optimizer: params/fc/kernel is float32\[60, 3\], expected "
        r"float32\[5, 7\]; start the training again with a new out=FOLDER"
    )
    with pytest.raises(InputError, match=words):
        restore_checkpoint(tmp_path, state._replace(params=params))
    del params["fc"]
    with pytest.raises(InputError, match=r"params/fc/bias is float32\[3\], expected no such array"):
        restore_checkpoint(tmp_path, state._replace(params=params))
    assert saved_steps(tmp_path) == [0]


def test_what_a_killed_run_left_unfinished_is_removed(tmp_path, state):
    (tmp_path / "10.orbax-checkpoint-tmp-1" / "train").mkdir(parents=True)
    save(tmp_path, state, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["5"]
