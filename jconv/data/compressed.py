"""Published files, compressed or not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from ..errors import InputError
from ..files import cause

GZIP = b"\x1f\x8b"


@contextmanager
def uncompressed(path: Path, damaged: str) -> Iterator[IO[bytes]]:
    """A file to read, through gzip where it is compressed so. Raises InputError naming it where it
    cannot be read, also from what is done with it inside; `damaged` is what is said of a compressed
    one that does not come to its end.
    """
    try:
        with open(path, "rb") as file:
            compressed = file.read(2) == GZIP
            file.seek(0)
            yield cast(IO[bytes], gzip.open(file)) if compressed else file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: {damaged} ({error}); fetch it again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({cause(error)})") from None
