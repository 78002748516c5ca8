"""When which method runs where "auto" is asked for: a table of rows for each platform. No method
plans for itself; a word given by a layer is overruled only where the precision excludes it.

The choice is made when a program is lowered, for the platform it is lowered for, so an exported or
cross-compiled program gets the plan of the platform it will run on. The first row that fits
decides; without one it is "product" for a dense layer, and else what the platform's compiler knows
best: "direct" on a CPU, "derived" elsewhere.

The thresholds were measured; measurements.md, beside this file, has the figures, the machines and
the commands. `jconv bench --suite plan` measures the examples of each row anew and tells which rows
lose, for a new jaxlib (which takes these rows) or another processor; `jconv tune` finds what is
best for one network on one machine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from ...geometry import Shape, volume
from ..outlining import outlined
from ..shapes import Geometry
from . import METHODS, OPERATIONS, winograd
from .grouped import joined

UNROLLED = 32  # blocks that "split" writes out at most: a program grows with them
TOGETHER = 8  # groups in a block at most, of whose products the rest is zeros
LARGE = 2**14  # positions in an image, above which it is bound by memory
FEW_OUTPUTS = 4  # of a channel, up to which shifting pays
# positions of a kernel in the whole batch times its own, from which transforming it is worth it
SPECTRAL = 350_000
# values in a window, up to which it pays to write its products out, or to lay it out as a row of a
# matrix
THIN = 32
# Winograd's: times the rows of "direct", up to which it pays (the last block may be cut); positions
# of a kernel in the whole batch, from which the sums of its own rows pay; and by the number of axes
# the products left out per number summed, from which the sums pay, for the kernel's gradient fewer,
# as "direct" turns both images for it.
FEWER_ROWS = 0.8
POSITIONS = 256
WORTH = {2: 35, 3: 70}
WORTH_KERNEL = {2: 24, 3: 70}


class Workload(NamedTuple):
    """One operation of one convolution."""

    operation: str
    x: Shape
    k: Shape
    geometry: Geometry
    devices: int = 1  # of the program it is in
    integers: bool = False  # which most methods would round
    highest: bool = False  # precision, where every output is a sum over its own window

    def keeps_promises(self, method: str) -> bool:
        """Whether the method keeps what the precision and whole numbers promise."""
        local, exact = METHODS[method].local, METHODS[method].exact
        return (local or not self.highest) and (exact or not self.integers)

    def may_run(self, method: str) -> bool:
        """Whether the method can do this work, and keeps what it promises."""
        return self.keeps_promises(method) and not METHODS[method].serves(self.k, self.geometry)

    @property
    def whole_batch(self) -> bool:
        """Whether the images can be gone through one after another: their number is known, and they
        are not spread over devices.
        """
        return isinstance(self.x[0], int) and self.devices == 1

    @property
    def depthwise(self) -> bool:
        return (
            self.geometry.groups > 1
            and self.k[-2] == 1
            and self.k[-1] <= FEW_OUTPUTS * self.geometry.groups
        )

    @property
    def pointwise(self) -> bool:
        return self.geometry.groups == 1 and volume(self.geometry.window.size) == 1

    @property
    def window_values(self) -> int:
        """What one output is computed from."""
        return volume(self.geometry.window.size) * self.k[-2]

    @property
    def thin(self) -> bool:
        return self.geometry.groups == 1 and self.window_values <= THIN

    @property
    def thin_back(self) -> bool:
        """Whether the input is thin, and im2col's columns take at most a few times the memory of
        the output.
        """
        few = (
            self.geometry.groups == 1
            and self.k[-2] <= 4
            and max(self.geometry.window.stride, default=1) <= 2
        )
        return few and self.window_values <= max(2 * THIN, 4 * self.k[-1])

    @property
    def fewer_products_pay(self) -> bool:
        """Whether Winograd's sums take less than the products that they leave out."""
        n, w, (c, features) = self.x[0], self.geometry.window, self.k[-2:]
        if not isinstance(n, int) or n * volume(w.out_sizes) < POSITIONS:
            return False
        rows, sums = w.size[0] * w.out_sizes[0], winograd.ROWS * winograd.blocks(w)
        left_out = volume(w.size[1:]) * winograd.saved(w.size[0]) * c * features
        worth = WORTH_KERNEL if self.operation == "kernel_gradient" else WORTH
        return sums <= FEWER_ROWS * rows and left_out / (c + features) >= worth[w.rank]

    @property
    def spectra_pay(self) -> bool:
        w = self.geometry.window
        many = (
            isinstance(self.x[0], int)
            and self.x[0] * volume(w.out_sizes) * volume(w.size) >= SPECTRAL
        )
        return (
            many
            and volume(w.out_sizes) <= LARGE
            and w.rank == 2
            and min(w.size) >= 7
            and min(self.k[-2:]) >= 16
        )

    @property
    def few_blocks(self) -> bool:
        """Whether the groups can be written out one by one without computing many zeros."""
        groups = self.geometry.groups
        together = joined(self.k, groups, self.highest)
        return groups // together <= UNROLLED and together <= TOGETHER


