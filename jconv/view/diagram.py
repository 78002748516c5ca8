"""The diagram of a net: what each layer gives as a block drawn to scale, branches side by side."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon

from ..geometry import Shape
from ..layer import Layer
from .frame import NORMAL, canvas, words
from .graph import Box, Place, arranged, boxes_of
from .palette import LIGHT

ACROSS = 10  # blocks in a row
TALLEST, LONGEST, THINNEST = 1.1, 0.8, 0.04  # inches
SLANT = 0.22  # of a block's depth, to the right and up
COLUMN, EDGE, HEAD, LABEL, GAP = 1.36, 0.3, 0.55, 0.64, 0.2  # inches
RADIUS = 0.1  # inches, of a sum
LETTERS = 22  # of a label
TOP, FRONT, SIDE = "#dfe8fa", "#b9cdf3", "#93b1ea"  # of a block
DARK_BLUE = "#12203f"  # on a block, whatever the page's colours are


class Scale(NamedTuple):
    """Inches for a pixel, and for a channel."""

    pixel: float
    channel: float


class Block(NamedTuple):
    """A block on paper, in inches: the left end of its front, the height at which arrows meet it,
    the size of its front, and how far its back is shifted to the right and up.
    """

    left: float
    axis: float
    length: float
    height: float
    back: float

    @property
    def right(self) -> float:
        return self.left + self.length + self.back


def diagram(net: Layer, in_shape: Shape, across: int = ACROSS) -> Figure:
    """Blocks as high and deep as the maps and as long as there are channels, all to one scale (but
    none thinner than a line), in the order of arrows, in rows of so many columns, like the lines of
    a text.

    Raises ShapeError for an input that does not fit.
    """
    boxes, places = arranged(boxes_of(net, in_shape), across)
    scale = scale_of(boxes)
    lanes, bottom = _lanes(boxes, places, scale)
    width = 2 * EDGE + COLUMN * (1 + max(place.column for place in places))
    figure, axes = canvas(max(width, 5.6), bottom + EDGE / 2)
    hint = "Height and depth are rows and columns, length is channels, all to one scale."
    words(axes, EDGE, 0.28, hint, fontsize=NORMAL, color=LIGHT["muted"])
    blocks = []
    for box, place in zip(boxes, places, strict=True):
        block = block_of(box, scale)
        zone, top = lanes[place.row, place.lane]
        left = EDGE + COLUMN * place.column
        blocks.append(block._replace(left=left, axis=top + zone / 2))
        _draw(axes, box, blocks[-1])
        if not box.bypass:
            _label(axes, box, left, top + zone)
    for i, box in enumerate(boxes):
        for source in box.sources:
            same_row = places[source].row == places[i].row
            between = None if same_row else lanes[places[i].row, 0].top - GAP
            _arrow(axes, blocks[source], blocks[i], between, head=not box.bypass)
    return figure


def scale_of(boxes: list[Box]) -> Scale:
    """The scale at which the largest of each fits."""
    pixels = max((max(box.shape[:-1]) for box in boxes if len(box.shape) > 1), default=1)
    return Scale(TALLEST / pixels, LONGEST / max(box.shape[-1:] for box in boxes)[0])


def block_of(box: Box, scale: Scale) -> Block:
    """The size of a box's block, at the origin; a sum is a small circle, a bypass a line."""
    if box.bypass:
        return Block(0, 0, COLUMN / 2, 0, 0)
    if box.kind == "+":
        return Block(0, 0, 2 * RADIUS, 2 * RADIUS, 0)
    *sizes, channels = box.shape
    height, depth = (*sizes, 1, 1)[:2]
    thick = lambda inches: max(inches, THINNEST)
    back = SLANT * thick(depth * scale.pixel)
    return Block(0, 0, thick(channels * scale.channel), thick(height * scale.pixel), back)


class Lane(NamedTuple):
    """How high the blocks of a lane are, and where they begin, in inches."""

    zone: float
    top: float


