"""How long JAX's compiler was at work: what it reports itself of tracing, lowering and
compiling.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import jax.monitoring

COMPILING = "/jax/core/compile/"  # how the names of these events begin
Span = tuple[float, float]  # seconds, start and end


@contextmanager
def compiler_spans() -> Iterator[list[Span]]:
    """A list that is filled, inside the block, with the spans of all that JAX traces, lowers and
    compiles, in any thread.
    """
    spans: list[Span] = []

    def hear(event: str, start_time: float, end_time: float, **_: str | int) -> None:
        if event.startswith(COMPILING):
            spans.append((start_time, end_time))

    jax.monitoring.register_event_time_span_listener(hear)
    try:
        yield spans
    finally:
        jax.monitoring.unregister_event_time_span_listener(hear)


def covered(spans: Sequence[Span]) -> float:
    """Seconds that at least one span covers: a function traced inside another is traced once.

    >>> covered([(3, 5), (4, 4.5), (1, 2), (4, 6)])
    4.0
    """
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
