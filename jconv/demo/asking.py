"""Asking a thread to do something between two of its own doings."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from ..errors import InputError

ENDING = "the demo is ending"


class Asking:
    """What other threads ask of one, in order; each gets a future of the answer."""

    def __init__(self, thread: Thread):
        self.thread = thread
        self.waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()

    def ask(self, f: Callable[[], Any]) -> Future[Any]:
        """f() in the thread; an InputError where it has ended, or ends before it gets there."""
        future: Future[Any] = Future()
        self.waiting.put((future, f))
        if not self.thread.is_alive():
            self.refuse()
        return future

    def answer(self, patience: float) -> None:
        """In the thread: all that is asked, waiting so many seconds for the first."""
        with suppress(Empty):
            if patience:
                _answer(*self.waiting.get(timeout=patience))
            while True:
                _answer(*self.waiting.get_nowait())

    def refuse(self) -> None:
        """Who asked too late must not wait for ever."""
        with suppress(Empty):
            while True:
                self.waiting.get_nowait()[0].set_exception(InputError(ENDING))


def _answer(future: Future[Any], f: Callable[[], Any]) -> None:
    try:
        future.set_result(f())
    except Exception as error:  # is for who asked
        future.set_exception(error)
