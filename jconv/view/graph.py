"""A net as boxes and arrows, and where they stand: columns by depth, lanes for branches, rows like
lines of a text.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..compose import Following, Placeholder, path_to
from ..errors import located
from ..geometry import Shape
from ..layer import Layer, Pointwise


@dataclass(frozen=True)
class Box:
    """What one layer gives, or what a meeting of branches gives, whose `kind` is "+" or "join".

    `sources` are the numbers of the boxes before it, `then` the kinds of the pointwise layers that
    follow it, `times` how often a loop goes through it; `aside` says that nothing of it reaches the
    output, as of a head that exists in training alone; `bypass` marks no box, but a line that
    passes others.
    """

    path: str
    kind: str
    shape: Shape
    sources: tuple[int, ...] = ()
    then: tuple[str, ...] = ()
    times: int = 1
    aside: bool = False
    bypass: bool = False


class Place(NamedTuple):
    """Where a box stands: its row, its column in that row, its lane there."""

    row: int
    column: int
    lane: int


class _At(Placeholder):
    """What stands for an array: which box gave it."""

    def __init__(self, shape: Shape, box: int):
        super().__init__(shape)
        self.box = box


@dataclass
class _Graph(Following):
    """Follows a net, and keeps a box for each layer and each meeting of branches."""

    boxes: list[Box] = field(default_factory=list)
    times: int = 1

    def leaf(self, path: str, layer: Layer, x: _At) -> _At:
        out = located(path, layer.out_shape, x.shape)
        kind = _kind(layer, len(x.shape) - 1)
        if kind == "Identity":
            return _At(out, x.box)
        quiet = isinstance(layer, Pointwise) and out == x.shape
        self.boxes.append(
            Box(path, kind, out, (x.box,), (kind,) if quiet else (), times=self.times)
        )
        return _At(out, len(self.boxes) - 1)

    def join(self, f, *parts, shapes=None, pointwise=False, in_place=False) -> _At:
        out = self.joined(f, shapes, parts)
        kind = "+" if getattr(f, "__name__", "") in ("summed", "add") else "join"
        self.boxes.append(Box(self.path, kind, out, tuple(part.box for part in parts)))
        return _At(out, len(self.boxes) - 1)

    def repeat(self, name, layer, x, times, *, shared=False, unroll=False):
        inner = replace(self, times=self.times * times)
        return Following.follow(inner, path_to(self.path, name), layer, x)


def boxes_of(net: Layer, in_shape: Shape) -> list[Box]:
    """The boxes in execution order, the input first. Pointwise layers stand in the box before them
    where nothing else follows that. Raises ShapeError.
    """
    graph = _Graph(boxes=[Box("input", "image", tuple(in_shape))])
    output = graph.follow("", net, _At(tuple(in_shape), 0)).box
    used = Counter(source for box in graph.boxes for source in box.sources)
    kept: list[Box] = []
    number: dict[int, int] = {}  # of a box among those kept
    reaching = _before(graph.boxes, output)
    for i, box in enumerate(graph.boxes):
        sources = tuple(number[source] for source in box.sources)
        if box.then and box.sources[0] and used[box.sources[0]] == 1:
            number[i] = sources[0]
            before = kept[sources[0]]
            kept[sources[0]] = replace(before, then=(*before.then, *box.then))
        else:
            number[i] = len(kept)
            kept.append(replace(box, sources=sources, then=(), aside=i not in reaching))
    return kept


def _before(boxes: list[Box], output: int) -> set[int]:
    """The numbers of the boxes that the output is made of, its own too."""
    found, new = set(), [output]
    while new:
        found.add(box := new.pop())
        new += [source for source in boxes[box].sources if source not in found]
    return found


def arranged(boxes: list[Box], across: int) -> tuple[list[Box], list[Place]]:
    """The boxes, with further ones where an arrow passes others, and the place of each.

    A box stands one column after the last of those before it. In a lane of its own go all branches
    but the first, and what passes them. Rows of at most `across` columns end where everything goes
    through one box; they are longer only where there is no such box.
    """
    depth = _depths(boxes)
    boxes, depth = _with_bypasses(boxes, depth)
    lanes = _lanes(boxes, depth)
    alone = {d for d, n in Counter(depth).items() if n == 1}
    starts, last = [0], max(depth)
    for d in sorted(alone):
        following = min((e for e in alone if e > d), default=last)
        if following - starts[-1] >= across and d + 1 <= last:
            starts.append(d + 1)
    row = lambda d: max(i for i, start in enumerate(starts) if start <= d)
    places = [Place(row(d), d - starts[row(d)], lane) for d, lane in zip(depth, lanes, strict=True)]
    return boxes, places


def _kind(layer: Layer, rank: int) -> str:
    """The layer's class, and the size of its window where it has one: "Conv 3×3"."""
    kind = type(layer).__name__
    for name in ("kernel", "window"):
        size = getattr(layer, name, None)
        if isinstance(size, int):
            return f"{kind} {'×'.join([str(size)] * rank)}"
        if isinstance(size, tuple) and all(isinstance(n, int) for n in size):
            return f"{kind} {'×'.join(map(str, size))}"
    return kind


def _depths(boxes: list[Box]) -> list[int]:
    depth: list[int] = []
    for box in boxes:
        depth.append(1 + max((depth[source] for source in box.sources), default=-1))
    return depth


def _with_bypasses(boxes: list[Box], depth: list[int]) -> tuple[list[Box], list[int]]:
    """A bypass in every column that an arrow passes, so that it has a lane there."""
    boxes, depth = list(boxes), list(depth)
    for i, box in enumerate(list(boxes)):
        sources = []
        for source in box.sources:
            for d in range(depth[source] + 1, depth[i]):
                boxes.append(Box("", "", boxes[source].shape, (source,), bypass=True))
                depth.append(d)
                source = len(boxes) - 1
            sources.append(source)
        boxes[i] = replace(box, sources=tuple(sources))
    return boxes, depth


def _lanes(boxes: list[Box], depth: list[int]) -> list[int]:
    """Lane 0 where a box is alone in its column; else that of the box before, where it is free."""
    lanes = [0] * len(boxes)
    taken: dict[int, set[int]] = {}
    order = sorted(range(len(boxes)), key=lambda i: (depth[i], boxes[i].aside, boxes[i].bypass, i))
    many = Counter(depth)
    for i in order:
        used = taken.setdefault(depth[i], set())
        wanted = lanes[boxes[i].sources[0]] if boxes[i].sources and many[depth[i]] > 1 else 0
        lanes[i] = next(lane for lane in (wanted, *range(len(boxes) + 1)) if lane not in used)
        used.add(lanes[i])
    return lanes
