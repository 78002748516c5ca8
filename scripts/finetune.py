"""Train a network that was trained before for other classes.

    jconv finetune resnet18.pth --net resnet18 --data folder --data-dir photos
        a new head for the classes of the folder; all of the net trains, the head ten times as fast
    jconv finetune RUN --data folder --data-dir photos --freeze "conv*" "stage1" "stage2"
        what the patterns mean stays as it is, its batch norms' statistics too
    jconv finetune RUN --data folder --data-dir photos --unfreeze 2=stage4 4=stage3
        the head alone for two epochs, then stage4 as well, from the fifth epoch stage3 too
    jconv finetune RUN --data folder --data-dir photos --features
        features computed once, and a linear head fitted to them: fast on a CPU

Prints which parts train and which are frozen, with their parameters, then what `jconv train`
prints; the run folder is one of its own, with the weights that were begun from in
pretrained.safetensors. Images are fitted to the net and scaled as its weights say. Every option of
`jconv train` holds; of --unfreeze, each phase is a training with its own schedule. Exit code 1 when
the training diverges, 2 for wrong input.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import tyro
from rich import box
from rich.table import Table

from jconv import Dense, Identity, InputError, Layer, walk
from jconv import replace as replaced
from jconv.cli.backend import use_backend
from jconv.cli.command import command, console, parse, status
from jconv.cli.trained import SourceOptions
from jconv.edit.frozen import frozen_paths
from jconv.edit.head import head_paths, with_classes
from jconv.files import new_folder
from jconv.geometry import Shape
from jconv.models.trained import load_trained
from jconv.paths import matches
from jconv.scripts import train
from jconv.train import all_logits, make_predict
from jconv.train.chosen import chosen_images
from jconv.train.fit import begin, begin_from
from jconv.train.linear import fit_linear
from jconv.train.options import TrainOptions
from jconv.train.results import write_results
from jconv.train.run import Run, write_rows
from jconv.train.setup import prepare
from jconv.weights import Weights, save_weights

HEAD_RATE = 10.0  # how many times as fast a new head learns as what was trained before


@dataclass(frozen=True)
class Options(TrainOptions, SourceOptions):
    pretrained: tyro.conf.Positional[Path] = Path()
    """The folder of a training, or a file of weights, as `jconv evaluate` takes them."""
    unfreeze: tuple[str, ...] = ()
    """EPOCH=PATTERN: what starts to train after so many epochs; before, the head alone does, and
    what no pattern means stays frozen to the end.
    """
    features: bool = False
    """Fit a linear head to features that are computed once; no step of training."""
    data: str = "folder"
    """Where the images come from, as in `jconv train`."""
    learning_rate: float = 0.0005
    """The largest learning rate; the new head's is ten times that, unless --rates says otherwise.
    """
    epochs: int = 8
    """Passes over the training images, in all phases together."""
    shift: int = 0
    """Pixels that images are shifted by at most."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = parse(Options, argv, prog="jconv finetune", doc=__doc__)
    use_backend(options.backend)
    if options.pretrained == Path():
        raise InputError("no weights given; name a run folder or a file: jconv finetune WEIGHTS")
    if options.model != TrainOptions.model or options.weights is not None:
        raise InputError(
            "--model and --weights: the net is that of the weights named first; what a file of "
            "PyTorch is of, --net says"
        )
    weights = load_trained(options.pretrained, **options.source()).weights
    phases = _phases(options, weights)
    title = f"finetune-{options.pretrained.stem[:40]}-{datetime.now():%Y%m%d-%H%M%S}"
    with new_folder(options.out, title) as folder:
        begun = folder / "pretrained.safetensors"
        save_weights(begun, weights)
        plain = {f.name: getattr(options, f.name) for f in fields(TrainOptions)}
        settings = TrainOptions(
            **plain
            | {"model": str(begun.absolute()), "weights": begun, "resize": True, "out": None}
        )
        if options.features:
            return _by_features(settings, Run(folder), weights)
        if not settings.rates:
            head = head_paths(weights.net)[0]
            settings = replace(settings, rates=(f"{head}={HEAD_RATE:g}",))
        return _in_phases(settings, phases, Run(folder), weights)


class Phase:
    """Some epochs with some layers frozen."""

    def __init__(self, epochs: int, frozen: tuple[str, ...]):
        self.epochs, self.frozen = epochs, frozen


def _phases(options: Options, weights: Weights) -> list[Phase]:
    """What trains when. Raises InputError for patterns that mean nothing, and wrong epochs."""
    net, shape = weights.net, weights.in_shape
    if not options.unfreeze:
        if options.freeze:
            frozen_paths(net, options.freeze, shape)
        return [Phase(options.epochs, options.freeze)]
    if options.freeze:
        raise InputError("--freeze and --unfreeze: with the second all but the head is frozen")
    begins: dict[int, list[str]] = {}
    for text in options.unfreeze:
        epoch, _, pattern = text.partition("=")
        if not epoch.isdigit() or not pattern or not 0 < int(epoch) < options.epochs:
            raise InputError(
                f"unfreeze={text}: EPOCH=PATTERN was expected, an epoch of 1 to "
                f"{options.epochs - 1}, such as 2=stage4"
            )
        frozen_paths(net, [pattern], shape)
        begins.setdefault(int(epoch), []).append(pattern)
    heads = head_paths(net)
    frozen = [visit.path for visit in walk(net, shape) if visit.path not in heads]
    bounds = [0, *sorted(begins), options.epochs]
    phases = []
    for begin_, end in zip(bounds, bounds[1:], strict=False):
        opened = begins.get(begin_, [])
        frozen = [path for path in frozen if not any(matches(path, p) for p in opened)]
        phases.append(Phase(end - begin_, tuple(frozen)))
    return phases


