"""The site of `jconv demo`: its pages, what they listen to, and what they ask for.

Only this machine can reach it, and only its own pages may ask: the host that a request names must
be this machine, a request's origin the site itself, and every question carries the token that is
written into the pages. Every request has a largest size, and nothing that a page sends is ever the
name of a file.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ..errors import JconvError, PatternError
from ..optimizer import OPTIMIZERS
from ..view.templates import environment
from .convolution import computed
from .network import read_network
from .panels import as_image, packed
from .showing import best_classes
from .trainer import Trainer
from .uploads import (
    drawn_image,
    json_object,
    read_snapshot,
    uploaded_image,
    write_snapshot,
)

SITE = Path(__file__).parent / "site"
BROWSER = Path(__file__).parents[1] / "view" / "browser"
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


class Page(NamedTuple):
    title: str
    template: str


PAGES = {"/": Page("Train", "train.html"), "/convolution": Page("Convolution", "convolution.html")}


class Refused(JconvError):
    """A request that is not answered: its status, and why."""

    def __init__(self, status: int, why: str):
        super().__init__(status, why)
        self.status, self.why = status, why


class Site(NamedTuple):
    trainer: Trainer
    token: str
    title: str  # what is trained on what
    presets: Mapping[str, str]  # texts of nets, by name


def make_app(site: Site) -> Starlette:
    """The application, for a server that ends it by `hub.close()`."""
    env = environment(SITE)

    def page(path: str) -> Callable[[Request], Response]:
        def show(request: Request) -> Response:
            return HTMLResponse(
                env.get_template(PAGES[path].template).render(
                    title=f"{PAGES[path].title} · jconv",
                    heading=site.title,
                    path=path,
                    pages=PAGES,
                    token=site.token,
                    presets=site.presets,
                    optimizers=OPTIMIZERS,
                )
            )

        return show

    async def events(request: Request) -> Response:
        check_token(request.query_params.get("token", ""))
        listening = site.trainer.hub.listen()
        return StreamingResponse(listening, media_type="text/event-stream")

    def check_token(token: str) -> None:
        if not secrets.compare_digest(token.encode(), site.token.encode()):
            raise Refused(403, "the page is of another run of the demo; load it again")

    def asked(act: Act, most: int) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            check_token(request.headers.get("x-token", ""))
            body = await read_body(request, most)
            given = {**request.query_params}
            return await asyncio.to_thread(act, site, given, body)

        return answer

    actions = [
        Route(f"/api/{name}", asked(act, most), methods=["POST"])
        for name, (act, most) in ACTIONS.items()
    ]
    app = Starlette(
        routes=[
            *(Route(path, page(path)) for path in PAGES),
            Route("/events", events),
            *actions,
            Mount("/static", _Static(SITE, BROWSER)),
        ],
        exception_handlers={JconvError: _wrong, Refused: _refused},
    )
    return app


class Guarded:
    """The application behind what every request must be: of this machine, and of the site itself.

    `port` is what the browser must name; 0 leaves it open, for tests.
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
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        return (name or host) in HOSTS and (not self.port or port == str(self.port))


class _Static(StaticFiles):
    """The scripts and styles of two folders."""

    def __init__(self, *folders: Path):
        super().__init__(directory=folders[0])
        self.all_directories = list(folders)

    async def get_response(self, path: str, scope: Any) -> Response:
        if Path(path).suffix not in (".js", ".css"):
            return Response(status_code=404)
        return await super().get_response(path, scope)


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


def _wrong(request: Request, error: Exception) -> Response:
    said: dict[str, Any] = {"error": str(error)}
    if isinstance(error, PatternError):
        said |= {"line": error.line, "column": error.column, "at": error.at}
    return JSONResponse(said, 400)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse({"error": error.why}, error.status)


Act = Callable[[Site, dict[str, str], bytes], Response]
DONE: dict[str, Any] = {}


def _control(site: Site, given: dict[str, str], body: bytes) -> Response:
    trainer, word = site.trainer, json_object(body).get("do")
    acts: dict[Any, Callable[[], None]] = {
        "pause": lambda: trainer.pause(True),
        "resume": lambda: trainer.pause(False),
        "step": trainer.step,
        "clear": trainer.clear,
        "restart": lambda: trainer.begin(trainer.going().programs.net),
    }
    if not isinstance(word, str) or word not in acts:
        raise Refused(400, f"{word!r:.40}: one of {', '.join(acts)} was expected")
    acts[word]()
    return JSONResponse(DONE)


def _settings(site: Site, given: dict[str, str], body: bytes) -> Response:
    site.trainer.change(json_object(body))
    return JSONResponse(DONE)


def _network(site: Site, given: dict[str, str], body: bytes) -> Response:
    asked, trainer = json_object(body), site.trainer
    text, optimizer = asked.get("text"), asked.get("optimizer")
    if not isinstance(text, str) or not isinstance(optimizer, (str, type(None))):
        raise Refused(400, "a text and an optimizer were expected")
    images = trainer.images
    net = read_network(text, images.in_shape, len(images.class_names), trainer.going().batch)
    trainer.begin(net, optimizer)
    return JSONResponse(DONE)


def _classify(site: Site, given: dict[str, str], body: bytes) -> Response:
    shape = site.trainer.images.in_shape
    read = drawn_image if given.get("kind") == "drawing" else uploaded_image
    image = read(body, shape)
    answer = site.trainer.classify(image)
    return JSONResponse(
        {
            "image": as_image(image),
            "saliency": packed(np.asarray(answer.saliency)[None]),
            "best": best_classes(answer.probabilities, 5),
        }
    )


def _save(site: Site, given: dict[str, str], body: bytes) -> Response:
    form = given.get("form", "jconv")
    return Response(
        write_snapshot(site.trainer.snapshot(), form), media_type="application/octet-stream"
    )


def _load(site: Site, given: dict[str, str], body: bytes) -> Response:
    site.trainer.load(read_snapshot(body))
    return JSONResponse(DONE)


def _convolution(site: Site, given: dict[str, str], body: bytes) -> Response:
    return JSONResponse(computed(json_object(body)))


# what a page may ask for: its name, what answers, and the most bytes that it may send
ACTIONS: dict[str, tuple[Act, int]] = {
    "control": (_control, KIB),
    "settings": (_settings, KIB),
    "network": (_network, 256 * KIB),
    "classify": (_classify, 16 * MIB),
    "save": (_save, KIB),
    "load": (_load, 128 * MIB),
    "convolution": (_convolution, 256 * KIB),
}


def new_token() -> str:
    return secrets.token_urlsafe(24)
