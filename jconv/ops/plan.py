"""Which method serves which convolution on which backend: a table, each row with the measurement
behind it.

The choice is made when a program is lowered, for the platform it is lowered for, so an exported or
cross-compiled program gets the plan of the platform it will run on. The first row that fits
decides; without one it is "product" for a dense layer, and else what the platform's compiler knows
best: "direct" on a CPU, "derived" elsewhere.

The rows for "cpu" were measured on two cores of an AMD EPYC with AVX-512, float32, jaxlib 0.10.2,
under the compiler options of `jconv.jit`; those for "cuda" on an H100, bfloat16, jaxlib 0.11.2. All
in milliseconds; a call on the GPU takes 0.1 at least. `jconv bench --suite plan` measures the
examples of each row anew and tells which rows lose, for a new jaxlib (which takes these rows) or
another processor; `jconv tune` finds what is best for one network on one machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..geometry import Shape, volume
from . import winograd
from .apart import apart
from .direct import Geometry
from .grouped import joined
from .methods import METHODS, OPERATIONS

UNROLLED = 32  # blocks that "split" writes out at most: a program grows with them
# groups in a block at most, of whose products the rest is zeros: 2 channels a group, 64 in all, 1.6
# against 15 direct
TOGETHER = 8
LARGE = 2**14  # positions in an image, above which it is bound by memory
FEW_OUTPUTS = 4  # of a channel, up to which shifting pays
# positions of a kernel in the whole batch times its own, from which transforming it is worth it
SPECTRAL = 350_000
# values in a window, up to which it pays to write its products out, or to lay it out as a row of a
# matrix
THIN = 32


class Job(NamedTuple):
    """One operation of one convolution."""

    operation: str
    x: Shape
    k: Shape
    geometry: Geometry
    devices: int = 1  # of the program it is in
    integers: bool = False  # which most methods would round
    highest: bool = False  # precision, where every output is a sum over its own window

    def may_run(self, method: str) -> bool:
        """Whether the method can do this job, and keeps what its precision promises."""
        keeps = (METHODS[method].local or not self.highest) and (
            METHODS[method].exact or not self.integers
        )
        return keeps and not METHODS[method].serves(self.k, self.geometry)

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
        return winograd.pays(self.operation, self.x[0], self.k[-2:], self.geometry.window)

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


class Row(NamedTuple):
    """The method for the jobs of a platform that `fits` says it is for."""

    platform: str
    operations: tuple[str, ...]
    method: str
    fits: Callable[[Job], bool]
    why: str
    # `jconv bench --suite plan` measures them anew; none where it takes several devices
    examples: tuple[Example, ...] = ()


ALL, GRADIENT = OPERATIONS, ("kernel_gradient",)
ROWS = (
    Row(
        "cpu",
        ALL,
        "chunked",
        lambda job: job.depthwise and job.whole_batch,
        "16x56x56x128 by 3x3: 6.3 / 5.7 / 8.9 against 214 / 210 / 59 direct",
        (Example((16, 56, 56, 128), (3, 3, 1, 128), groups=128, padding=1),),
    ),
    Row(
        "cpu",
        ALL,
        "shift",
        lambda job: job.depthwise,
        "its kernel gradient 62, but no image waits for another device's",
    ),
    Row(
        "cpu",
        GRADIENT,
        "loop",
        lambda job: job.geometry.groups >= 16 and job.x[0] == 1,
        "one image a group, per-example gradients of 64 times 14x14x32 by 5x5 to 64: 16 against 37 "
        "direct and 30 one by one",
        (Example((1, 14, 14, 64 * 32), (5, 5, 32, 64 * 64), groups=64, padding=2),),
    ),
    Row(
        "cpu",
        ALL,
        "split",
        lambda job: job.geometry.groups > 1 and job.few_blocks,
        "16x28x28x128 by 3x3 in 32 groups: 3.1 / 3.4 / 4.4 against 18 / 19 / 7.6 direct; "
        "16x27x27x96 by 5x5 to 256 in 2: 17 / 21 / 20 "
        "against 20 / 32 / 23",
        (
            Example((16, 28, 28, 128), (3, 3, 4, 128), groups=32, padding=1),
            Example((16, 27, 27, 96), (5, 5, 48, 256), groups=2, padding=2),
        ),
    ),
    Row(
        "cpu",
        ALL,
        "loop",
        lambda job: job.geometry.groups > UNROLLED,
        "what splitting would write out too often: compile time",
        (Example((8, 14, 14, 64 * 16), (3, 3, 16, 64 * 16), groups=64, padding=1),),
    ),
    Row(
        "cpu",
        ALL,
        "fft",
        lambda job: job.spectra_pay,
        "8x64x64x64 by 9x9 to 128: 41 / 60 / 59 against 94 / 140 / 103 direct; 8x56x56x64 by 7x7 "
        "to 64: 23 / 24 / 32 against 33 / 33 / 42; "
        "8x16x16x128 by 7x7 to 128 would be 8 / 28 / 11 against 5 / 11 / 4",
        (
            Example((8, 64, 64, 64), (9, 9, 64, 128)),
            Example((8, 56, 56, 64), (7, 7, 64, 64), padding=3),
        ),
    ),
    Row(
        "cpu",
        ALL,
        "winograd",
        lambda job: job.fewer_products_pay,
        "8x28x28x256 by 3x3 to 256: 20 / 20 / 26 against 37 / 37 / 41 direct; 8x56x56x64 to 64: "
        "8.4 / 8.7 / 11 against 11 / 11 / 20; "
        "64x14x14x32 by 5x5 to 64: 5.2 / 5.3 / 6.6 against 7.2 / 7.0 / 8.0; 128x32x32x16 by 3x3 to "
        "16 would be 8.2 / 8.7, is 12 against "
        "6.2 / 6.2 / 16; 2x16x32x32x32 by 3x3x3 to 32: 6.0 / 6.1 / 8.7 against 9.7 / 9.8 / 18 "
        "folded",
        (
            Example((8, 28, 28, 256), (3, 3, 256, 256), padding=1),
            Example((8, 56, 56, 64), (3, 3, 64, 64), padding=1),
            Example((64, 14, 14, 32), (5, 5, 32, 64), padding=2),
            Example((2, 16, 32, 32, 32), (3, 3, 3, 32, 32), padding=1),
        ),
    ),
    Row(
        "cpu",
        ALL,
        "fold",
        lambda job: job.geometry.window.rank == 3 and job.geometry.groups == 1,
        "2x16x32x32x32 by 3x3x3 to 32: 9 / 8 / 11 against 51 / 52 / 86 direct",
        (
            Example((2, 16, 32, 32, 32), (3, 3, 3, 32, 32), padding=1, stride=2),
            Example((2, 16, 56, 56, 3), (3, 3, 3, 3, 64), padding=1),
        ),
    ),
    Row(
        "cpu",
        ("forward",),
        "shift",
        lambda job: job.thin and job.k[-2] == 1,
        "64x28x28x1 by 5x5 to 32: 1.0 against 4.7 direct and 2.3 of columns; to 6: 0.32 against "
        "3.8 and 1.4",
        (
            Example((64, 28, 28, 1), (5, 5, 1, 32), padding=2),
            Example((64, 28, 28, 1), (5, 5, 1, 6), padding=2),
        ),
    ),
    Row(
        "cpu",
        ("forward",),
        "columns",
        lambda job: job.thin and job.k[-1] <= THIN and volume(job.geometry.window.stride) == 1,
        "64x32x32x3 by 3x3 to 16: 0.75 against 1.20 direct; 8x224x224x3 to 32 with stride 2: 2.0 "
        "against 2.2, but 8.9 against 8.0 without "
        "AVX-512 by jaxlib 0.12; to 64 with stride 1: 55 against 48",
        (Example((64, 32, 32, 3), (3, 3, 3, 16), padding=1),),
    ),
    Row(
        "cpu",
        ("input_gradient",),
        "columns",
        lambda job: job.thin_back,
        "32x32x32x3 by 3x3 to 64: 0.50 against 2.20 direct; 64x28x28x1 by 5x5 to 32: 0.56 against "
        "2.81; 8x128x128x3 by 11x11 to 96: 50 "
        "against 225; with stride 4 it loses",
        (
            Example((32, 32, 32, 3), (3, 3, 3, 64), padding=1),
            Example((64, 28, 28, 1), (5, 5, 1, 32), padding=2),
            Example((8, 128, 128, 3), (11, 11, 3, 96)),
        ),
    ),
    Row(
        "cpu",
        GRADIENT,
        "matmul",
        lambda job: job.pointwise,
        "8x56x56x64 to 256: 2.6 against 4.7 direct and 3.2 as a product of a transpose; 8x56x56x64 "
        "to 64: 0.9 against 2.3 and 1.4",
        (
            Example((8, 56, 56, 64), (1, 1, 64, 256)),
            Example((8, 56, 56, 64), (1, 1, 64, 64)),
        ),
    ),
    Row(
        "cuda",
        ALL,
        "im2col",
        lambda job: job.integers,
        "cuDNN convolves no integers, and XLA's compiler fails on them",
    ),
    Row(
        "cuda",
        GRADIENT,
        "shift",
        lambda job: job.devices > 1 and job.depthwise,
        "what lax derives for groups gathers the whole batch on every device; on one 256x56x56x128 "
        "by 3x3 takes 0.61 against 0.20 derived",
    ),
    Row(
        "cuda",
        GRADIENT,
        "split",
        lambda job: job.devices > 1 and job.geometry.groups > 1 and job.few_blocks,
        "likewise",
    ),
    Row(
        "cuda",
        GRADIENT,
        "loop",
        lambda job: job.devices > 1 and job.geometry.groups > 1,
        "likewise",
    ),
    Row(
        "cuda",
        GRADIENT,
        "phases",
        lambda job: True,
        "256x28x28x64 by 3x3 dilated by 2 to 64: 0.10 against 0.55 derived, a convolution whose "
        "window is the image; forward it loses",
        (Example((256, 28, 28, 64), (3, 3, 64, 64), padding=2, dilation=2),),
    ),
    Row(
        "cuda",
        ALL,
        "fold",
        lambda job: volume(job.geometry.window.stride) == 1,
        "32x16x32x32x32 by 3x3x3 to 32: 0.15 / 0.15 / 0.21 against 0.28 / 0.29 / 0.38 derived, "
        "which lays the images out channels first",
        (Example((32, 16, 32, 32, 32), (3, 3, 3, 32, 32), padding=1),),
    ),
)
# Elsewhere it is lax's own forms. H100, 128x56x56x128 by 3x3 to 128 with stride 2, input gradient:
# 0.10 derived, 0.25 direct.
DEFAULT = {"cpu": "direct"}
PLATFORMS = tuple(dict.fromkeys(row.platform for row in ROWS))
# With nothing in them that could fuse. A dense layer's product could, with the next one's: YNNPACK
# takes the two for one, and computes the first anew for every output of the next. VGG-A forward, 8
# images: 1,010 ms, and 257 apart.
PLAIN = {
    "direct": ("forward", "input_gradient"),
    "product": ("input_gradient", "kernel_gradient"),
    "loop": ("kernel_gradient",),  # which is apart itself
    # likewise, but for the padding that the two share
    "chunked": ("input_gradient", "kernel_gradient"),
}


def choose(job: Job, platform: str) -> str:
    """The method for one operation of a convolution; the default for an image whose sizes are
    symbols, of which no row can tell.
    """
    default = DEFAULT.get(platform, "derived") if job.geometry.window.rank else "product"
    if not all(isinstance(n, int) for n in job.x[1:]):
        return default
    rows = (row for row in ROWS if row.platform == platform and job.operation in row.operations)
    return next((row.method for row in rows if job.may_run(row.method) and row.fits(job)), default)


def placed(operation: str, method: str, run: Callable, platform: str, devices: int = 1) -> Callable:
    """`run` as the platform wants it in a larger program.

    Over several devices a kernel's gradient ends in a sum over them, which XLA joins with others:
    inside of a function compiled apart it could not. So there the operands alone are kept apart, as
    what is returned by such a function.
    """
    if platform != "cpu" or operation in PLAIN.get(method, ()):
        return run
    if operation == "kernel_gradient" and devices > 1:
        return lambda x, y, **settings: run(*_written_out(x, y), **settings)
    return apart(run, static=("geometry", "precision"))


_written_out = apart(lambda *operands: operands, static=())
