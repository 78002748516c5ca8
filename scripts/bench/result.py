"""What was measured of one case: samples of every contestant, and the comparisons that follow from
them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from jconv.tuning.timing import Ratio, ratio, slower

from .contestants import JAX_PEERS

MIB = 2**20


class Spread(NamedTuple):
    """Median and quartiles."""

    median: float
    low: float
    high: float


@dataclass
class CaseResult:
    """Samples by contestant, in rounds; all of them seconds or all bytes. Smaller is better."""

    suite: str
    case: str
    what: str
    batch: int
    dtype: str
    unit: str = "s"  # or "B"
    flops: int = 0  # of the whole batch, multiply and add apart; 0 where it is not told
    samples: dict[str, list[float]] = field(default_factory=dict)
    compile_seconds: dict[str, float] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)  # bytes: libraries, parameters and images
    skipped: dict[str, str] = field(default_factory=dict)  # contestant -> why
    # contestant -> how far its numbers are from the first one's
    errors: dict[str, float] = field(default_factory=dict)
    disagree: dict[str, str] = field(default_factory=dict)  # contestant -> what is not the same
    others: float | None = None  # the share of the cores that other processes took meanwhile
    rival: str = "lax"  # whom jconv is judged against
    # jconv against it, each measurement of enough pairs
    judged: list[Ratio] = field(default_factory=list)

    @property
    def title(self) -> str:
        return (
            f"{self.suite}: {self.case}, {self.what}, batch "
            f"{self.batch}{'' if self.dtype == 'float32' else f', {self.dtype}'}"
        )

    def spread(self, name: str) -> Spread:
        samples = self.samples[name]
        return Spread(
            float(np.median(samples)), *(float(q) for q in np.quantile(samples, (0.25, 0.75)))
        )

    def times(self, name: str, of: str = "jconv") -> Ratio | None:
        """How many times as much `name` takes as jconv; None where either is missing."""
        if name not in self.samples or of not in self.samples or name == of:
            return None
        return ratio(np.array(self.samples[name]), np.array(self.samples[of]))

    @property
    def fastest_jax_peer(self) -> str | None:
        there = [name for name in JAX_PEERS if name in self.samples]
        return min(there, key=lambda name: self.spread(name).median, default=None)

    @property
    def loses(self) -> bool:
        """Whether jconv is slower than its rival."""
        return slower(self.judged)

    def to_dict(self) -> dict[str, Any]:
        """For JSON, with the ratios worked out."""
        ratios = {name: r._asdict() for name in self.samples if (r := self.times(name))}
        errors = {
            name: error if np.isfinite(error) else None for name, error in self.errors.items()
        }
        worked_out = {"times_of_jconv": ratios, "loses": self.loses}
        return {
            **asdict(self),
            "judged": [r._asdict() for r in self.judged],
            "errors": errors,
            **worked_out,
        }
