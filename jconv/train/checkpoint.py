"""Checkpoints of a whole TrainState, by orbax: written under another name and then renamed, so a
killed run leaves no half of one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from ..errors import InputError
from .step import TrainState

KEEP = 3


def save_checkpoint(folder: Path, state: TrainState) -> None:
    """Write folder/STEP and remove all but the last few. Returns when it is on the disk."""
    with _manager(folder) as manager:
        manager.save(int(state.step), args=ocp.args.StandardSave(state))


def saved_steps(folder: Path) -> list[int]:
    """The steps that have a checkpoint, in order."""
    if not folder.is_dir():
        return []
    with _manager(folder) as manager:
        return sorted(manager.all_steps())


def restore_checkpoint(folder: Path, like: TrainState) -> TrainState:
    """The newest checkpoint, with the tree, shapes, dtypes and placement of `like`. Raises
    InputError naming the folder and the leaf.
    """
    steps = saved_steps(folder)
    if not steps:
        raise InputError(
            f"{folder}: holds no checkpoint to go on from; start the training again with a new "
            "out=FOLDER"
        )
    fix = (
        "remove that folder to go on from the one before"
        if steps[1:]
        else "start the training again with a new out=FOLDER"
    )
    target = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
    with _manager(folder) as manager:
        try:
            _check(manager.item_metadata(steps[-1]), target)
            return manager.restore(steps[-1], args=ocp.args.StandardRestore(target))
        except Exception as error:  # orbax promises no type for a damaged checkpoint
            raise InputError(
                f"{folder / str(steps[-1])}: cannot be restored: "
                f"{str(error).strip().splitlines()[0]}; {fix}"
            ) from error


def _check(saved: Any, target: TrainState) -> None:
    """Name the first leaf that differs. (Orbax would, too, but leaves its other reads running, and
    they complain later.)
    """
    found, wanted = _leaves(saved), _leaves(target)
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            raise ValueError(
                f"{name} is {found.get(name, 'absent')}, expected "
                f"{wanted.get(name, 'no such array')}"
            )


def _leaves(tree: Any) -> dict[str, str]:
    """Shape and dtype by path, such as "opt_state/0/mu/conv1/kernel"."""
    name = lambda path: jax.tree_util.keystr(path, simple=True, separator="/")
    return {
        name(path): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _manager(folder: Path) -> ocp.CheckpointManager:
    options = ocp.CheckpointManagerOptions(max_to_keep=KEEP, enable_async_checkpointing=False)
    return ocp.CheckpointManager(
        folder.resolve(), options=options, item_handlers=ocp.StandardCheckpointHandler()
    )