class Example(NamedTuple):
    """A convolution at which a row was measured: x (N, *S, C), k (*F, C/groups, K) and the settings
    of `ops.conv`.
    """

    x: Shape
    k: Shape
    groups: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1


class PlanRow(NamedTuple):
    """The method for the workloads of a platform that `fits` says it is for."""

    platform: str
    operations: tuple[str, ...]
    method: str
    fits: Callable[[Workload], bool]
    # `jconv bench --suite plan` measures them anew; none where it takes several devices
    examples: tuple[Example, ...] = ()


ALL, GRADIENT = OPERATIONS, ("kernel_gradient",)
PLAN = (
    PlanRow(
        "cpu",
        ALL,
        "chunked",
        lambda work: work.depthwise and work.whole_batch,
        (Example((16, 56, 56, 128), (3, 3, 1, 128), groups=128, padding=1),),
    ),
    PlanRow(
        "cpu",
        ALL,
        "shift",
        lambda work: work.depthwise,
    ),
    PlanRow(
        "cpu",
        GRADIENT,
        "loop",
        lambda work: work.geometry.groups >= 16 and work.x[0] == 1,
        (Example((1, 14, 14, 64 * 32), (5, 5, 32, 64 * 64), groups=64, padding=2),),
    ),
    PlanRow(
        "cpu",
        ALL,
        "split",
        lambda work: work.geometry.groups > 1 and work.few_blocks,
        (
            Example((16, 28, 28, 128), (3, 3, 4, 128), groups=32, padding=1),
            Example((16, 27, 27, 96), (5, 5, 48, 256), groups=2, padding=2),
        ),
    ),
    PlanRow(
        "cpu",
        ALL,
        "loop",
        lambda work: work.geometry.groups > UNROLLED,
        (Example((8, 14, 14, 64 * 16), (3, 3, 16, 64 * 16), groups=64, padding=1),),
    ),
    PlanRow(
        "cpu",
        ALL,
        "fft",
        lambda work: work.spectra_pay,
        (
            Example((8, 64, 64, 64), (9, 9, 64, 128)),
            Example((8, 56, 56, 64), (7, 7, 64, 64), padding=3),
        ),
    ),
    PlanRow(
        "cpu",
        ALL,
        "winograd",
        lambda work: work.fewer_products_pay,
        (
            Example((8, 28, 28, 256), (3, 3, 256, 256), padding=1),
            Example((8, 56, 56, 64), (3, 3, 64, 64), padding=1),
            Example((64, 14, 14, 32), (5, 5, 32, 64), padding=2),
            Example((2, 16, 32, 32, 32), (3, 3, 3, 32, 32), padding=1),
        ),
    ),
    PlanRow(
        "cpu",
        ALL,
        "fold",
        lambda work: work.geometry.window.rank == 3 and work.geometry.groups == 1,
        (
            Example((2, 16, 32, 32, 32), (3, 3, 3, 32, 32), padding=1, stride=2),
            Example((2, 16, 56, 56, 3), (3, 3, 3, 3, 64), padding=1),
        ),
    ),
    PlanRow(
        "cpu",
        ("forward",),
        "shift",
        lambda work: work.thin and work.k[-2] == 1,
        (
            Example((64, 28, 28, 1), (5, 5, 1, 32), padding=2),
            Example((64, 28, 28, 1), (5, 5, 1, 6), padding=2),
        ),
    ),
    PlanRow(
        "cpu",
        ("forward",),
        "columns",
        lambda work: work.thin and work.k[-1] <= THIN and volume(work.geometry.window.stride) == 1,
        (Example((64, 32, 32, 3), (3, 3, 3, 16), padding=1),),
    ),
    PlanRow(
        "cpu",
        ("input_gradient",),
        "columns",
        lambda work: work.thin_back,
        (
            Example((32, 32, 32, 3), (3, 3, 3, 64), padding=1),
            Example((64, 28, 28, 1), (5, 5, 1, 32), padding=2),
            Example((8, 128, 128, 3), (11, 11, 3, 96)),
        ),
    ),
    PlanRow(
        "cpu",
        GRADIENT,
        "matmul",
        lambda work: work.pointwise,
        (
            Example((8, 56, 56, 64), (1, 1, 64, 256)),
            Example((8, 56, 56, 64), (1, 1, 64, 64)),
        ),
    ),
    PlanRow(
        "cuda",
        ALL,
        "im2col",
        lambda work: work.integers,
    ),
    PlanRow(
        "cuda",
        GRADIENT,
        "shift",
        lambda work: work.devices > 1 and work.depthwise,
    ),
    PlanRow(
        "cuda",
        GRADIENT,
        "split",
        lambda work: work.devices > 1 and work.geometry.groups > 1 and work.few_blocks,
    ),
    PlanRow(
        "cuda",
        GRADIENT,
        "loop",
        lambda work: work.devices > 1 and work.geometry.groups > 1,
    ),
    PlanRow(
        "cuda",
        GRADIENT,
        "phases",
        lambda work: True,
        (Example((256, 28, 28, 64), (3, 3, 64, 64), padding=2, dilation=2),),
    ),
    PlanRow(
        "cuda",
        ALL,
        "fold",
        lambda work: volume(work.geometry.window.stride) == 1,
        (Example((32, 16, 32, 32, 32), (3, 3, 3, 32, 32), padding=1),),
    ),
)
# elsewhere it is lax's own forms
DEFAULT = {"cpu": "direct"}
PLATFORMS = tuple(dict.fromkeys(row.platform for row in PLAN))
# Methods of which a block of groups can be computed by itself.
WITHIN = ("winograd", "fold")
# Operations with nothing in them that could fuse with what is around them. A dense layer's forward
# product is not among them: YNNPACK takes it and the next layer's for one, and computes the first
# anew for every output of the next.
PLAIN = {
    "direct": ("forward", "input_gradient"),
    "product": ("input_gradient", "kernel_gradient"),
    "loop": ("kernel_gradient",),  # which is outlined itself
    # likewise, but for the padding that the two share
    "chunked": ("input_gradient", "kernel_gradient"),
}


