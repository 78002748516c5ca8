"""What a trainer has to say, to every page that listens: the newest of each kind, whatever a page
was too slow to take left out.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

KEEP_ALIVE = 15.0  # seconds without news after which a line is sent all the same


class Hub:
    """Messages by kind, said in one thread and heard in an event loop by any number of listeners.

    A listener holds one message of each kind at most, so a page that reads slowly, or not at all,
    takes no more memory than one that reads fast.
    """

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.latest: dict[str, bytes] = {}
        self.listeners: set[_Listener] = set()
        self.closed = False

    @property
    def watched(self) -> bool:
        """Whether anybody listens."""
        return bool(self.listeners)

    def say(self, kind: str, message: Any) -> None:
        """From any thread: what there is to say of a kind, in place of what was said before."""
        data = json.dumps(message, separators=(",", ":"), allow_nan=False)
        event = f"event: {kind}\ndata: {data}\n\n".encode()
        self.latest[kind] = event
        self._in_loop(self._hear, kind, event)

    def forget(self, *kinds: str) -> None:
        """What a listener that comes later need not hear."""
        for kind in kinds:
            self.latest.pop(kind, None)

    def close(self) -> None:
        """Every listener's iteration ends."""
        self.closed = True
        self._in_loop(self._wake)

    async def listen(self) -> AsyncIterator[bytes]:
        """All that was said last, and from then on what is said, as server-sent events."""
        self.loop = asyncio.get_running_loop()
        me = _Listener(dict(self.latest))
        self.listeners.add(me)
        try:
            while not self.closed:
                for event in me.taken():
                    yield event
                try:
                    await asyncio.wait_for(me.news.wait(), KEEP_ALIVE)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self.listeners.discard(me)

    def _in_loop(self, f: Any, *given: Any) -> None:
        loop = self.loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(f, *given)

    def _hear(self, kind: str, event: bytes) -> None:
        for listener in self.listeners:
            listener.hear(kind, event)

    def _wake(self) -> None:
        for listener in self.listeners:
            listener.news.set()


class _Listener:
    def __init__(self, waiting: dict[str, bytes]):
        self.waiting = waiting
        self.news = asyncio.Event()

    def hear(self, kind: str, event: bytes) -> None:
        self.waiting[kind] = event
        self.news.set()

    def taken(self) -> list[bytes]:
        self.news.clear()
        events, self.waiting = list(self.waiting.values()), {}
        return events
