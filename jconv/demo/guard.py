"""What every request must be before it is answered: of this machine, of the site itself, with the
token of its pages, and no larger than what it asks for allows.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from ..errors import JconvError

HOST_PORT = re.compile(r":\d+$")
HOSTS = ("127.0.0.1", "localhost", "[::1]")
KIB, MIB = 2**10, 2**20
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Refused(JconvError):
    """A request that is not answered: its status, and why."""

    def __init__(self, status: int, why: str):
        super().__init__(status, why)
        self.status, self.why = status, why


def new_token() -> str:
    return secrets.token_urlsafe(24)


def check_token(given: str, token: str) -> None:
    """Raises Refused."""
    if not secrets.compare_digest(given.encode(), token.encode()):
        raise Refused(403, "the page is of another run of the demo; load it again")


class Guarded:
    """The application behind what every request must be: of this machine, and of the site itself.

    `port` is what the browser must name, unless it is 80.
    """

    def __init__(self, app: Any, port: int):
        self.app, self.port = app, port

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = {name.decode("latin-1"): v.decode("latin-1") for name, v in scope["headers"]}

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                extra = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        host = headers.get("host", "")
        origin = headers.get("origin", f"http://{host}")
        if not self._ours(host) or origin != f"http://{host}":
            why = f"{host or origin}: only pages of this site, on this machine, are answered"
            response = JSONResponse({"error": why}, 403)
            return await response(scope, receive, with_headers)
        await self.app(scope, receive, with_headers)

    def _ours(self, host: str) -> bool:
        name, _, port = host.rpartition(":") if HOST_PORT.search(host) else (host, "", "80")
        return name.lower() in HOSTS and port == str(self.port)


async def read_body(request: Request, most: int) -> bytes:
    """Raises Refused for a body of more bytes."""
    why = f"more than {most // KIB:,} KiB came, which is the most for this"
    if int(request.headers.get("content-length") or 0) > most:
        raise Refused(413, why)
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise Refused(413, why)
            parts.append(part)
    except ClientDisconnect:
        raise Refused(400, "the connection ended") from None
    return b"".join(parts)