def choose(work: Workload, platform: str) -> str:
    """The method for one operation of a convolution; the default for an image whose sizes are
    symbols, of which no row can tell.
    """
    default = DEFAULT.get(platform, "derived") if work.geometry.window.rank else "product"
    if not all(isinstance(n, int) for n in work.x[1:]):
        return default
    rows = (row for row in PLAN if row.platform == platform and work.operation in row.operations)
    return next(
        (row.method for row in rows if work.may_run(row.method) and row.fits(work)), default
    )


def choose_for_block(work: Workload) -> str:
    """The method for a block of groups, a convolution of one group: the first row for a CPU of the
    methods that were measured within "split" and "loop".
    """
    rows = (row for row in PLAN if row.platform == "cpu" and row.method in WITHIN)
    fitting = (row.method for row in rows if work.may_run(row.method) and row.fits(work))
    return next(fitting, "direct")


def runner(work: Workload, method: str, platform: str) -> Callable:
    """The method's run(a, b, *, geometry, precision), as the platform wants it in a larger
    program.
    """
    return placed(work.operation, method, bound(work, method), platform, work.devices)


def bound(work: Workload, method: str) -> Callable:
    """The method's run(a, b, *, geometry, precision), told what to run blocks of groups by."""
    run = getattr(METHODS[method], work.operation)
    if not METHODS[method].by_blocks:
        return run
    block = choose_for_block(_block(work, method))
    return partial(run, block=getattr(METHODS[block], work.operation))


def _block(work: Workload, method: str) -> Workload:
    """What one block of groups is."""
    groups = work.geometry.groups
    together = joined(work.k, groups, work.highest) if method == "split" else 1
    c, features = work.k[-2] * together, work.k[-1] // groups * together
    return work._replace(
        x=(*work.x[:-1], c),
        k=(*work.k[:-2], c, features),
        geometry=work.geometry._replace(groups=1),
    )


def placed(operation: str, method: str, run: Callable, platform: str, devices: int = 1) -> Callable:
    """`run`, outlined where that pays.

    Over several devices a kernel's gradient ends in a sum over them, which XLA joins with others:
    inside of a function outlined it could not. So there the operands alone are outlined, as
    what is returned by such a function.
    """
    if platform != "cpu" or operation in PLAIN.get(method, ()):
        return run
    if operation == "kernel_gradient" and devices > 1:
        return lambda x, y, **settings: run(*_written_out(x, y), **settings)
    return outlined(run, static=("geometry", "precision"))


_written_out = outlined(lambda *operands: operands, static=())