def _in_phases(settings: TrainOptions, phases: Sequence[Phase], run: Run, weights: Weights) -> int:
    """Train phase after phase, each but the last in a folder of its own inside the run's."""
    out = console()
    for number, phase in enumerate(phases, 1):
        last = number == len(phases)
        if len(phases) > 1:
            out.print(f"phase {number} of {len(phases)}: {phase.epochs} epochs", style="bold")
        out.print(_parts(weights.net, weights.in_shape, phase.frozen, settings))
        place = run if last else Run(run.folder / f"phase{number}")
        place.folder.mkdir(exist_ok=True)
        current = replace(settings, epochs=phase.epochs, freeze=phase.frozen)
        if code := train.trained(current, place, False):
            return code
        settings = replace(settings, weights=place.weights)
    return 0


def _parts(net: Layer, in_shape: Shape, frozen: Sequence[str], settings: TrainOptions) -> Table:
    """Each part of the net at its top, whether it trains, and how many parameters it has."""
    heads = head_paths(net)
    table = Table("part", box=box.SIMPLE_HEAD)
    table.add_column("parameters", justify="right")
    table.add_column("trains")
    rows: dict[str, list[int]] = {}
    for visit in walk(net, in_shape):
        count = sum(p.size for p in visit.layer.parameters(visit.in_shape).values())
        if not count:
            continue
        part = visit.path if visit.path in heads else visit.path.partition("/")[0]
        held = any(matches(visit.path, pattern) for pattern in frozen)
        row = rows.setdefault(part, [0, 0])
        row[held] += count
    for part, (trains, held) in rows.items():
        if part in heads:  # as large as there are classes
            factor = next((f for p, f in settings.factors() if matches(part, p)), 1.0)
            table.add_row(part, "new", f"yes, {factor:g} times the rate")
            continue
        factor = next((f for p, f in settings.factors() if matches(part, p)), 1.0)
        words = [f"{factor:g} times the rate"] if factor != 1 and trains else []
        if trains and held:
            words.append(f"{trains:,} train, {held:,} are frozen")
        said = f" ({', '.join(words)})" if words else ""
        table.add_row(part, f"{trains + held:,}", ("yes" if trains else "frozen") + said)
    old = [row for part, row in rows.items() if part not in heads]
    trains, held = (sum(row[i] for row in old) for i in (0, 1))
    table.add_row("without heads", f"{trains + held:,}", f"{trains:,} train, {held:,} are frozen")
    return table


def _by_features(settings: TrainOptions, run: Run, weights: Weights) -> int:
    """Features of every image once, a linear head on them, and the run folder of the whole net."""
    out = console()
    head = head_paths(weights.net)[0]
    layer = _at(weights.net, head)
    if not isinstance(layer, Dense) or not layer.bias:
        raise InputError(
            f"--features: the head of this net, {head}, is a {type(layer).__name__}; a Dense with "
            "a bias was expected"
        )
    with status(out, "reading the images") as update:
        data = chosen_images(settings, weights.in_shape, update)
        classes = len(data.class_names)
        update("computing features")
        start = perf_counter()
        body = replaced(weights.net, head, Identity())
        predict = make_predict(body, pixels=weights.pixels, in_shape=weights.in_shape)
        bare = _with(weights.params, head, {})
        features = all_logits(predict, bare, weights.state, data.train.images, settings.batch_size)
        update("fitting the head")
        decay = settings.weight_decay
        kernel, bias = fit_linear(features, data.train.labels, classes, decay=decay)
    net = with_classes(weights.net, classes)
    settings = replace(settings, epochs=1)
    begun = begin_from(settings, net, weights.in_shape)
    training, carried = prepare(settings, net, weights.in_shape, data, pixels=weights.pixels)
    carried = begin(training, run, carried, begun)
    params = _with(carried.train.params, head, {"kernel": kernel, "bias": bias})
    carried = carried._replace(train=carried.train.begun_with(params, carried.train.state))
    logits, labels = features @ kernel + bias, data.train.labels
    seconds = perf_counter() - start
    row: dict[str, float] = {
        "epoch": 1,
        "step": training.total,
        "learning_rate": 0.0,
        "train_loss": float(optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()),
        "train_accuracy": float((logits.argmax(axis=1) == labels).mean()),
        "images_per_second": len(labels) / seconds,
        "waiting": 0.0,
        "seconds": seconds,
    }
    write_rows(run, [row])
    result = write_results(training, run, carried)
    out.print(
        f"{features.shape[1]:,} features of {len(features):,} training images, "
        f"{row['train_accuracy']:.2%} of them fitted, {seconds:.1f} s\n"
        f"test accuracy {result.accuracy:.2%}\nreport: {run.report}",
        soft_wrap=True,
    )
    return 0


def _at(net: Layer, path: str) -> Layer:
    for name in path.split("/"):
        net = dict(net.children)[name]
    return net


def _with(params: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """The parameters with a layer's arrays exchanged, or, for none, without the layer."""
    name, _, rest = path.partition("/")
    inside = (
        _with(params[name], rest, arrays)
        if rest
        else {leaf: jnp.asarray(array, jnp.float32) for leaf, array in arrays.items()}
    )
    return {**{k: v for k, v in params.items() if k != name}, **({name: inside} if inside else {})}


if __name__ == "__main__":
    sys.exit(main())
