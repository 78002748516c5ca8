"""How every script ends when it cannot go on: one line on stderr and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps

from .backend import cannot_start, running
from .errors import InputError, LayerError

Main = Callable[[Sequence[str] | None], int]


def command(main: Main) -> Main:
    """A script's main(argv) with wrong input, and a backend that is not there, turned into exit code 2, and Ctrl-C into 130."""

    @wraps(main)
    def wrapped(argv: Sequence[str] | None = None) -> int:
        try:
            return main(argv)
        except (InputError, LayerError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except (RuntimeError, AssertionError):
            if running():
                raise
            print(f"error: {cannot_start()}", file=sys.stderr)
            return 2
        except BrokenPipeError:  # the reader of our output has seen enough, as `| head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130

    return wrapped
