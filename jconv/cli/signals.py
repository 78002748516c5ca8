"""Being told to end: what a command does then is its own affair."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def signals() -> Iterator[Callable[[], int]]:
    """Within it SIGINT and SIGTERM are noted, not obeyed; gives a function that says which came, 0
    for none. The second SIGINT is a KeyboardInterrupt again.
    """
    came: list[int] = []

    def note(number: int, frame: Any) -> None:
        if came and number == signal.SIGINT:
            raise KeyboardInterrupt
        came.append(number)

    if threading.current_thread() is not threading.main_thread():  # signals go to that one alone
        yield lambda: 0
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: came[0] if came else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