def _lanes(
    boxes: list[Box], places: list[Place], scale: Scale
) -> tuple[dict[tuple[int, int], Lane], float]:
    """Every lane by its row and number, and where the last one ends."""
    zones: dict[tuple[int, int], float] = {}
    labelled = set()
    for box, (row, _, lane) in zip(boxes, places, strict=True):
        block = block_of(box, scale)
        zones[row, lane] = max(zones.get((row, lane), 0.16), block.height + block.back)
        if not box.bypass:
            labelled.add((row, lane))
    lanes, y, before = {}, HEAD, 0
    for place, zone in sorted(zones.items()):
        y += GAP if place[0] != before else 0
        lanes[place] = Lane(zone, y)
        y, before = y + zone + (LABEL if place in labelled else 0.08), place[0]
    return lanes, y


def _draw(axes: Axes, box: Box, block: Block) -> None:
    left, right, back = block.left, block.left + block.length, block.back
    if box.bypass:
        axes.plot([left, right], [block.axis] * 2, color=LIGHT["edge"], linewidth=0.9)
        return
    if box.kind == "+":
        middle = left + RADIUS, block.axis
        axes.add_patch(Circle(middle, RADIUS, facecolor=TOP, edgecolor=LIGHT["right"], lw=0.8))
        words(
            axes, *middle, "+", ha="center", va="center_baseline", fontsize=NORMAL, color=DARK_BLUE
        )
        return
    top = block.axis + (back - block.height) / 2
    bottom = top + block.height
    behind = [(left + back, top - back), (right + back, top - back), (right + back, bottom - back)]
    for shade, corners in (
        (TOP, [(left, top), behind[0], behind[1], (right, top)]),
        (SIDE, [(right, top), behind[1], behind[2], (right, bottom)]),
        (FRONT, [(left, top), (right, top), (right, bottom), (left, bottom)]),
    ):
        edge = {"edgecolor": LIGHT["right"], "linewidth": 0.6, "joinstyle": "round"}
        axes.add_patch(Polygon(corners, facecolor=shade, **edge))


def _label(axes: Axes, box: Box, left: float, top: float) -> None:
    """What it is called, its shape, the kind of layer, and those that follow it."""
    name = "/".join(box.path.split("/")[-2:])
    kind = {"+": "sum", "join": "joined"}.get(box.kind, box.kind)
    times = f", {box.times} times" if box.times > 1 else ""
    lines = [
        (name or kind, {"fontweight": "bold"}),
        ("×".join(map(str, box.shape)), {}),
        (kind + times, {"color": LIGHT["muted"]}),
        (", ".join(box.then), {"color": LIGHT["muted"]}),
    ]
    for i, (text, style) in enumerate(lines):
        short = text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…"
        words(axes, left, top + 0.13 + 0.125 * i, short, fontsize=6.3, **style)


def _arrow(axes: Axes, a: Block, b: Block, between: float | None, head: bool) -> None:
    """A line from block to block: straight, or by a step before the column of the second; to the
    next row over the height `between` the rows.
    """
    start, end = a.right + (0.03 if a.height else 0), b.left - (0.04 if head else 0)
    if between is None:
        turn = b.left - (0.16 if b.axis > a.axis else 0.12)
        x, y = [start, turn, turn, end], [a.axis, a.axis, b.axis, b.axis]
    else:
        edge, first = a.left + COLUMN - 0.14, b.left - 0.14
        x = [start, edge, edge, first, first, end]
        y = [a.axis, a.axis, between, between, b.axis, b.axis]
    axes.plot(x, y, color=LIGHT["edge"], linewidth=0.9, solid_joinstyle="round")
    if head:
        tip = [(end, b.axis), (end - 0.07, b.axis - 0.035), (end - 0.07, b.axis + 0.035)]
        axes.add_patch(Polygon(tip, color=LIGHT["edge"], linewidth=0))
