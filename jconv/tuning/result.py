"""What tuning found: plain data, and its words."""

from __future__ import annotations

from typing import NamedTuple

from ..geometry import Shape
from ..layer import Layer
from .passes import title


class Measurement(NamedTuple):
    """One operation by several methods. Seconds a call, medians; plain data throughout."""

    paths: tuple[str, ...]  # the layers that have it
    name: str  # what the layers call it: "forward", "input gradient", "kernel gradient"
    operation: str  # which of the three bilinear ones it is
    x: Shape
    k: Shape
    plan: str  # what "auto" runs here
    chosen: str  # "auto", or a method that is clearly faster
    # how many times as long "auto" takes as `chosen`, with the 95% interval
    gain: tuple[float, float, float] | None
    seconds: dict[str, float]
    compile_seconds: dict[str, float]
    skipped: dict[str, str]  # why a method has no time

    def __str__(self) -> str:
        """Such as "conv2 kernel gradient: matmul, 2.1x (auto runs direct, 0.63 ms)"."""
        auto = (
            _ms(self.seconds["auto"])
            if "auto" in self.seconds
            else f"which failed: {self.skipped.get('auto')}"
        )
        head = title(self.paths, self.name)
        if self.chosen != "auto":
            return (
                f"{head}: {self.chosen}{f', {self.gain[0]:.3g}x' if self.gain else ''} (auto runs "
                f"{self.plan}, {auto})"
            )
        others = sorted((seconds, word) for word, seconds in self.seconds.items() if word != "auto")
        if not others:
            out = (
                "; ".join(
                    f"{word} is out: {why}" for word, why in self.skipped.items() if word != "auto"
                )
                or "there is no other"
            )
            return f"{head}: left as it is (auto runs {self.plan}, {auto}; {out})"
        seconds, word = others[0]
        unsure = ", not clearly faster" if seconds < self.seconds.get("auto", 0) else ""
        return (
            f"{head}: left as it is (auto runs {self.plan}, {auto}; next is {word}, "
            f"{_ms(seconds)}{unsure})"
        )


class Tuning(NamedTuple):
    """The net with its choices, and what they rest on."""

    net: Layer
    in_shape: Shape
    batch: int
    dtype: str
    measurements: tuple[Measurement, ...]

    @property
    def seconds(self) -> tuple[float, float]:
        """What the convolutions of a training step take one by one, all by "auto" and as chosen."""
        timed = [m for m in self.measurements if "auto" in m.seconds]
        before = sum(len(m.paths) * m.seconds["auto"] for m in timed)
        return before, sum(
            len(m.paths) * m.seconds["auto"] / (m.gain[0] if m.gain else 1) for m in timed
        )

    def __str__(self) -> str:
        before, after = self.seconds
        if not before:
            return "no convolution was measured"
        return (
            f"a step's convolutions, one by one: {_ms(before)} by auto, {_ms(after)} as tuned, "
            f"{before / after:.3g}x"
        )

    __repr__ = __str__  # what a notebook and a terminal show of a last line


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds * 1e3:,.0f} ms"
