"""Checkpoints by orbax: written beside the training, under another name and then renamed, so that a
killed run leaves no half of one.

A checkpoint is a folder named by its step, with the arrays that a training carries and a JSON file
about them. A step's number is all there is of the images: which come next follows from it.
"""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp

from ..errors import InputError

KEEP = 3
Tree = TypeVar("Tree")


class Restored(NamedTuple):
    """A checkpoint, read."""

    step: int
    tree: Any
    about: dict[str, Any]


class Checkpoints:
    """Writes those of one run; a context manager, which waits at its end for the last to be on the
    disk.

    One that cannot be written, as on a full disk, is a warning: the training goes on, and those
    before it stay.
    """

    def __init__(self, folder: Path):
        self.folder = folder.resolve()
        for unfinished in self.folder.glob("*.orbax-checkpoint-tmp*"):  # of a run that was killed
            shutil.rmtree(unfinished, ignore_errors=True)
        self._manager = _manager(self.folder)
        self._last: int | None = None  # a step whose checkpoint is still being written

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()
        self._manager.close()

    def save(self, step: int, tree: Any, about: dict[str, Any]) -> None:
        """Begin to write folder/STEP, of a copy that the training may go on from at once, and
        remove all but the last few. A step that is there already stays as it is.
        """
        self.wait()
        if step in self._manager.all_steps():
            return
        # copied: on a CPU a training writes over the very memory that would be read
        host = jax.tree.map(np.array, jax.device_get(tree))
        self._last = step
        try:
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    train=ocp.args.StandardSave(host), about=ocp.args.JsonSave(about)
                ),
            )
        except Exception as error:  # orbax promises no type for a disk that refuses
            self._lost(error)

    def wait(self) -> None:
        """Until the last one is on the disk."""
        try:
            self._manager.wait_until_finished()
        except Exception as error:
            self._lost(error)
        self._last = None

    def steps(self) -> list[int]:
        """Those that are on the disk, in order."""
        return sorted(self._manager.all_steps())

    def _lost(self, error: Exception) -> None:
        step, self._last = self._last, None
        # a manager that has failed says so again at every call
        self._manager = _manager(self.folder)
        left = self.steps()
        there = f"the last one is of step {left[-1]:,}" if left else "there is none yet"
        warnings.warn(
            f"{self.folder / str(step)}: the checkpoint could not be written "
            f"({_first_line(error)}); the training goes on, {there}",
            stacklevel=3,
        )
        for folder in self.folder.glob(f"{step}.*"):  # what there is of it takes the space
            shutil.rmtree(folder, ignore_errors=True)


def saved_steps(folder: Path) -> list[int]:
    """The steps that have a checkpoint, in order."""
    if not folder.is_dir():
        return []
    with _manager(folder) as manager:
        return sorted(manager.all_steps())


def restore_checkpoint(folder: Path, like: Any, before: int | None = None) -> Restored:
    """The newest checkpoint, or the newest of a step up to `before`, with the tree, shapes, dtypes
    and placement of `like`.

    One that is damaged is passed over with a warning, removed, and the one before it taken. Raises
    InputError naming the folder, and the arrays that differ when it is of another net.
    """
    steps = [step for step in saved_steps(folder) if before is None or step <= before]
    again = "start the training again with a new out=FOLDER"
    if not steps:
        upto = "" if before is None else f" of a step up to {before}"
        raise InputError(f"{folder}: holds no checkpoint{upto} to go on from; {again}")
    target = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
    damaged: list[str] = []
    for step in reversed(steps):
        with _manager(folder) as manager:
            try:
                saved = manager.item_metadata(step)
                if saved["train"] is None:
                    raise ValueError("its description of the arrays is missing")
                differ = _differences(saved["train"], target)
            except Exception as error:  # orbax promises no type for a damaged checkpoint
                damaged.append(f"{folder / str(step)}: {_first_line(error)}")
                continue
            if differ:
                raise InputError(
                    f"{folder / str(step)}: is of another net or optimizer: {'; '.join(differ)}; "
                    f"{again}"
                )
            try:
                found = manager.restore(
                    step,
                    args=ocp.args.Composite(
                        train=ocp.args.StandardRestore(target), about=ocp.args.JsonRestore()
                    ),
                )
            except Exception as error:
                damaged.append(f"{folder / str(step)}: {_first_line(error)}")
                continue
        for line in damaged:
            warnings.warn(
                f"{line}; it is damaged and was removed, the training goes on from step {step:,}",
                stacklevel=2,
            )
            shutil.rmtree(line.partition(": ")[0], ignore_errors=True)
        return Restored(step, found["train"], found["about"])
    raise InputError(f"{damaged[0]}; no checkpoint can be restored; {again}")


DIFFERENCES = 5  # named at most


def _differences(saved: Any, target: Any) -> list[str]:
    """The first arrays that differ. (Orbax would say so, too, but leaves its other reads running,
    and they complain later.)
    """
    found, wanted = _leaves(saved), _leaves(target)
    differ = [
        f"{name} is {found.get(name, 'absent')}, expected {wanted.get(name, 'no such array')}"
        for name in sorted(found.keys() | wanted.keys())
        if found.get(name) != wanted.get(name)
    ]
    more = [f"and {len(differ) - DIFFERENCES:,} more"] if len(differ) > DIFFERENCES else []
    return differ[:DIFFERENCES] + more


def _leaves(tree: Any) -> dict[str, str]:
    """Shape and dtype by path, such as "train/opt_state/0/mu/conv1/kernel"."""
    name = lambda path: jax.tree_util.keystr(path, simple=True, separator="/")
    return {
        name(path): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _manager(folder: Path) -> ocp.CheckpointManager:
    options = ocp.CheckpointManagerOptions(max_to_keep=KEEP, enable_async_checkpointing=True)
    handlers = {
        "train": ocp.StandardCheckpointHandler(),
        "about": ocp.JsonCheckpointHandler(),
    }
    return ocp.CheckpointManager(folder.resolve(), options=options, item_handlers=handlers)
