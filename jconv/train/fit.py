"""A whole training, from its images to its run folder.

`train` does all of it for a net, images and a loss of one's own:

    from jconv.train.fit import train
    from jconv.train.options import TrainOptions

    result = train(net, in_shape, data, TrainOptions(epochs=20), loss=my_loss, out="runs/mine")
    print(result.accuracy, result.run.report)

`jconv train` is made of the same parts, for nets and images that have names.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import jax

from ..cli.signals import signals
from ..data import Dataset
from ..data.pixels import UNIT, PixelScale
from ..data.validation import held_out
from ..edit import to_json
from ..edit.head import head_paths, with_classes
from ..errors import InputError
from ..files import new_folder, write_text
from ..geometry import Shape
from ..layer import Layer, Params, State
from ..weights import Weights, load_weights
from .checkpoint import restore_checkpoint
from .chosen import by_plan
from .epochs import Watch, fit
from .log import open_log
from .loop import Carried
from .loss import Loss
from .options import GIVEN, HARMLESS, TrainOptions
from .results import made_with, write_results
from .run import Row, Run, keep_rows, open_run, read_config, read_rows, write_config
from .setup import Training, prepare, tested
from .step import draw
from .telling import shown, told


class Result(NamedTuple):
    """What a training came to."""

    run: Run
    params: Params
    state: State
    accuracy: float  # of the test images, 0 to 1
    rows: list[Row]  # of metrics, one per epoch

    def __str__(self) -> str:
        return "\n".join(told(self.run.folder, self.rows, self.accuracy))

    __repr__ = __str__  # what a terminal shows of a last line: of arrays, nothing

    def _repr_html_(self) -> str:
        """What a notebook shows: the same with curves over the epochs."""
        return shown(self.run.folder, self.rows, self.accuracy)


def train(
    net: Layer,
    in_shape: Shape,
    data: Dataset,
    options: TrainOptions | None = None,
    *,
    loss: Loss | None = None,
    pixels: PixelScale | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    watch: Watch = lambda progress: None,
) -> Result:
    """Train a net of one's own on images of one's own, into a run folder with metrics, checkpoints,
    weights and a report.

    `loss` is a function of (logits (N, classes), labels (N,)) to (N,), in place of the options'.
    `out` is the folder, new or empty; runs/given-TIME without it. With `resume` it is one that the
    same call began, from whose last checkpoint it goes on. `watch` is called about twice a second.
    Of the options those about a model's name, where images are and the backend have no say.
    Raises LayerError for a net that JSON cannot hold, InputError, Diverged, and after SIGINT or
    SIGTERM, when all is saved, Stopped.
    """
    options = replace(
        options or TrainOptions(), model=GIVEN, data=GIVEN, out=None if out is None else Path(out)
    )
    if resume and options.out is None:
        raise InputError("resume=True: the folder to go on with was expected: out=FOLDER")
    to_json(net)  # raises, and not after hours
    if options.validation and data.validation is None:
        data = held_out(data, options.validation)
    weights = None if resume else begin_from(options, net, in_shape)
    planned, plan, _ = by_plan(options, net, in_shape, options.out if resume else None)
    own = pixels or (weights.pixels if weights else None)
    if resume and options.out is not None:
        begun = open_run(options.out)
        check_unchanged(read_config(begun)[0], options)
        own = pixels_of(begun)
    training, carried = prepare(
        options, net, in_shape, data, loss=loss, planned=planned, pixels=own
    )
    title = f"given-{datetime.now():%Y%m%d-%H%M%S}"
    place = nullcontext(options.out) if resume else new_folder(options.out, title)
    with place as folder, signals() as stop:
        assert folder is not None
        run = open_run(folder) if resume else Run(folder)
        spent = 0.0
        if resume:
            carried, spent = go_on(training, run, carried)
        else:
            carried = begin(training, run, carried, weights, plan)
        with open_log(options.log, run.folder) as log:
            for after, _ in fit(training, run, carried, watch, stop, log, spent):
                carried = after
        accuracy = write_results(training, run, carried).accuracy
    return Result(run, *tested(carried.train), accuracy, read_rows(run))


def begin_from(
    options: TrainOptions, net: Layer, in_shape: Shape, own: Sequence[type[Layer]] = ()
) -> Weights | None:
    """The weights that the options begin from; `own` are layer classes that are not jconv's. Of a
    net with other classes the heads are drawn, by the options' seed. Raises InputError for weights
    of another net.
    """
    path = options.weights
    if path is None:
        return None
    weights = load_weights(path / "weights.safetensors" if path.is_dir() else path, own)
    if weights.in_shape == in_shape and weights.net != net:
        weights = _with_new_heads(weights, net, options.seed)
    if weights.net != net or weights.in_shape != in_shape:
        raise InputError(
            f"weights={path}: are of a net with {len(weights.class_names)} classes for images of "
            f"{weights.in_shape}; this one, for images of {in_shape}, is another; give the model "
            "that they were trained as"
        )
    return weights


def _with_new_heads(weights: Weights, net: Layer, seed: int) -> Weights:
    """The same for a net that differs in its heads alone; as they are for any other."""
    classes = net.out_shape(weights.in_shape)[-1]
    if with_classes(weights.net, classes) != net:
        return weights
    drawn, _ = draw(net, weights.in_shape, seed)
    heads = set(head_paths(net))
    params = jax.tree_util.tree_map_with_path(
        lambda at, new, old: new if array_layer(at) in heads else old,
        drawn,
        _like(weights.params, drawn),
    )
    names = tuple(str(i) for i in range(classes))
    return weights._replace(net=net, params=params, class_names=names)


def array_layer(at: tuple) -> str:
    """The path of the layer that an array belongs to."""
    return jax.tree_util.keystr(at[:-1], simple=True, separator="/")


def _like(tree: Any, other: Any) -> Any:
    """The tree with its entries in the order of another."""
    if not isinstance(other, dict):
        return tree
    return {name: _like(tree[name], branch) for name, branch in other.items()}


def begin(
    training: Training, run: Run, carried: Carried, weights: Weights | None = None, plan: str = ""
) -> Carried:
    """Write what a run folder has before its first step; what it begins with is returned."""
    write_config(run, config_of(training))
    if plan:
        write_text(run.plan, plan)
    if weights is None:
        return carried
    return carried._replace(train=carried.train.begun_with(weights.params, weights.state))


def go_on(training: Training, run: Run, like: Carried) -> tuple[Carried, float]:
    """The last checkpoint of a run, and the seconds that went into it.

    What the folder says of later steps is dropped, and its configuration is that of the training
    from here on. Raises InputError.
    """
    restored = restore_checkpoint(run.checkpoints, like)
    if restored.step > training.total:
        done = restored.step // training.order.steps
        raise InputError(
            f"epochs={training.options.epochs}: {run.folder} has had {done} already; give more"
        )
    keep_rows(run, restored.step)
    write_config(run, {**read_config(run)[1], **config_of(training)})
    return restored.tree, float(restored.about["seconds"])


def pixels_of(run: Run) -> PixelScale:
    """The scale that a run was begun with; of a run of before it was kept, value/255."""
    saved = read_config(run)[1].get("pixels")
    return UNIT if saved is None else PixelScale(tuple(saved["mean"]), tuple(saved["std"]))


def config_of(training: Training) -> dict:
    """What config.json holds."""
    return {
        "options": training.options.to_dict(),
        "pixels": training.pixels._asdict(),
        "made_with": made_with(),
    }


def check_unchanged(saved: TrainOptions, given: TrainOptions) -> None:
    """Raises InputError with the options that a run was begun with and that are others now, but for
    those that change none of its numbers, and for more epochs.
    """
    allowed = HARMLESS | {"epochs", "out"}
    differ = [
        f"{name}={getattr(given, name)!r} was {getattr(saved, name)!r}"
        for name in vars(saved)
        if name not in allowed and getattr(saved, name) != getattr(given, name)
    ]
    if differ:
        raise InputError(
            f"resume: the run was begun with other options: {'; '.join(differ)}; it can go on with "
            f"others of {', '.join(sorted(HARMLESS))} and with more epochs alone"
        )
