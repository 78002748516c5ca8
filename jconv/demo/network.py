"""The net that a page writes: its text in the forms that can be typed, read and checked against the
images.
"""

from __future__ import annotations

from contextlib import suppress

from ..analysis import budget, summary
from ..compose import Sequential, walk
from ..edit import from_json, to_json
from ..errors import InputError, LayerError
from ..geometry import Shape, volume
from ..grammar import describe, input_shape, pattern, read_listing, write_listing
from ..layer import Layer
from ..layers import Softmax

MOST_LAYERS = 300
MOST_BYTES = 2**30  # that a training step may take
MOST_PRODUCTS = 4 * 10**9  # multiply-adds of an image


def read_network(text: str, in_shape: Shape, classes: int, batch: int) -> Layer:
    """The net of a text: a list of layers, a pattern, or JSON.

    Nothing that it names is opened or run. Raises InputError, a PatternError with line and column
    where the text is no net, for one that does not fit the images or is too large for a page.
    """
    text = text.strip()
    if text.startswith("{"):
        try:
            net = from_json(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"not the JSON of a net: {error!s:.300}") from None
    elif "->" in text or text.upper().startswith("INPUT"):
        net, given = pattern(text), input_shape(text)
        if given and given != in_shape:
            came, here = ("x".join(map(str, shape)) for shape in (given, in_shape))
            raise InputError(f"INPUT{came}: the images are {here}; write INPUT{here}")
    else:
        net = read_listing(text)
    check_network(net, in_shape, classes, batch)
    return net


def check_network(net: Layer, in_shape: Shape, classes: int, batch: int) -> None:
    """Raises InputError for a net that cannot be trained here, with what would do."""
    size = "x".join(map(str, in_shape))
    try:
        out = net.out_shape(in_shape)
    except (LayerError, TypeError, ValueError) as error:
        raise InputError(f"for images of {size}: {error!s:.500}") from None
    count = len(list(walk(net, in_shape)))
    if count > MOST_LAYERS:
        raise InputError(
            f"{count:,} layers came, {MOST_LAYERS} at most were expected: more would be compiled "
            "for minutes; `jconv train` has no such limit"
        )
    if isinstance(net, Sequential) and isinstance(net.layers[-1][1], Softmax):
        raise InputError("it ends in a softmax, which the loss has already; leave that out")
    if out != (classes,):
        came = "x".join(map(str, out))
        raise InputError(
            f"for images of {size} it ends in {came}, {classes} scores were expected, one per "
            f"class: end with Flatten() and Dense({classes}), or FC-{classes}"
        )
    if any(volume(row.out_shape) * 4 * batch > MOST_BYTES for row in summary(net, in_shape).rows):
        raise InputError("a layer of it gives more than 1 GiB for a batch; make it smaller")
    needed, products = budget(net, in_shape, batch).total, summary(net, in_shape).totals.macs
    if needed is not None and needed > MOST_BYTES:
        raise InputError(
            f"a step of {batch} images would take {needed / 2**30:.1f} GiB, 1 GiB at most was "
            "expected; make the net narrower, or the batch smaller"
        )
    if products is not None and products > MOST_PRODUCTS:
        raise InputError(
            f"an image would take {products:,} multiply-adds, {MOST_PRODUCTS:,} at most were "
            "expected; make the net smaller, or `jconv train` it"
        )


def network_texts(net: Layer, in_shape: Shape) -> dict[str, str]:
    """The net in the forms that can be typed, each that there is of it."""
    found = {}
    with suppress(LayerError):
        found["layers"] = write_listing(net)
    with suppress(InputError, LayerError, ValueError):
        size = "x".join(map(str, in_shape))
        found["pattern"] = describe(net).replace("INPUT ->", f"INPUT{size} ->", 1)
    with suppress(LayerError):
        found["json"] = to_json(net, indent=2)
    return found
