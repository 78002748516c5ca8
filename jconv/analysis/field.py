"""Receptive fields: what one position of every layer's output sees of the network's input."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..compose import Following, Placeholder, kept_shape, path_to
from ..errors import LayerError, located
from ..geometry import ReceptiveField, Shape, Window, pointwise, union
from ..layer import Layer
from .example import example_shape
from .support import window_of, windows_of_join

Axes = tuple[ReceptiveField, ...]


class Field(NamedTuple):
    """Of one layer: its path, and a ReceptiveField for every spatial axis of the input; or none,
    and why.
    """

    path: str
    axes: Axes
    why: str = ""


class Seen(Placeholder):
    """What stands for an array while fields are followed: its fields, or why they are not known,
    and of which layer.
    """

    def __init__(self, shape: Shape, axes: Axes, why: str = "", where: str = ""):
        super().__init__(shape)
        self.axes, self.why, self.where = axes, why, where


def receptive_fields(net: Layer, in_shape: Shape) -> tuple[Field, ...]:
    """The field of every layer, in the order of `walk`; in a loop that of its last time.

    Windows widen it by dilation*(F - 1)*jump and multiply the jump by their stride; branches that
    meet see the union of theirs; a Flatten or a global pool sees all that its input saw, and so
    does what a value of theirs is multiplied with, everywhere: its jump is 0. A layer that declares
    no window has it measured (measure.py). Raises LayerError where no one size is right: branches
    of different strides, strided transposed convolutions, adaptive pools whose bins differ; or
    where it cannot be measured.
    """
    found = fields(net, example_shape(net, in_shape))
    for each in found:
        if each.why:
            raise LayerError(each.why, each.path)
    return found


def net_field(net: Layer, in_shape: Shape) -> Axes:
    """The field of the network's output, one per axis. Raises LayerError as `receptive_fields`
    does.
    """
    in_shape = example_shape(net, in_shape)
    call = Fields(image=in_shape[:-1])
    seen = call.follow("", net, _input(in_shape))
    if seen.why:
        raise LayerError(seen.why, seen.where)
    return seen.axes


def fields(net: Layer, in_shape: Shape) -> tuple[Field, ...]:
    """The same without the raising: a layer whose field is not known, or that comes after one, says
    why instead.
    """
    call = Fields(image=tuple(in_shape[:-1]))
    call.follow("", net, _input(in_shape))
    return tuple(call.found)


def _input(in_shape: Shape) -> Seen:
    return Seen(tuple(in_shape), (ReceptiveField(),) * (len(in_shape) - 1))


@dataclass
class Fields(Following):
    """Follows fields through a network."""

    image: Shape = ()
    found: list[Field] = field(default_factory=list)

    def leaf(self, path: str, layer: Layer, x: Seen) -> Seen:
        out = located(path, layer.out_shape, x.shape)
        seen = (
            x
            if x.why
            else _through(
                path, x, out, lambda: located(path, window_of, layer, x.shape), type(layer).__name__
            )
        )
        seen = Seen(out, seen.axes, seen.why, seen.where)
        self.found.append(Field(path, seen.axes, seen.why))
        return seen

    def join(self, f, *parts, shapes=None, pointwise=False, in_place=False) -> Seen:
        out = self.joined(f, shapes, parts)
        for part in parts:
            if part.why:
                return Seen(out, (), part.why, part.where)
        windows = (
            _positions(parts)
            if pointwise
            else windows_of_join(f, tuple(part.shape for part in parts))
        )
        through = [
            _through(self.path, part, out, lambda w=w: w, "a join")
            for part, w in zip(parts, windows, strict=True)
        ]
        for seen in through:
            if seen.why:
                return Seen(out, (), seen.why, seen.where)
        try:
            each = zip(self.image, *(seen.axes for seen in through), strict=True)
            return Seen(out, tuple(_meeting(size, *fields) for size, *fields in each))
        except LayerError as error:
            return Seen(out, (), error.message, self.path)

    def repeat(self, name, layer, x, times, *, shared=False, unroll=False) -> Seen:
        located(path_to(self.path, name), kept_shape, layer, x.shape, times)
        last = self
        for _ in range(times):
            last = replace(self, found=[])
            x = last.child(name, layer, x)
        self.found += last.found
        return x


def _positions(parts: tuple[Seen, ...]) -> list[Window]:
    return [pointwise(part.shape[:-1]) for part in parts]


def _through(path: str, x: Seen, out: Shape, window, what: str) -> Seen:
    """What is seen through one layer, or one meeting of branches, that makes `out` of x."""
    flat, flat_out = len(x.shape) == 1, len(out) == 1
    if flat:  # everything of it is seen: from one place, or from everywhere
        return Seen(out, x.axes if flat_out else tuple(axis._replace(jump=0) for axis in x.axes))
    w = window()
    if w is None:
        return Seen(
            out,
            (),
            f"what the outputs of {what} see is not one window of its input, or cannot be "
            "measured; ask for the field before it",
            path,
        )
    if w.rank != len(x.axes):
        return Seen(
            out,
            (),
            f"{what} has {w.rank} spatial axes, the input {len(x.axes)}, and no field is followed "
            "from one to the other",
            path,
        )
    settings = zip(x.axes, w.size, w.stride, w.dilation, w.padding, strict=True)
    return Seen(out, tuple(axis.through(f, s, d, lo) for axis, f, s, d, (lo, _) in settings))


def _meeting(size: int, *fields: ReceptiveField) -> ReceptiveField:
    """The union of fields along an axis of `size` pixels; those of jump 0, the same for all
    outputs, must see all of it, or be alone. Raises LayerError.
    """
    still, moving = [f for f in fields if not f.jump], [f for f in fields if f.jump]
    if not still or not moving:
        return union(*fields)
    everywhere = union(*still)
    if everywhere.start > 0 or everywhere.start + everywhere.size < size:
        raise LayerError(
            "an output sees its own surroundings, and a part of the image that is the same for "
            "all: no one field is right"
        )
    return union(everywhere, *(f._replace(jump=0) for f in moving))
