"""Draw a picture of a net: what it has learned, what it sees in an image, or what it is.

    jconv visualize filters RUN                 the filters of a convolution
    jconv visualize activations RUN digit.png   what every layer makes of an image
    jconv visualize switches RUN digit.png      which input won each window of a max pool
    jconv visualize saliency RUN digit.png      which pixels a class score depends on
    jconv visualize gradcam RUN digit.png       where a layer sees evidence for a class
    jconv visualize occlusion RUN digit.png     how the probability of a class falls as a gray
                                                square covers parts of the image
    jconv visualize field RUN digit.png         what one position of a layer sees of the image
    jconv visualize dense RUN page.png          the class at every position of a larger image
    jconv visualize confusion RUN               what is mistaken for what among the test images
    jconv visualize curves RUN RUN              loss and accuracy of several trainings
    jconv visualize diagram resnet50            the net as blocks to scale, branches side by side
    jconv visualize bars resnet50               parameters and memory by layer

The net is the folder of a training, a file of weights, or a MODEL as `jconv summary` takes it,
whose weights are then freshly drawn. Without an image, test images of a training serve (--index).
Writes WHAT.png in this folder, or as --out says, as PNG or SVG. Some seconds for LeNet-5. Exit code
2 for what is missing, unreadable or does not fit.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from jconv.cli.backend import Backend, use_backend
from jconv.cli.command import command, console, parse
from jconv.cli.trained import SourceOptions
from jconv.data.image import read_image
from jconv.errors import InputError, near
from jconv.files import check_writable
from jconv.geometry import Shape
from jconv.layer import Layer
from jconv.models.subject import (
    class_of,
    image_at,
    images_of,
    looking,
    net_with_weights,
    probabilities,
)
from jconv.train.chosen import by_policy, chosen_images
from jconv.train.run import open_run, read_rows
from jconv.train.step import as_input
from jconv.view.subject import Subject
from jconv.weights import Weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRAY = 128  # the value of what covers the image


@dataclass(frozen=True, kw_only=True)
class Options(SourceOptions):
    what: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="WHAT")]
    """One of filters, activations, switches, saliency, gradcam, occlusion, field, dense, confusion,
    curves, diagram, bars.
    """
    given: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN|WEIGHTS|MODEL [IMAGE]")
    ] = ()
    """The net, and for a picture of an image that image; for curves, runs."""
    out: Path | None = None
    """Where to write the picture, a name that ends in .png or .svg; WHAT.png by default."""
    layer: str | None = None
    """Path of the layer: whose filters (the first convolution's by default), switches (the first
    max pool's), Grad-CAM or field (the last with more than one position).
    """
    class_: Annotated[str | None, tyro.conf.arg(name="class", metavar="NAME|INDEX")] = None
    """Whose score saliency, gradcam and occlusion are about; the most probable by default."""
    index: int = 0
    """Which test image of a run, where no image is given."""
    maps: int = 10
    """At most so many maps of each layer, for activations."""
    position: tuple[int, int] | None = None
    """Row and column in the layer, for field; its middle by default."""
    size: int | None = None
    """Side of the square for occlusion, in pixels; a sixth of the image's by default."""
    stride: int | None = None
    """Pixels between its positions, a third of the square by default; or for dense between those of
    the map, the net's total stride by default.
    """
    labels: Path | None = None
    """A text file with the name of a class on each line."""
    data: str | None = None
    """Which images confusion is about, as `jconv train` names them; a run's own by default."""
    data_dir: Path | None = None
    """Where they are."""
    backend: Backend = "auto"
    """What computes; by itself jax takes an accelerator that it finds."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    options = parse(Options, argv, prog="jconv visualize", doc=__doc__)
    if options.what not in KINDS:
        raise InputError(
            f"WHAT {options.what!r}: one of {', '.join(KINDS)} was expected; "
            f"{near(options.what, KINDS)}"
        )
    if not options.given:
        takes = "RUN..." if options.what == "curves" else "RUN, WEIGHTS or MODEL"
        raise InputError(f"no net given; name one: jconv visualize {options.what} {takes}")
    use_backend(options.backend)
    from jconv.view.frame import check_format, write_figure  # matplotlib, most of a second

    out = options.out or Path(f"{options.what}.png")
    check_format(out)
    check_writable(out, "--out")
    most = {"curves": len(options.given)}.get(options.what, 2 if options.what in OF_IMAGES else 1)
    if len(options.given) > most:
        raise InputError(f"{options.given[most]}: {options.what} takes no image, no further net")
    write_figure(KINDS[options.what](options), out)
    console().print(f"{options.what}: {out}", soft_wrap=True)
    return 0


def filters(options: Options) -> Figure:
    from jconv.view.filters import filter_picture, kernels_of

    weights = trained(options)
    found = kernels_of(weights.net, weights.in_shape, weights.params)
    if not found:
        raise InputError(f"{options.given[0]}: this net has no 2-D convolution, no filters to see")
    path = chosen(options, list(found), "filters", next(iter(found)))
    return filter_picture(found[path], path or "filters")


def activations(options: Options) -> Figure:
    from jconv.view.activations import columns, overview
    from jconv.view.once import outputs

    weights, subject = look(options)
    layers = columns(outputs(subject.net, *subject.arrays), subject.x, options.maps)
    return overview(subject.image, layers, probabilities(subject), weights.class_names)


def switches(options: Options) -> Figure:
    from jconv.view.switches import max_pools, switch_picture, switches_of

    _, subject = look(options)
    found = max_pools(subject.net, *subject.arrays)
    if not found:
        raise InputError(f"{options.given[0]}: this net has no max pool, no switches to see")
    path = chosen(options, list(found), "switches", next(iter(found)))
    return switch_picture(switches_of(*found[path]), path)


def saliency(options: Options) -> Figure:
    from jconv.view.evidence import saliency_picture

    weights, subject = look(options)
    asked = class_of(probabilities(subject), weights.class_names, options.class_)
    return saliency_picture(subject, *asked)


def gradcam(options: Options) -> Figure:
    from jconv.view.evidence import grad_cam_picture

    weights, subject = look(options)
    asked = class_of(probabilities(subject), weights.class_names, options.class_)
    return grad_cam_picture(subject, *asked, layer=options.layer)


def occlusion(options: Options) -> Figure:
    from jconv.view.evidence import occlusion_picture

    weights, subject = look(options)
    asked = class_of(probabilities(subject), weights.class_names, options.class_)
    gray = jnp.full((1, 1, 1, weights.in_shape[-1]), GRAY, jnp.uint8)
    fill = np.asarray(as_input(gray, pixels=weights.pixels))[0, 0, 0]
    sizes = {"size": options.size, "stride": options.stride}
    return occlusion_picture(subject, *asked, fill=fill, **sizes)


def field(options: Options) -> Figure:
    from jconv.analysis.field import fields
    from jconv.view.field import field_picture

    _, subject = look(options, needs_weights=False)
    net, in_shape = subject.net, subject.in_shape
    found = {f.path: f for f in fields(net, in_shape)}
    shapes = layer_shapes(net, in_shape)
    larger = [path for path, shape in shapes.items() if max(shape[:-1], default=1) > 1]
    if not larger:
        raise InputError(f"{options.given[0]}: no layer of this net gives maps")
    path = chosen(options, list(shapes), "a field", larger[-1])
    if found[path].why or len(found[path].axes) != 2:
        raise InputError(f"layer {path}: its field is not known ({found[path].why})")
    sizes = shapes[path][:-1] or (1, 1)
    position = options.position or (sizes[0] // 2, sizes[1] // 2)
    if not all(0 <= p < n for p, n in zip(position, sizes, strict=True)):
        raise InputError(
            f"--position {position[0]} {position[1]}: {path} has {sizes[0]}×{sizes[1]} positions, "
            "counted from 0"
        )
    return field_picture(subject.image, found[path].axes, position, path)


def layer_shapes(net: Layer, in_shape: Shape) -> dict[str, Shape]:
    from jconv import walk

    return {visit.path: visit.out_shape for visit in walk(net, in_shape)}


def dense(options: Options) -> Figure:
    from jconv import convolutionalize, dense_scores, net_field, shift_and_stitch
    from jconv.scripts.dense import fitting
    from jconv.view.maps import score_map

    weights = trained(options)
    if len(options.given) == 2:
        path = Path(options.given[1])
        image = fitting(read_image(path), weights.in_shape, path)
    else:
        image = test_image(options, weights.in_shape)
    net, params = convolutionalize(weights.net, weights.params, weights.in_shape)
    x = as_input(jnp.asarray(image), pixels=weights.pixels)
    stride = options.stride or net_field(net, image.shape)[0].jump
    passes = jax.jit(dense_scores, static_argnums=0)
    scores = shift_and_stitch(net, params, weights.state, x, stride, scores=passes)
    return score_map(image, np.asarray(jax.nn.softmax(scores)), weights.class_names)


def confusion(options: Options) -> Figure:
    from jconv.train import evaluate, make_loss, make_predict
    from jconv.view.palette import LIGHT
    from jconv.view.pictures import confusion
    from jconv.view.scores import confusion_counts

    weights = trained(options)
    images = images_of(options.given[0], options.data, options.data_dir)
    alone = not Path(options.given[0]).is_dir()
    test = chosen_images(images, weights.in_shape, test_only=alone).test
    predict = make_predict(
        by_policy(images, weights.net), pixels=weights.pixels, in_shape=weights.in_shape
    )
    loss = make_loss(images.loss, smoothing=images.label_smoothing)
    found = evaluate(predict, weights.params, weights.state, test, loss, images.batch_size)
    if (largest := int(test.labels.max())) >= found.logits.shape[1]:
        raise InputError(
            f"--data: its images have {largest + 1} classes, the net has {found.logits.shape[1]}"
        )
    counts = confusion_counts(test.labels, found.logits)
    figure = confusion(counts, weights.class_names)
    figure.set_facecolor(LIGHT["card"])
    return figure


def curves(options: Options) -> Figure:
    from jconv.view.compare import compared_curves

    return compared_curves({run: read_rows(open_run(Path(run))) for run in options.given})


def diagram(options: Options) -> Figure:
    from jconv.view.diagram import diagram

    weights = trained(options, needs_weights=False)
    return diagram(weights.net, weights.in_shape)


def bars(options: Options) -> Figure:
    from jconv.view.costs import cost_picture

    weights = trained(options, needs_weights=False)
    return cost_picture(weights.net, weights.in_shape)


KINDS = {
    kind.__name__: kind
    for kind in (
        filters,
        activations,
        switches,
        saliency,
        gradcam,
        occlusion,
        field,
        dense,
        confusion,
        curves,
        diagram,
        bars,
    )
}
OF_IMAGES = {"activations", "switches", "saliency", "gradcam", "occlusion", "field", "dense"}


def trained(options: Options, needs_weights: bool = True) -> Weights:
    """The net that is named."""
    note = partial(console().print, soft_wrap=True)
    given = options.source() | {"labels": options.labels}
    return net_with_weights(options.given[0], given, note, needs_weights)


def look(options: Options, needs_weights: bool = True) -> tuple[Weights, Subject]:
    """The net and the image that are named, or a test image of its training. Raises InputError."""
    weights = trained(options, needs_weights)
    if len(weights.in_shape) != 3 or weights.in_shape[-1] not in (1, 3):
        raise InputError(
            f"{options.given[0]}: takes {weights.in_shape}, a net of images was expected"
        )
    if len(options.given) == 2:
        image = read_image(Path(options.given[1]), weights.in_shape)
    else:
        image = test_image(options, weights.in_shape)
    return weights, looking(weights, image)


def test_image(options: Options, in_shape: Shape) -> np.ndarray:
    """A test image of the run that is named. Raises InputError where it is no run."""
    source = options.given[0]
    if not Path(source).is_dir():
        raise InputError(f"no image given; name one: jconv visualize {options.what} {source} IMAGE")
    return image_at(images_of(source, options.data, options.data_dir), options.index, in_shape)


def chosen(options: Options, paths: Sequence[str], what: str, default: str) -> str:
    """The path of --layer, or the default. Raises InputError with those there are."""
    if options.layer is None or options.layer in paths:
        return default if options.layer is None else options.layer
    there = ", ".join(paths) if len(paths) <= 12 else f"{', '.join(paths[:12])}, ..."
    advice = near(options.layer, paths)
    raise InputError(f"layer={options.layer}: no layer with {what} is there; {advice} ({there})")


if __name__ == "__main__":
    sys.exit(main())
